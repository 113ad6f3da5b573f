"""Where text comes from: a corpus yields documents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator


class Corpus(ABC):
    """Documents in an order that never changes, and a name for exactly these documents.

    Constructing one touches no file: a recipe that names a corpus can be read anywhere.
    """

    @abstractmethod
    def documents(self) -> Iterator[str]:
        """Every document, each a str that UTF-8 can encode; the same ones in the same order at every call.

        Raises:
            ValueError: the text cannot be read, in one line.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of everything the documents depend on, options and contents: it changes whenever they could. Quicker
        than reading the documents.

        Raises:
            ValueError: the text cannot be found.
        """

    def sources(self) -> dict[str, float]:
        """The parts that training draws from, each with its share of the training tokens; the shares sum to 1. A corpus
        is one part, a mixture several."""
        return {type(self).__name__: 1.0}

    def labelled(self) -> Iterator[tuple[str, str]]:
        """(name of its source, document) of every document; those of one source stand together, in the order of
        `sources()`."""
        name = type(self).__name__
        for text in self.documents():
            yield name, text

    def hints(self, key: str = "data.corpus") -> list[str]:
        """What may help where a corpus turns out to have too little text, after `documents()` came to its end.

        Args:
            key: of a recipe, at which the corpus stands.
        """
        return []

    def notes(self) -> list[str]:
        """What the last complete `documents()` did not pass on as it stood (lines skipped, bytes replaced, documents
        filtered out), a line each, with counts: nothing is dropped in silence."""
        return []
