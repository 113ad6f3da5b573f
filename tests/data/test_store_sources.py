"""Stores of several sources: ranges of the train stream, and validation that any prefix of shows all of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from data_doubles import HALVES, Bytes, ListCorpus, Pairs, sample_texts

from zoo.data import Mixture, MixtureSource, TokenStore, split_of
from zoo.data.corpora.base import Corpus

TEXTS = {
    name: [f"{name} {text}" for text in sample_texts(150, seed)] for seed, name in enumerate(["one", "two", "six"])
}
WEIGHTS = {"one": 5.0, "two": 3.0, "six": 2.0}


def mixture(**weights: float) -> Mixture:
    weights = weights or WEIGHTS
    return Mixture(sources=[MixtureSource(name=n, corpus=ListCorpus(TEXTS[n]), weight=w) for n, w in weights.items()])


def texts_of(store: TokenStore, split: str) -> list[str]:
    start, found = 1, []
    for end in store.document_ends(split).tolist():  # type: ignore[arg-type]
        found.append(store.tokenizer.decode(store.tokens(split, start, end - 1)))  # type: ignore[arg-type]
        start = end
    return found


def test_each_source_is_a_range_of_the_train_stream_from_end_of_text_to_end_of_text(tmp_path: Path) -> None:
    store = TokenStore.build_or_open(mixture(), Pairs(), HALVES, home=tmp_path)
    assert [(s.name, s.weight) for s in store.sources] == [("one", 0.5), ("two", 0.3), ("six", 0.2)]
    assert store.source_names == ("one", "two", "six")
    assert store.sources[0].start == 0 and store.sources[-1].stop == store.num_tokens("train")
    for source in store.sources:
        ids = store.tokens("train", source.start, source.stop).tolist()
        expected = [store.tokenizer.end_of_text]
        for text in TEXTS[source.name]:
            if split_of(text, HALVES) == "train":
                expected += [*store.tokenizer.encode_ordinary(text), store.tokenizer.end_of_text]
        assert ids == expected
    for before, after in zip(store.sources, store.sources[1:], strict=False):
        assert before.stop == after.start + 1


@pytest.mark.parametrize("split", ["validation", "test"])
def test_held_out_documents_of_several_sources_come_in_the_order_of_their_hash(tmp_path: Path, split: str) -> None:
    store = TokenStore.build_or_open(mixture(), Bytes(), HALVES, home=tmp_path)
    held_out = [text for texts in TEXTS.values() for text in texts if split_of(text, HALVES) == split]
    held_out.sort(key=lambda text: hashlib.sha256(text.encode()).digest())
    assert texts_of(store, split) == held_out
    assert store.document_bytes(split).tolist() == [len(text.encode()) for text in held_out]  # type: ignore[arg-type]
    names = [store.source_names[number] for number in store.document_sources(split)]  # type: ignore[arg-type]
    assert names == [text.partition(" ")[0] for text in held_out]
    assert len(set(names[: len(names) // 4])) == 3, "a prefix holds all sources"


def test_one_source_keeps_the_order_of_the_corpus_and_is_the_whole_stream(tmp_path: Path) -> None:
    texts = [text for name in TEXTS for text in TEXTS[name]]
    store = TokenStore.build_or_open(ListCorpus(texts), Bytes(), HALVES, home=tmp_path)
    assert texts_of(store, "validation") == [text for text in texts if split_of(text, HALVES) == "validation"]
    (source,) = store.sources
    assert (source.name, source.weight) == ("ListCorpus", 1.0)
    assert (source.start, source.stop) == (0, store.num_tokens("train"))
    assert set(store.document_sources("test").tolist()) == {0}


def test_another_weight_is_another_store() -> None:
    from zoo.data.fingerprint import store_fingerprint

    corpora = [mixture(one=1.0, two=1.0), mixture(one=2.0, two=1.0), mixture(one=4.0, two=2.0)]
    names = [store_fingerprint(corpus, Bytes(), HALVES) for corpus in corpora]
    assert names[0] != names[1] == names[2]


class Labelled(Corpus):
    """Says of its documents and sources what it is told to."""

    def __init__(self, documents: Sequence[tuple[str, str]], sources: dict[str, float]):
        self._documents, self._sources = documents, sources

    def documents(self) -> Iterator[str]:
        yield from (text for _, text in self._documents)

    def labelled(self) -> Iterator[tuple[str, str]]:
        yield from self._documents

    def sources(self) -> dict[str, float]:
        return self._sources

    def fingerprint(self) -> str:
        return "labelled"

    def notes(self) -> list[str]:
        return ["2 lines were no JSON", "1 byte was replaced"]


def labelled(*names: str) -> list[tuple[str, str]]:
    return [(name, text) for name in names for text in TEXTS[name]]


def test_a_source_without_anything_to_train_on_is_named(tmp_path: Path) -> None:
    held_out = next(text for text in TEXTS["six"] if split_of(text, HALVES) == "test")
    corpus = Labelled([*labelled("one", "two"), ("six", held_out)], {"one": 0.5, "two": 0.25, "six": 0.25})
    text = (
        "Labelled: the source 'six' has a weight of 0.25 and no document in the train split: expected at least one, or "
        "weight 0"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        TokenStore.build_or_open(corpus, Bytes(), HALVES, home=tmp_path)
    assert list((tmp_path / "stores").iterdir()) == []


def test_a_source_of_no_weight_may_have_nothing_to_train_on(tmp_path: Path) -> None:
    held_out = next(text for text in TEXTS["six"] if split_of(text, HALVES) == "test")
    corpus = Labelled([*labelled("one", "two"), ("six", held_out)], {"one": 0.5, "two": 0.5, "six": 0.0})
    store = TokenStore.build_or_open(corpus, Bytes(), HALVES, home=tmp_path)
    assert [source.name for source in store.sources] == ["one", "two"]
    assert store.source_names == ("one", "two", "six") and set(store.document_sources("test").tolist()) == {0, 1, 2}


@pytest.mark.parametrize("names", [("two", "one"), ("one", "two", "one"), ("one", "six")])
def test_documents_that_do_not_come_source_after_source_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    corpus = Labelled(labelled(*names), {"one": 0.5, "two": 0.5})
    number = 151 if names[0] == "two" else 150 * (len(names) - 1) + 1
    text = (
        f"Labelled: document {number} is of the source {names[-1]!r}: expected those of one source to stand together, "
        f"in the order one, two"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        TokenStore.build_or_open(corpus, Bytes(), HALVES, home=tmp_path)


def test_what_the_corpus_did_not_pass_on_is_kept(tmp_path: Path) -> None:
    corpus = Labelled(labelled("one", "two"), {"one": 0.5, "two": 0.5})
    for _ in range(2):  # built, then opened
        store = TokenStore.build_or_open(corpus, Bytes(), HALVES, home=tmp_path)
        assert store.notes == ("2 lines were no JSON", "1 byte was replaced")
    assert json.loads((store.folder / "meta.json").read_text())["notes"] == list(store.notes)


def test_document_sources_are_small_integers(tmp_path: Path) -> None:
    store = TokenStore.build_or_open(mixture(), Bytes(), HALVES, home=tmp_path)
    assert store.document_sources("train").dtype == np.uint16
