"""Laws of every corpus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

import pytest

from zoo.data.corpora.base import Corpus
from zoo.families import variants

FILES = {"a.txt": "One document.\n---\nand another, é", "b.jsonl": '{"text": "a third"}\n\n{"text": "ü"}\n'}
ARGUMENTS = {"TextFiles": {"paths": ["*.txt", "*.jsonl"], "separator": "---"}}  # where an argument has no default


@pytest.fixture(params=list(variants("data")))
def corpus(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corpus]:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield variants("data")[request.param](**ARGUMENTS.get(request.param, {}))


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
