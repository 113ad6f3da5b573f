"""Small real text and small real recipes, for tests that train."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

BASE = Path(__file__).parents[1] / "recipes" / "base.yaml"
WORDS = ["the", "a", "model", "token", "layer", "head", "loss", "of", "in", "and", "to", "reads", "writes", "learns"]
WORDS += ["small", "large", "same", "other", "first", "last"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: where files are shared among processes, none waits for it at the end."""
    items.sort(key=lambda item: item.path.name != "test_readme.py")


@pytest.fixture(autouse=True)
def own_zoo_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stores and caches of tests never touch the user's; one home for the session, so that peaks are measured once."""
    home = tmp_path_factory.getbasetemp() / "zoo-home"
    monkeypatch.setenv("ZOO_HOME", str(home))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
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
    """Overrides that make recipes/base.yaml a run of a few seconds on the small corpus."""
    return {
        "model.d_model": 16,
        "model.num_layers": 1,
        "model.attention.num_heads": 2,
        "data.corpus": {"class_path": "zoo.data.TextFiles", "init_args": {"paths": [str(corpus)]}},
        "data.seq_len": 32,
        "data.batch_size": 4,
        "data.validation_bytes": 4000,
        "data.validation_stride": 32,
        "trainer.log_every": 1,
        "trainer.device": "cpu",
        "budget": {"tokens": 4 * 32 * 60},
    }
