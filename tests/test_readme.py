"""The README is true: its commands run, its table is the committed one, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader

from zoo.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("#")[0].strip()
    for language, body in BLOCKS
    if language == "sh"
    for line in body.splitlines()
    if line.startswith("zoo ")
]
NARROW = ["--model.d_model=32", "--model.num_layers=1", "--data.batch_size=32", "--data.validation_bytes=1000"]
SMALL = {"fit": ["--budget=flops=4e9", *NARROW], "ablate": ["--budget=flops=4e9", "--seeds=1", *NARROW]}
FIRST = {command.split()[1]: command for command in reversed(COMMANDS)}  # of each kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader would stand: the recipes are there, and the README's own component beside them."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "recipes").symlink_to(ROOT / "recipes")
    for name, body in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(body, encoding="utf-8")
    return folder


def test_the_readme_has_commands() -> None:
    assert {command.split()[1] for command in COMMANDS} >= {"fit", "ablate", "report", "list", "data", "plan"}


@pytest.mark.slow
@pytest.mark.usefixtures("runs_here")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.replace("/", "-"))
def test_command_runs(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the README, models and budgets reduced. The first of each kind runs in a process of its own, and
    so do its runs; the others in this one: to start one takes seconds."""
    kind, *words = shlex.split(command)[1:]
    words = [kind, *words, *SMALL.get(kind, [])]
    if command != FIRST[kind]:
        monkeypatch.chdir(folder)
        assert main(words) == 0
        sys.modules.pop("my_norm", None)
        return
    done = subprocess.run(
        [sys.executable, "-m", "zoo", *words], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_table_is_the_committed_result() -> None:
    table = (ROOT / "benchmarks" / "results" / "quickstart" / "table.md").read_text(encoding="utf-8").strip()
    assert table in README


def test_links_and_paths_lead_somewhere() -> None:
    links = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert links
    for target in links:
        assert (ROOT / target).exists(), target
    for path in re.findall(r"`((?:zoo|recipes|tests|benchmarks)/[\w./-]+)`", README):
        assert (ROOT / path).exists(), path


def test_the_plan_is_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Of published figures alone, so the same on every machine."""
    command = next(c for c in COMMANDS if c.startswith("zoo plan --params"))
    assert main(shlex.split(command)[1:]) == 0
    (block,) = [body for language, body in BLOCKS if language == "" and body.startswith("7e+09 parameters")]
    said = capsys.readouterr().out.splitlines()
    assert said[: len(block.splitlines())] == block.splitlines()


@pytest.mark.slow
def test_the_monitor_works_in_a_project_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (body,) = [body for language, body in BLOCKS if language == "python" and "ThroughputMonitor" in body]
    model, loader = torch.nn.Linear(8, 8), DataLoader(torch.randn(512, 8), batch_size=64)

    class Own(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = model

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            return self.layer(batch).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    monkeypatch.chdir(tmp_path)
    names = {"model": Own(), "loader": loader}
    exec(body, names)
    figures = names["figures"]
    assert figures["tokens"] == 2 * 4 * 128 and figures["mfu"] > 0  # type: ignore[index]
