"""`zoo fit`: train one recipe, in its own run folder, through the same worker as an ablation's arms."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from zoo.recipe import Recipe, RecipeError, load_recipe


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    recipe = load_recipe(arguments.recipe, overrides)
    if arguments.budget:
        recipe = load_recipe(arguments.recipe, [*overrides, *_as_overrides(arguments.budget)])
    recipe.try_on_meta()
    if arguments.show:
        print(recipe.dump(), end="")
        return 0
    return _train(recipe, arguments)


def _as_overrides(budget: dict[str, float]) -> list[str]:
    return [f"budget.{unit}={amount!r}" for unit, amount in budget.items()]


def _train(recipe: Recipe, arguments: argparse.Namespace) -> int:
    from zoo.ablation.engines.local import LocalEngine
    from zoo.ablation.progress import Progress
    from zoo.data.progress import display as preparing
    from zoo.prepare import needs, prepare
    from zoo.run import FINISHED, LAST_CHECKPOINT, read_result, run_folder

    with preparing() as progress:
        prepared = prepare(recipe, progress=progress)
    folder = run_folder(arguments.runs, prepared, recipe.seed)
    started = (folder / LAST_CHECKPOINT).exists()
    if arguments.restart:
        _clear(folder)
    elif read_result(folder).get("status") in FINISHED:
        print(f"done already; --restart would train it again: {folder}")
        return _show(folder)
    elif started and not arguments.resume:
        raise RecipeError([f"{folder} holds an unfinished run: --resume goes on with it, --restart starts over"])
    steps = "as many steps as fit" if prepared.num_steps is None else f"{prepared.num_steps:,} steps"
    print(f"{recipe.name}: {prepared.params:,} parameters, {steps}, {folder}")
    engine = LocalEngine(jobs=1)
    with Progress([(recipe.name, recipe.seed, folder)]) as display:
        for event in engine.run([folder], needs([prepared])):
            display.update(event)
    return _show(folder)


def _clear(folder: Path) -> None:
    """Throw away a run that no worker is in."""
    try:
        with FileLock(folder / ".lock", timeout=0):
            for entry in folder.iterdir():
                if entry.name == ".lock":
                    continue
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    except Timeout:
        raise RecipeError([f"{folder} is being trained by another process"]) from None


def _show(folder: Path) -> int:
    from zoo.run import read_result

    result = read_result(folder)
    if result.get("status") != "ok":
        print(f"{result.get('status', 'unfinished')}: {result.get('reason', '')} (log: {folder / 'log.txt'})")
        return 1
    rate, mfu = result["tokens_per_second"], result["mfu"]
    print(
        f"{result['validation_bits_per_byte']:.4f} bits per byte on {result['validation_bytes']:,} bytes; "
        f"{result['tokens']:,} tokens, {result['flops']:.3e} FLOPs, "
        f"{'-' if rate is None else f'{rate:,.0f}'} tokens/s, "
        f"MFU {'-' if mfu is None else f'{mfu:.1%}'} of a {result['peak_source']} peak"
    )
    return 0
