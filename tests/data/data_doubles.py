"""Small stand-ins: a corpus from a list, two tokenizers, a store in memory."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from zoo.data.corpora.base import Corpus
from zoo.tokenizers.base import Tokenizer

HALVES = (0.5, 0.3, 0.2)


def sample_texts(num_documents: int = 300, seed: int = 0) -> list[str]:
    """Documents of 1,000 bytes and more, some letters of which take two or four bytes."""
    draw = random.Random(seed)
    return [f"{i} " + "".join(draw.choices("abcdefgh  é😀", k=draw.randint(700, 1100))) for i in range(num_documents)]


class ListCorpus(Corpus):
    def __init__(self, texts: Iterable[str], version: str = "1"):
        self.texts, self.version = list(texts), version

    def documents(self) -> Iterator[str]:
        yield from self.texts

    def fingerprint(self) -> str:
        return self.version


class Bytes(Tokenizer):
    """Ids are bytes, shifted by 1 + `shift`."""

    def __init__(self, *, shift: int = 0):
        self._shift = shift

    @property
    def vocab_size(self) -> int:
        return 257 + self._shift

    def train(self, texts: Iterable[str]) -> None:
        pass

    def encode_ordinary(self, text: str) -> list[int]:
        return [byte + 1 + self._shift for byte in text.encode()]

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        return bytes(i - 1 - self._shift for i in ids)

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        pass


class Pairs(Bytes):
    """Bytes, and every pair of letters that the training text holds in one document's first 100 as one id."""

    def __init__(self, *, spare: int = 0):
        super().__init__()
        self._spare = spare
        self._pairs: dict[str, int] = {}

    @property
    def vocab_size(self) -> int:
        return 257 + len(self._pairs) + self._spare

    def train(self, texts: Iterable[str]) -> None:
        found = sorted({text[i : i + 2] for text in texts for i in range(min(100, len(text) - 1))})
        self._pairs = {pair: 257 + i for i, pair in enumerate(found)}

    def encode_ordinary(self, text: str) -> list[int]:
        ids: list[int] = []
        for i in range(0, len(text), 2):
            pair = text[i : i + 2]
            ids += [self._pairs[pair]] if pair in self._pairs else super().encode_ordinary(pair)
        return ids

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        names = {i: pair.encode() for pair, i in self._pairs.items()}
        return b"".join(names.get(i) or super(Pairs, self).decode_bytes([i]) for i in ids)

    def state(self) -> dict[str, Any]:
        return {"pairs": self._pairs}

    def load_state(self, state: dict[str, Any]) -> None:
        self._pairs = state["pairs"]


class ArrayStore:
    """A store in memory whose token at place p is p + 1, so that a token tells where it stands; end-of-text is 0.

    Args:
        document_tokens: of each document, without its end-of-text.
        document_bytes: of each document.
    """

    def __init__(self, document_tokens: Sequence[int], document_bytes: Sequence[int] | None = None):
        self._ends = np.cumsum([n + 1 for n in document_tokens]) + 1
        self._bytes = np.array(document_tokens if document_bytes is None else document_bytes, dtype=np.int64)
        self.stream = np.arange(1, 1 + (int(self._ends[-1]) if len(self._ends) else 1)).astype("<u4")
        self.tokenizer = SimpleNamespace(end_of_text=0)
        self.read = 0  # tokens, so far

    def num_tokens(self, split: str) -> int:
        return len(self.stream)

    def num_documents(self, split: str) -> int:
        return len(self._ends)

    def tokens(self, split: str, start: int, stop: int) -> np.ndarray:
        assert 0 <= start <= stop <= len(self.stream)
        self.read += stop - start
        return self.stream[start:stop]

    def document_ends(self, split: str) -> np.ndarray:
        return self._ends

    def document_bytes(self, split: str) -> np.ndarray:
        return self._bytes
