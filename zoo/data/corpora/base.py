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
