"""ExactDedup beside a set of the texts themselves."""

from __future__ import annotations

import sys

from filter_doubles import documents, kept
from hypothesis import given

from zoo.data.filters import Dropped, ExactDedup


@given(documents)
def test_the_first_of_equal_texts_stays(texts: list[str]) -> None:
    assert kept(ExactDedup(), texts) == list(dict.fromkeys(texts))


@given(documents)
def test_normalised_texts_differ_by_more_than_case_and_white_space(texts: list[str]) -> None:
    first: dict[tuple[str, ...], str] = {}
    for text in texts:
        first.setdefault(tuple(text.lower().split()), text)
    assert kept(ExactDedup(normalise=True), texts) == list(first.values())


def test_what_stays_stays_as_it_is() -> None:
    one = ExactDedup(normalise=True)
    assert one.apply("A  Cat\n") == "A  Cat\n"
    assert one.apply("a cat") == Dropped("duplicate")
    assert one.apply("acat") == "acat"
    assert ExactDedup().apply("a cat") == "a cat"


def test_memory_per_document_is_what_the_class_says() -> None:
    one = ExactDedup()
    per_document = []
    for number in range(50_000):
        one.apply(f"a document of its own, {number}" * 20)
        if number > 1000:
            digest = next(iter(one._seen))
            per_document.append((sys.getsizeof(one._seen) + len(one._seen) * sys.getsizeof(digest)) / len(one._seen))
    assert min(per_document) >= 75 and max(per_document) <= 160
