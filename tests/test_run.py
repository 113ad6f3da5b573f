"""The worker: a run that is killed at any moment and resumed is the run that was never killed, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.callbacks.recorder import read_metrics
from zoo.planning.weigh import weigh
from zoo.prepare import prepare
from zoo.recipe import load_recipe
from zoo.run import read_result, run, run_folder

BASE = Path(__file__).parents[1] / "recipes" / "base.yaml"
EXACT = ("step", "tokens", "flops", "loss", "lr", "validation_bits_per_byte")  # columns without a clock in them


def folder_for(root: Path, overrides: dict[str, Any], seed: int = 0) -> Path:
    return run_folder(root, prepare(load_recipe(BASE, overrides), progress=None), seed)


def curve(folder: Path) -> list[dict[str, str]]:
    return [{column: row[column] for column in EXACT} for row in read_metrics(folder / "metrics.csv")]


def losses(folder: Path) -> list[tuple[str, str]]:
    return [(row["step"], row["loss"]) for row in curve(folder) if row["loss"]]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]


def assert_same_run(one: Path, other: Path) -> None:
    assert curve(one) == curve(other)
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    score = "validation_bits_per_byte"
    assert read_result(one)[score] == read_result(other)[score]


def kill_when(folder: Path, moment: Callable[[], bool], environment: dict[str, str] | None = None) -> None:
    """Start the worker and SIGKILL it at the first instant at which `moment` holds."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "zoo.run", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    deadline = time.monotonic() + 120
    while not moment():
        assert worker.poll() is None, "the run ended before the moment came"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    worker.send_signal(signal.SIGKILL)
    assert worker.wait() == -signal.SIGKILL


@pytest.fixture
def long_enough(tiny: dict[str, Any]) -> dict[str, Any]:
    """Steps slow enough, and checkpoints large enough, that a kill lands where it is aimed."""
    return tiny | {
        "model.d_model": 128,
        "model.num_layers": 2,
        "data.batch_size": 8,
        "model.block.dropout": 0.1,
        "trainer.checkpoint_every": 7,
        "trainer.validate_every": 10,
        "trainer.accumulate": 2,
        "budget": {"tokens": 8 * 32 * 63},  # the last step is neither a validation's nor a checkpoint's
    }


@pytest.mark.slow
def test_killed_three_times_and_resumed_is_bit_identical(long_enough: dict[str, Any], tmp_path: Path) -> None:
    whole, killed = folder_for(tmp_path / "whole", long_enough), folder_for(tmp_path / "killed", long_enough)
    assert run(whole)["status"] == "ok"
    checkpoints = killed / "checkpoints"

    def steps() -> int:
        rows = read_metrics(killed / "metrics.csv")
        return int(rows[-1]["step"]) if rows else 0

    kill_when(killed, lambda: steps() >= 4)  # before the first checkpoint
    assert not (checkpoints / "last.ckpt").exists()
    kill_when(killed, lambda: steps() >= 18)  # between two checkpoints
    assert (checkpoints / "last.ckpt").exists()
    (checkpoints / "last.ckpt.tmp").unlink(missing_ok=True)
    kill_when(killed, lambda: steps() >= 30 and (checkpoints / "last.ckpt.tmp").exists())  # while one is being written
    assert read_result(killed) == {}
    assert run(killed)["status"] == "ok"
    assert_same_run(whole, killed)
    assert torch.load(checkpoints / "last.ckpt", weights_only=False)["global_step"] == 63
    best = [torch.load(f / "checkpoints" / "best.ckpt", weights_only=False)["global_step"] for f in (whole, killed)]
    assert best[0] == best[1]


@pytest.mark.slow
def test_validation_never_touches_training(tiny: dict[str, Any], tmp_path: Path) -> None:
    often = folder_for(tmp_path, tiny | {"trainer.validate_every": 10, "model.block.dropout": 0.2})
    rarely = folder_for(tmp_path, tiny | {"trainer.validate_every": 60, "model.block.dropout": 0.2})
    assert often != rarely
    assert run(often)["status"] == run(rarely)["status"] == "ok"
    assert losses(often) == losses(rarely) and len(losses(often)) == 60
    count = sum(bool(row["validation_bits_per_byte"]) for row in curve(often))
    assert count == 6


def test_a_run_says_what_it_did(tiny: dict[str, Any], tmp_path: Path) -> None:
    prepared = prepare(load_recipe(BASE, tiny))
    folder = run_folder(tmp_path, prepared, 3)
    result = run(folder)
    assert result == read_result(folder)
    assert result["status"] == "ok" and result["seed"] == 3
    assert result["num_steps"] == 60 and result["tokens"] == 60 * 16 * 32
    bytes_per_token = prepared.store.num_bytes("train") / prepared.store.num_tokens("train")
    assert result["text_bytes"] == pytest.approx(result["tokens"] * bytes_per_token)
    assert result["flops"] == 60 * prepared.work.flops == result["training_flops"] + result["optimizer_flops"]
    assert result["params"] == prepared.params
    assert result["validation_bytes"] == prepared.store.num_bytes("validation")
    assert 0 < result["validation_bits_per_byte"] < 8
    assert result["peak_source"] == "measured_gemm" and 0 < result["mfu"] < 1.05
    assert result["peak_memory_kind"] == "rss" and result["peak_memory_bytes"] > 50e6
    built, vocab_size = prepared.recipe.built, prepared.store.vocab_size
    step = weigh(built, vocab_size, sequences=16, accumulate=1, checkpointing=False, cuda=False).peak_bytes
    assert 50e6 < result["predicted_peak_memory_bytes"] - step <= result["peak_memory_bytes"]
    assert result["versions"]["torch"] == torch.__version__
    first, last = losses(folder)[0], losses(folder)[-1]
    assert float(last[1]) < float(first[1])
    progress = json.loads((folder / "progress.json").read_text())
    assert progress["num_steps"] == 60
    before = (folder / "result.json").stat().st_mtime_ns
    assert run(folder) == result, "asking again does nothing"
    assert (folder / "result.json").stat().st_mtime_ns == before


def test_loss_not_finite_is_diverged_and_stops(tiny: dict[str, Any], tmp_path: Path) -> None:
    folder = folder_for(
        tmp_path, tiny | {"model.optimizer": "SGD", "model.optimizer.lr": 1e12, "trainer.gradient_clip": None}
    )
    result = run(folder)
    assert result["status"] == "diverged" and result["reason"].startswith("loss not finite at step ")
    assert result["num_steps"] < 60 and "validation_bits_per_byte" not in result


def test_an_exception_is_failed_with_its_reason(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing_norm.py").write_text(
        "from zoo.norms.base import Norm\n"
        "class Failing(Norm):\n"
        "    def __init__(self, *, d_model: int):\n"
        "        super().__init__()\n"
        "    def forward(self, x):\n"
        "        raise RuntimeError('this norm is broken')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    result = run(folder_for(tmp_path / "runs", tiny | {"model.norm": "failing_norm.Failing"}))
    assert result["status"] == "failed" and result["reason"] == "RuntimeError: this norm is broken"


OWN_NORM = (
    "from zoo.norms.base import Norm\n"
    "class Own(Norm):\n"
    "    def __init__(self, *, d_model: int):\n"
    "        super().__init__()\n"
    "    def forward(self, x):\n"
    "        return x / 2\n"
)


def test_code_that_changed_since_it_was_planned_is_not_trained(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one arm would hold seeds of two programs."""
    source = tmp_path / "edited_norm.py"
    source.write_text(OWN_NORM)
    monkeypatch.syspath_prepend(tmp_path)
    folder = folder_for(tmp_path / "runs", tiny | {"model.norm": "edited_norm.Own"})
    source.write_text(OWN_NORM.replace("x / 2", "x / 3"))
    result = run(folder)
    assert result["status"] == "failed" and "code or data changed since this run was planned" in result["reason"]


def test_a_path_or_logger_asked_for_later_counts(tiny: dict[str, Any], tmp_path: Path, corpus: Path) -> None:
    folder = folder_for(tmp_path / "runs", tiny)
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(corpus.read_bytes())
    again = folder_for(tmp_path / "runs", tiny | {"data.corpus.paths": [str(moved)]}, seed=1)
    assert again.parent == folder.parent, "the same text is the same data, wherever it lies"
    assert str(moved) in (folder.parent / "recipe.yaml").read_text()


def test_worker_refuses_what_is_no_run(tmp_path: Path) -> None:
    folder = tmp_path / "typo"
    done = subprocess.run([sys.executable, "-m", "zoo.run", str(folder)], capture_output=True, text=True)
    assert done.returncode == 2 and "is not the folder of a run" in done.stderr and not folder.exists()


def test_seconds_stop_a_run(tiny: dict[str, Any], tmp_path: Path) -> None:
    result = run(folder_for(tmp_path, tiny | {"budget": {"seconds": 0.5}, "trainer.validate_every": 50}))
    assert result["status"] == "ok" and result["planned_steps"] is None
    assert result["num_steps"] > 3
    rows = [row for row in read_metrics(next(tmp_path.rglob("metrics.csv"))) if row["lr"]]
    assert float(rows[-1]["lr"]) < 0.5 * max(float(row["lr"]) for row in rows), "the rate decays within the seconds"


def test_tensorboard_by_recipe(tiny: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    logger = {
        "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
        "init_args": {"save_dir": str(tmp_path / "tb")},
    }
    assert run(folder_for(tmp_path / "runs", tiny | {"trainer.logger": logger}))["status"] == "ok"
    assert list((tmp_path / "tb").rglob("events.out.tfevents.*"))


@pytest.mark.slow
def test_compiled_is_the_same_run_but_for_rounding(tiny: dict[str, Any], tmp_path: Path) -> None:
    plain = folder_for(tmp_path, tiny)
    compiled = folder_for(tmp_path, tiny | {"trainer.compile": True})
    assert run(plain)["status"] == run(compiled)["status"] == "ok"
    for (_, one), (_, other) in zip(losses(plain), losses(compiled), strict=True):
        assert float(one) == pytest.approx(float(other), rel=1e-3)


def test_a_run_whose_memory_cannot_be_predicted_is_scored_all_the_same(tiny: dict[str, Any], tmp_path: Path) -> None:
    prepared = prepare(
        load_recipe(BASE, tiny | {"model.norm": "tests.small.LooksAtValues", "budget": {"tokens": 4096}})
    )
    result = run(run_folder(tmp_path, prepared, 0))
    assert result["status"] == "ok" and result["validation_bits_per_byte"] > 0
    assert result["predicted_peak_memory_bytes"] is None
    (note,) = result["cost_notes"]
    assert note.startswith("memory cannot be predicted: a step does not run on tensors without values (DataDependent")
