"""Laws of every corpus."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice, pairwise, zip_longest
from pathlib import Path
from typing import Any

import pytest

from zoo.data import MixtureSource, TextFiles
from zoo.data.corpora.base import Corpus
from zoo.families import variants

FILES = {
    "a.txt": "One document.\n---\nand another, é",
    "b.jsonl": '{"text": "a third"}\n\n{"text": "ü"}\n{"text": ""}\n',
}
SOURCES = [
    MixtureSource(name="prose", corpus=TextFiles(paths=["a.txt"], separator="---"), weight=3.0),
    MixtureSource(name="lines", corpus=TextFiles(paths=["b.jsonl"]), weight=0.5),
]
ARGUMENTS: dict[str, dict[str, Any]] = {  # where an argument has no default, or the default takes long
    "HubDataset": {"path": "json", "data_files": ["*.jsonl"]},
    "Mixture": {"sources": SOURCES},
    "PythonDocs": {"kinds": ["prose"]},
    "TextFiles": {"paths": ["*.txt", "*.jsonl"], "separator": "---"},
}


@pytest.fixture(params=list(variants("data")))
def corpus(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corpus]:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")  # where HubDataset keeps copies
    yield variants("data")[request.param](**deepcopy(ARGUMENTS.get(request.param, {})))


def test_documents_are_text_that_utf8_can_encode_and_never_empty(corpus: Corpus) -> None:
    found = list(islice(corpus.documents(), 200))
    assert found
    for text in found:
        assert isinstance(text, str) and text.encode()


def test_the_same_documents_in_the_same_order_at_every_call(corpus: Corpus) -> None:
    first, second = islice(corpus.documents(), 200), islice(corpus.documents(), 200)  # also when read side by side
    assert all(a == b for a, b in zip_longest(first, second))


def test_the_fingerprint_stays(corpus: Corpus) -> None:
    assert corpus.fingerprint() == corpus.fingerprint()
    assert len(corpus.fingerprint()) == 64


def test_the_shares_of_the_sources_sum_to_one(corpus: Corpus) -> None:
    sources = corpus.sources()
    assert sources and all(share > 0 for share in sources.values())
    assert sum(sources.values()) == pytest.approx(1, abs=1e-12)
    assert list(corpus.sources().items()) == list(sources.items())


def test_labelled_documents_are_the_documents_in_order_and_those_of_a_source_stand_together(corpus: Corpus) -> None:
    labels, texts = zip(*corpus.labelled(), strict=True)
    assert list(texts) == list(corpus.documents())
    assert list(dict.fromkeys(labels)) == list(corpus.sources()), "every source, in the order that they are stated"
    changes = sum(before != after for before, after in pairwise(labels))
    assert changes == len(corpus.sources()) - 1


def test_notes_are_lines_about_the_last_complete_reading(corpus: Corpus) -> None:
    assert corpus.notes() == [], "nothing is read before it is asked for"
    next(iter(corpus.documents()))
    assert corpus.notes() == [], "a reading that breaks off says nothing"
    for _ in range(2):
        for _ in corpus.documents():
            pass
        notes = corpus.notes()
        assert all(note and "\n" not in note for note in notes)
        assert notes == corpus.notes()
        assert len(set(notes)) == len(notes)


def test_options_are_keywords_with_types_and_no_more(corpus: Corpus) -> None:
    for parameter in list(inspect.signature(type(corpus).__init__).parameters.values())[1:]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.annotation is not inspect.Parameter.empty
