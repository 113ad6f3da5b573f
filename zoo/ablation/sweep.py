"""Runs an ablation: prepares every arm, trains what is missing, leaves the rest as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from filelock import FileLock, Timeout

from zoo.ablation.engines.base import Engine
from zoo.ablation.engines.local import LocalEngine, fit_jobs
from zoo.ablation.engines.machine import usable_cores
from zoo.ablation.progress import Progress
from zoo.ablation.report import Report, write_report
from zoo.ablation.spec import Ablation
from zoo.accounting.gemm_peak import measured_peak
from zoo.data.progress import as_progress, display
from zoo.files import write_atomically
from zoo.prepare import Prepared, needs, prepare
from zoo.recipe import RecipeError
from zoo.run import FINISHED, read_result, run_folder

# of `data`: arms that differ here are scored on other text, so they answer different questions
SCORED_ALIKE = ("corpus", "filters", "split", "validation_bytes")


@dataclass(frozen=True)
class Arm:
    """One variant, ready: its prepared recipe and the folder of each seed."""

    name: str
    prepared: Prepared
    folders: dict[int, Path]


def try_all(ablation: Ablation) -> None:
    """Build every arm once without storage, before anything is made on disk.

    Raises:
        RecipeError: what classes refuse in any of the arms, all at once.
    """
    lines: list[str] = []
    baseline = ablation.variants[ablation.baseline].resolved["data"]
    for name, recipe in ablation.variants.items():
        try:
            recipe.try_on_meta()
        except RecipeError as error:
            lines += [f"variant {name}: {line.removeprefix(f'{name}: ')}" for line in error.lines]
        for key in SCORED_ALIKE:
            if recipe.resolved["data"][key] != baseline[key]:
                lines.append(
                    f"variant {name}: data.{key} differs from the baseline's: arms must be scored on the same text"
                )
    if lines:
        raise RecipeError(lines)


def prepare_all(ablation: Ablation, say: Callable[[str], None] | None = None) -> dict[str, Prepared]:
    """Stores, sizes and numbers of steps of all arms.

    Raises:
        RecipeError: an arm's data or budget does not do; all such arms at once.
    """
    lines, prepared = [], {}
    with display() if say is None else nullcontext(as_progress(say)) as progress:
        for name, recipe in ablation.variants.items():
            try:
                prepared[name] = prepare(recipe, progress=progress)
            except RecipeError as error:
                lines += [f"variant {line}" for line in error.lines]
    if lines:
        raise RecipeError(lines)
    return prepared


def sweep(
    ablation: Ablation,
    *,
    root: Path = Path("runs"),
    jobs: int | None = None,
    engine: Engine | None = None,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Train every arm with every seed, as far as that is not done yet, and write the table; also where it is stopped
    half-way, of what is done by then.

    Args:
        ablation: checked.
        root: folder of all runs.
        jobs: runs at once; None: one per core.
        engine: None: the local one.
        say: told what is being prepared; None: a display on standard output.

    Raises:
        RecipeError: an arm refuses its values, or another process works on this ablation.
    """
    try_all(ablation)
    prepared = prepare_all(ablation, say)
    say = say or print
    folder = root / ablation.name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            arms = [
                Arm(name, arm, {seed: run_folder(root, arm, seed) for seed in ablation.seeds})
                for name, arm in prepared.items()
            ]
            _write_plan(ablation, arms, folder, say)
            try:
                _train(arms, ablation.seeds, jobs, engine or LocalEngine(jobs=jobs), say)
            except KeyboardInterrupt:
                write_report(folder)
                raise
            return write_report(folder)
    except Timeout:
        line = f"{folder} is in use by another `zoo ablate`: wait for it, or name another folder with --runs"
        raise RecipeError([line]) from None


def _train(arms: list[Arm], seeds: list[int], jobs: int | None, engine: Engine, say: Callable[[str], None]) -> None:
    cells = list(_cells(arms, seeds))
    folders = list(dict.fromkeys(path for _, _, path in cells))
    if any(read_result(path).get("status") not in FINISHED for path in folders):
        _measure_peaks(arms, fit_jobs(jobs, len(folders)), say)
    with Progress(cells) as display:
        for event in engine.run(folders, needs(arm.prepared for arm in arms)):
            display.update(event)


def _cells(arms: list[Arm], seeds: list[int]) -> Iterable[tuple[str, int, Path]]:
    """By seed first, so that a table of what is done so far is already paired."""
    for seed in seeds:
        for arm in arms:
            yield arm.name, seed, arm.folders[seed]


def _measure_peaks(arms: list[Arm], jobs: int, say: Callable[[str], None]) -> None:
    """Measure what MFU is held against once, alone on the machine, instead of in every worker among neighbours."""
    if torch.cuda.is_available():
        return
    num_threads = max(1, usable_cores() // jobs)
    precisions = [arm.prepared.recipe.built.trainer.precision for arm in arms]
    for dtype, matmul in dict.fromkeys((p.compute_dtype, p.matmul) for p in precisions):
        peak = measured_peak("cpu", dtype, num_threads=num_threads, matmul=matmul, again=True)
        say(f"peak: {peak.flops_per_second / 1e9:.0f} GFLOP/s in {dtype} on {num_threads} thread(s), {peak.source}")


def _write_plan(ablation: Ablation, arms: list[Arm], folder: Path, say: Callable[[str], None]) -> None:
    with suppress(OSError, ValueError):
        before = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        if before["budget"] != ablation.budget or before["seeds"] != ablation.seeds:
            was = f"budget {before['budget']}, seeds {before['seeds']}"
            say(f"{folder}: the table of {was} is replaced; its runs are kept, and asking for it again brings it back")
    write_atomically(folder / "ablation.yaml", yaml.safe_dump(ablation.tree, sort_keys=False, width=120))
    plan: dict[str, Any] = {
        "name": ablation.name,
        "baseline": ablation.baseline,
        "seeds": ablation.seeds,
        "budget": ablation.budget,
        "arms": {arm.name: _arm_facts(arm, folder) for arm in arms},
    }
    write_atomically(folder / "plan.json", json.dumps(plan, indent=1))


def _arm_facts(arm: Arm, folder: Path) -> dict[str, Any]:
    return {
        "identity": arm.prepared.identity,
        "params": arm.prepared.params,
        "num_steps": arm.prepared.num_steps,
        "step_flops": arm.prepared.work.flops,
        "dirs": {seed: os.path.relpath(path, folder) for seed, path in arm.folders.items()},
    }
