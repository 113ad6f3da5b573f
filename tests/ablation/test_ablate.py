"""`zoo ablate` as its user runs it: real training in processes of its own, interrupted, repeated, edited, broken."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from zoo.run import read_result

BASE = Path(__file__).parents[2] / "recipes" / "base.yaml"
pytestmark = pytest.mark.slow


@pytest.fixture
def ablation(tmp_path: Path, tiny: dict[str, Any]) -> Path:
    """Two arms x two seeds, one arm with a class of the user's own, in a folder of its own."""
    lines = [f"base: {BASE}", *(f"{key}: {json.dumps(value)}" for key, value in tiny.items())]
    lines += ["ablation:", "  baseline: base", "  seeds: 2", "  budget: {flops: 4e8}", "  variants:"]
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


def stamps(folder: Path) -> dict[str, int]:
    """When each run's result was written, by hash and seed."""
    found = sorted((folder / "runs" / "store").glob("*/seed-*/result.json"))
    return {str(path.parent.relative_to(folder / "runs" / "store")): path.stat().st_mtime_ns for path in found}


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "runs" / "small" / "table.csv").open() as file:
        return {row["variant"]: row for row in csv.DictReader(file)}


def test_table_repeat_edit_and_report(ablation: Path) -> None:
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
    assert len(before) == 4
    assert zoo(folder, "ablate", "small.yaml").returncode == 0
    assert stamps(folder) == before, "running again recomputes nothing"

    own = folder / "own_norm.py"
    own.write_text(own.read_text().replace("1 +", "2 +"))
    assert zoo(folder, "ablate", "small.yaml", "--seeds", "1").returncode == 0
    edited = stamps(folder)
    assert {key: edited[key] for key in before} == before and len(edited) == 5, "an edited class is that arm anew"

    ablation.write_text(ablation.read_text().replace("own_norm.Own}", "own_norm.Own, model.ffn.activation: geglu}"))
    assert zoo(folder, "ablate", "small.yaml", "--seeds", "1").returncode == 0
    changed = stamps(folder)
    assert {key: changed[key] for key in edited} == edited and len(changed) == 6, "so is an edited variant"

    markdown = (folder / "runs" / "small" / "table.md").read_text()
    (folder / "runs" / "small" / "table.md").unlink()
    assert zoo(folder, "report", "runs/small").returncode == 0
    assert (folder / "runs" / "small" / "table.md").read_text() == markdown, "the table is a function of the folders"

    assert zoo(folder, "ablate", "small.yaml", "--seeds", "0,7").returncode == 0
    assert len(stamps(folder)) == 8, "another seed adds only itself"


def test_a_broken_arm_has_its_reason_and_hurts_no_other(ablation: Path) -> None:
    folder = ablation.parent
    own = folder / "own_norm.py"
    own.write_text(
        own.read_text().replace("        return", "        raise RuntimeError('broken on purpose')\n        return")
    )
    done = zoo(folder, "ablate", "small.yaml", "--seeds", "1")
    assert done.returncode == 1
    rows = table(folder)
    assert "broken on purpose" in rows["own"]["status"] and rows["base"]["status"].startswith("ok")
    assert "Traceback" not in done.stdout + done.stderr


def test_second_process_on_the_same_folder_is_refused(ablation: Path) -> None:
    folder = ablation.parent
    (folder / "runs" / "small").mkdir(parents=True)
    with FileLock(folder / "runs" / "small" / ".lock"):
        done = zoo(folder, "ablate", "small.yaml")
    assert done.returncode == 2 and "is in use by another `zoo ablate`" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_and_run_again_loses_nothing(ablation: Path, number: signal.Signals) -> None:
    folder = ablation.parent
    ablation.write_text(ablation.read_text().replace("4e8", "3e9").replace("seeds: 2", "seeds: 1"))
    command = [sys.executable, "-m", "zoo", "ablate", "small.yaml", "--jobs", "2"]
    engine = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list((folder / "runs").glob("store/*/seed-*/checkpoints/last.ckpt")):
        assert engine.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    engine.send_signal(number)
    _, errors = engine.communicate(timeout=30)
    if number == signal.SIGINT:
        assert engine.returncode == 130 and "run the same command again" in errors and "Traceback" not in errors
    wait_for_no_worker(folder)
    assert all(read_result(path.parent).get("status") == "ok" for path in (folder / "runs").rglob("result.json"))
    before = stamps(folder)
    done = zoo(folder, "ablate", "small.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    after = stamps(folder)
    assert len(after) == 2 and {key: after[key] for key in before} == before


def wait_for_no_worker(folder: Path) -> None:
    """No orphan is left that works in this folder."""
    deadline = time.monotonic() + 20
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
