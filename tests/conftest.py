"""Small real text and small real recipes, for tests that train."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from zoo.ablation.engines.base import Engine, Event

settings.register_profile("zoo", deadline=None)  # no test is held against a clock
settings.load_profile("zoo")

BASE = Path(__file__).parents[1] / "recipes" / "base.yaml"
WORDS = ["the", "a", "model", "token", "layer", "head", "loss", "of", "in", "and", "to", "reads", "writes", "learns"]
WORDS += ["small", "large", "same", "other", "first", "last"]
LONGEST = ["test_readme.py", "test_ablate.py", "test_run.py", "test_fit.py", "test_tokenizer_command.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: where files are shared among processes, none waits for one at the end."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


@pytest.fixture(autouse=True)
def own_zoo_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stores and caches of tests never touch the user's; one home for the session, so that peaks are measured once.

    Where several processes test, a run that takes every core must not hold them while it waits for its own threads.
    """
    home = tmp_path_factory.getbasetemp() / "zoo-home"
    monkeypatch.setenv("ZOO_HOME", str(home))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    return home


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .jsonl of 1,500 documents of about 600 bytes: enough that each split passes its lower bounds."""
    draw = random.Random(0)
    path = tmp_path_factory.mktemp("corpus") / "text.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(1500):
            words = [draw.choice(WORDS) for _ in range(draw.randint(80, 160))]
            file.write(json.dumps({"text": f"{number} é {' '.join(words)}."}, ensure_ascii=False) + "\n")
    return path


@pytest.fixture
def tiny(corpus: Path) -> dict[str, Any]:
    """Overrides that make recipes/base.yaml a run of a few seconds on the small corpus. Most of them would go into
    scoring the validation split: it is hardly larger than it must be, and read in few batches."""
    return {
        "model.d_model": 16,
        "model.num_layers": 1,
        "model.attention.num_heads": 2,
        "data.corpus": {"class_path": "zoo.data.TextFiles", "init_args": {"paths": [str(corpus)]}},
        "data.split": [0.88, 0.06, 0.06],
        "data.seq_len": 32,
        "data.batch_size": 16,
        "data.validation_bytes": 4000,
        "data.validation_stride": 32,
        "trainer.log_every": 1,
        "trainer.device": "cpu",
        "budget": {"tokens": 16 * 32 * 60},
    }


class EngineHere(Engine):
    """Runs folders one after the other in this process: to start another takes seconds, most of them of imports."""

    def run(self, dirs: Sequence[Path], needs: Mapping[str, int]) -> Iterator[Event]:
        from zoo.run import FINISHED, read_result, run

        for folder in dirs:
            if read_result(folder).get("status") not in FINISHED:
                yield Event("started", folder)
            result = run(folder)
            yield Event("finished" if result["status"] in FINISHED else "failed", folder, result.get("reason"))


@pytest.fixture
def runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that a test calls in this process train in it too; `test_ablate` and `test_fit` have others."""
    from zoo.ablation import sweep
    from zoo.ablation.engines import local

    for module in (local, sweep):
        monkeypatch.setattr(module, "LocalEngine", lambda **options: EngineHere())
