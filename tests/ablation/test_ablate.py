"""`zoo ablate` as its user runs it: real training in processes of its own, interrupted, repeated, edited, broken."""

from __future__ import annotations

import csv
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from zoo.accounting import gemm_peak
from zoo.cli import main
from zoo.run import read_result

BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"
pytestmark = pytest.mark.slow


@pytest.fixture
def ablation(tmp_path: Path, tiny: dict[str, Any]) -> Path:
    """Two arms, one of them with a class of the user's own, in a folder of its own."""
    lines = [f"base: {BASE}", *(f"{key}: {json.dumps(value)}" for key, value in tiny.items())]
    lines += ["ablation:", "  baseline: base", "  seeds: 1", "  budget: {flops: 4e8}", "  variants:"]
    lines += ["    base: {}", "    own: {model.norm: own_norm.Own}"]
    (tmp_path / "own_norm.py").write_text(
        "from zoo.norms.base import Norm\n"
        "class Own(Norm):\n"
        "    def __init__(self, *, d_model: int):\n"
        "        super().__init__()\n"
        "    def forward(self, x):\n"
        "        return x / (1 + x.abs().mean(-1, keepdim=True))\n"
    )
    path = tmp_path / "small.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def zoo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zoo", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture
def zoo_here(ablation: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """The command in this process, as a fresh one would see the folder."""
    monkeypatch.chdir(ablation.parent)
    monkeypatch.setattr(gemm_peak, "CPU_SIZES", (256,))  # the peak is not what is tested here, and takes seconds

    def run(*arguments: str) -> int:
        sys.modules.pop("own_norm", None)
        importlib.invalidate_caches()
        return main(arguments)

    yield run
    sys.modules.pop("own_norm", None)


def stamps(folder: Path) -> dict[str, int]:
    """When each run's result was written, by hash and seed."""
    found = sorted((folder / "runs" / "store").glob("*/seed-*/result.json"))
    return {str(path.parent.relative_to(folder / "runs" / "store")): path.stat().st_mtime_ns for path in found}


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "runs" / "small" / "table.csv").open() as file:
        return {row["variant"]: row for row in csv.DictReader(file)}


@pytest.mark.usefixtures("runs_here")
def test_table_repeat_edit_and_report(ablation: Path, zoo_here: Callable[..., int]) -> None:
    """The first time in processes of their own, command and runs, then in this one."""
    folder = ablation.parent
    done = zoo(folder, "ablate", "small.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    written = {path.name for path in (folder / "runs" / "small").iterdir()}
    assert {"ablation.yaml", "plan.json", "table.md", "table.csv", "table.json"} <= written
    assert any(name.endswith(".png") for name in written)
    rows = table(folder)
    assert list(rows) == ["base", "own"]
    for row in rows.values():
        assert float(row["flops"]) <= 4e8 and float(row["flops"]) > 0.9 * 4e8, "equal budgets, whole steps"
        assert row["status"].startswith("ok")
    assert "own" in done.stdout and "bits per byte" in done.stdout.lower()

    before = stamps(folder)
    assert len(before) == 2
    assert zoo_here("ablate", "small.yaml") == 0
    assert stamps(folder) == before, "running again recomputes nothing"

    own = folder / "own_norm.py"
    own.write_text(own.read_text().replace("1 +", "2 +"))
    assert zoo_here("ablate", "small.yaml") == 0
    edited = stamps(folder)
    assert {key: edited[key] for key in before} == before and len(edited) == 3, "an edited class is that arm anew"

    ablation.write_text(ablation.read_text().replace("own_norm.Own}", "own_norm.Own, model.ffn.activation: geglu}"))
    assert zoo_here("ablate", "small.yaml") == 0
    changed = stamps(folder)
    assert {key: changed[key] for key in edited} == edited and len(changed) == 4, "so is an edited variant"

    assert zoo_here("ablate", "small.yaml", "--seeds", "0,7") == 0
    seeds = stamps(folder)
    assert {key: seeds[key] for key in changed} == changed and len(seeds) == 6, "another seed adds only itself"
    assert all(row["status"] == "ok" for row in table(folder).values())

    markdown = (folder / "runs" / "small" / "table.md").read_text()
    (folder / "runs" / "small" / "table.md").unlink()
    assert zoo(folder, "report", "runs/small").returncode == 0
    assert (folder / "runs" / "small" / "table.md").read_text() == markdown, "the table is a function of the folders"


def test_a_broken_arm_has_its_reason_and_hurts_no_other(ablation: Path) -> None:
    folder = ablation.parent
    own = folder / "own_norm.py"
    own.write_text(
        own.read_text().replace("        return", "        raise RuntimeError('broken on purpose')\n        return")
    )
    done = zoo(folder, "ablate", "small.yaml")
    assert done.returncode == 1
    rows = table(folder)
    assert "broken on purpose" in rows["own"]["status"] and rows["base"]["status"].startswith("ok")
    assert "Traceback" not in done.stdout + done.stderr


def test_second_process_on_the_same_folder_is_refused(
    ablation: Path, zoo_here: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ablation.parent
    (folder / "runs" / "small").mkdir(parents=True)
    with FileLock(folder / "runs" / "small" / ".lock"):
        assert zoo_here("ablate", "small.yaml") == 2
    assert "is in use by another `zoo ablate`" in capsys.readouterr().err


def checkpoints(folder: Path) -> dict[Path, int]:
    """When each run last wrote where to go on from."""
    return {path: path.stat().st_mtime_ns for path in (folder / "runs").glob("store/*/seed-*/checkpoints/last.ckpt")}


def test_stopped_and_run_again_loses_nothing(ablation: Path, zoo_here: Callable[..., int]) -> None:
    """Stopped by Ctrl-C, and when it goes on, killed; each time once a run has come as far as another checkpoint."""
    folder = ablation.parent
    ablation.write_text(ablation.read_text().replace("4e8", "6e9"))
    command = [sys.executable, "-m", "zoo", "ablate", "small.yaml", "--jobs", "2"]
    before: dict[str, int] = {}
    for number in (signal.SIGINT, signal.SIGKILL):
        known = checkpoints(folder)
        engine = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while checkpoints(folder) == known:
            assert engine.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        engine.send_signal(number)
        _, errors = engine.communicate(timeout=60)
        if number == signal.SIGINT:
            assert engine.returncode == 130 and "run the same command again" in errors and "Traceback" not in errors
        wait_for_no_worker(folder)
        assert all(read_result(path.parent).get("status") == "ok" for path in (folder / "runs").rglob("result.json"))
        done = stamps(folder)
        assert {key: done[key] for key in before} == before
        before = done
    assert zoo_here("ablate", "small.yaml") == 0
    after = stamps(folder)
    assert len(after) == 2 and {key: after[key] for key in before} == before


def wait_for_no_worker(folder: Path) -> None:
    """No orphan is left that works in this folder."""
    deadline = time.monotonic() + 60
    while True:
        alive = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            in_folder = any(os.fsencode(folder) in word for word in words)
            if b"zoo.run" in words and (in_folder or process.joinpath("cwd").resolve() == folder):
                alive.append(process.name)
        if not alive:
            return
        assert time.monotonic() < deadline, f"workers {alive} outlive their engine"
        time.sleep(0.05)
