"""`zoo fit` as its user runs it: asked again, unfinished, resumed, started over."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zoo.callbacks.recorder import read_metrics
from zoo.cli import main
from zoo.files import write_atomically

BASE = Path(__file__).parents[1] / "recipes" / "base.yaml"


def fit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zoo", "fit", "tiny.yaml", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_asked_again_unfinished_resumed_and_restarted(
    tmp_path: Path, tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command runs first in a process of its own, then in this one; each run that it starts has its own always."""
    monkeypatch.chdir(tmp_path)
    lines = [f"base: {BASE}", *(f"{key}: {json.dumps(value)}" for key, value in tiny.items())]
    (tmp_path / "tiny.yaml").write_text("\n".join(lines) + "\n")
    first = fit(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "bits per byte on" in first.stdout and "measured_gemm peak" in first.stdout
    (result,) = tmp_path.glob("runs/store/*/seed-0/result.json")
    written = result.read_text()

    assert main(["fit", "tiny.yaml"]) == 0
    assert "done already; --restart would train it again" in capsys.readouterr().out
    assert result.read_text() == written

    result.unlink()  # as if it had been killed just before its end
    assert main(["fit", "tiny.yaml"]) == 2 and not result.exists()
    assert "holds an unfinished run: --resume goes on with it, --restart starts over" in capsys.readouterr().err
    assert main(["fit", "tiny.yaml", "--resume"]) == 0
    score = "validation_bits_per_byte"
    resumed = json.loads(result.read_text())
    assert resumed[score] == json.loads(written)[score] and resumed["num_steps"] == 60
    assert resumed["tokens_per_second"] == json.loads(written)["tokens_per_second"], "rates survive too"

    rows = [row["loss"] for row in read_metrics(result.parent / "metrics.csv")]
    assert main(["fit", "tiny.yaml", "--restart"]) == 0
    assert [row["loss"] for row in read_metrics(result.parent / "metrics.csv")] == rows
    assert json.loads(result.read_text())[score] == json.loads(written)[score]

    both = fit(tmp_path, "--restart", "--resume")
    assert both.returncode == 2 and "not allowed with" in both.stderr


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    write_atomically(path, "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"


def test_metrics_of_a_killed_run_end_with_a_whole_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,2.5\n2,2.")
    assert read_metrics(path) == [{"step": "1", "loss": "2.5"}]
    assert read_metrics(tmp_path / "nowhere.csv") == []
