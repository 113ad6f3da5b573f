"""Small stand-ins: a corpus of several sources from lists, and texts for hypothesis."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from zoo.data.corpora.base import Corpus
from zoo.data.filters import Filter
from zoo.data.filters._sieve import Sieve


class Texts(Corpus):
    """Documents of named sources; its own notes tell how many there were."""

    def __init__(self, version: str = "1", **sources: list[str]):
        self._sources, self._version, self._read = sources, version, 0

    def documents(self) -> Iterator[str]:
        for _, text in self.labelled():
            yield text

    def labelled(self) -> Iterator[tuple[str, str]]:
        for name, texts in self._sources.items():
            for text in texts:
                yield name, text
        self._read = sum(map(len, self._sources.values()))

    def sources(self) -> dict[str, float]:
        return {name: 1 / len(self._sources) for name in self._sources}

    def fingerprint(self) -> str:
        return self._version

    def notes(self) -> list[str]:
        return [f"{self._read} texts were read"]


def kept(one: Filter, texts: list[str]) -> list[str]:
    """What a filter leaves of documents, from its start."""
    sieve = Sieve([one])
    return [left for text in texts if (left := sieve.apply(text)) is not None]


_WORDS = ["the", "a", "of", "Be", "model", "10", "...", "…", "#", "naïve", "слово", "語", "ภาษา", "uses cookies", "x²"]
_WORDS += ["JavaScript", "[1]", "lorem ipsum", "{", "-", "•", "end.", "Why?", "one two three four five."]
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1, max_size=40)
prose = st.lists(st.sampled_from(_WORDS) | any_text, min_size=1, max_size=12).map(" ".join)
lines = st.lists(prose, min_size=1, max_size=6)
line_ends = st.sampled_from(["\n", "\n\n", "\r\n", "\u2028", " \n "])
texts = any_text | st.builds(lambda end, some, times: end.join(some * times), line_ends, lines, st.integers(1, 3))
documents = st.lists(texts, min_size=1, max_size=8).map(lambda some: [*some, *some[:2]])  # with some that came before
