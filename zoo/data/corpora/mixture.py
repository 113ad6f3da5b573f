"""Several corpora in one, each with its share of the training tokens."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass

from zoo.data.corpora.base import Corpus
from zoo.data.fingerprint import class_key


@dataclass(frozen=True, kw_only=True)
class MixtureSource:
    """One part of a mixture.

    Attributes:
        name: what tables and errors call it.
        corpus: its documents; no mixture itself.
        weight: its share of the training tokens, beside the weights of the others.
    """

    name: str
    corpus: Corpus
    weight: float

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ValueError(f"name={self.name!r} of a source: expected printable text")
        if not 0 < self.weight < math.inf:
            raise ValueError(f"source {self.name!r}: weight={self.weight:g} must be above 0, and finite")


class Mixture(Corpus):
    """Documents of all its sources, one source after the other.

    Weights are shares of the training tokens, whatever the sizes of the sources: training goes several times through a
    small source of a large weight while it reads another once, each in an order of its own (`zoo.data.TrainBatches`).
    They say nothing of validation, which scores the held-out documents of all sources, in proportion to their text.

    The split goes by the hash of a text, so a document that two sources hold falls into the same split in both: it is
    never trained on in one and scored in the other. In a split it is there twice.

    Args:
        sources: the parts; their weights need not sum to 1.

    Raises:
        ValueError: there are no sources, two have the same name, or one is a mixture itself.
    """

    def __init__(self, *, sources: list[MixtureSource]):
        if not sources:
            raise ValueError("sources is empty: expected at least one of name, corpus and weight")
        names = [source.name for source in sources]
        for i, source in enumerate(sources):
            if source.name in names[:i]:
                raise ValueError(f"two sources are called {source.name!r}: expected a name of its own for each")
            if len(parts := source.corpus.sources()) > 1:
                listed = ", ".join(parts)
                raise ValueError(f"source {source.name!r} is a mixture itself: list its sources ({listed}) instead")
        self._sources = tuple(sources)
        self._total = math.fsum(source.weight for source in sources)

    def documents(self) -> Iterator[str]:
        for source in self._sources:
            yield from source.corpus.documents()

    def labelled(self) -> Iterator[tuple[str, str]]:
        for source in self._sources:
            for text in source.corpus.documents():
                yield source.name, text

    def sources(self) -> dict[str, float]:
        return {source.name: source.weight / self._total for source in self._sources}

    def fingerprint(self) -> str:
        parts = [
            [name, weight, class_key(source.corpus), source.corpus.fingerprint()]
            for source, (name, weight) in zip(self._sources, self.sources().items(), strict=True)
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def hints(self, key: str = "data.corpus") -> list[str]:
        return [
            f"{source.name}: {hint}"
            for i, source in enumerate(self._sources)
            for hint in source.corpus.hints(f"{key}.sources.{i}.corpus")
        ]

    def notes(self) -> list[str]:
        return [f"{source.name}: {note}" for source in self._sources for note in source.corpus.notes()]
