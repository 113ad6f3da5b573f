"""Small stand-ins: a corpus from a list, three tokenizers, a store in memory."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.data.corpora.base import Corpus
from zoo.data.store import StoredSource
from zoo.tokenizers.base import END_OF_TEXT, Ids, Tokenizer

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

    def encode_array(self, text: str) -> Ids:
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint32) + np.uint32(1 + self._shift)

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        pieces = (END_OF_TEXT.encode() if i == 0 else bytes([i - 1 - self._shift]) for i in np.asarray(ids).tolist())
        return b"".join(pieces)

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

    def encode_array(self, text: str) -> Ids:
        ids: list[int] = []
        for i in range(0, len(text), 2):
            pair = text[i : i + 2]
            ids += [self._pairs[pair]] if pair in self._pairs else super().encode_array(pair).tolist()
        return np.array(ids, dtype=np.uint32)

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        names = {i: pair.encode() for pair, i in self._pairs.items()}
        return b"".join(names.get(i) or super(Pairs, self).decode_bytes([i]) for i in np.asarray(ids).tolist())

    def state(self) -> dict[str, Any]:
        return {"pairs": self._pairs}

    def load_state(self, state: dict[str, Any]) -> None:
        self._pairs = state["pairs"]


class Words(Tokenizer):
    """Lossy: the `num_words` most frequent words of the training text, or single other characters; the rest is unknown.

    Ids: end-of-text, unknown, then the words.
    """

    lossless = False

    def __init__(self, *, num_words: int = 100):
        self._num_words = num_words
        self._ids: dict[str, int] = {}

    @property
    def vocab_size(self) -> int:
        return 2 + len(self._ids)

    def train(self, texts: Iterable[str]) -> None:
        counts = Counter(word for text in texts for word in split_words(text))
        self._ids = {word: 2 + i for i, (word, _) in enumerate(counts.most_common(self._num_words))}

    def encode_array(self, text: str) -> Ids:
        return np.array([self._ids.get(word, 1) for word in split_words(text)], dtype=np.uint32)

    def lost(self, text: str) -> list[bytes]:
        return [word.encode() for word in split_words(text) if word not in self._ids]

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        names = [b"<end>", b"<unknown>", *(word.encode() for word in self._ids)]
        return b"".join(names[i] for i in np.asarray(ids).tolist())

    def state(self) -> dict[str, Any]:
        return {"words": list(self._ids)}

    def load_state(self, state: dict[str, Any]) -> None:
        self._ids = {word: 2 + i for i, word in enumerate(state["words"])}


def split_words(text: str) -> list[str]:
    return re.findall(r"\w+|\W", text)


class ArrayStore:
    """A store in memory whose token at place p is p + 1, so that a token tells where it stands; end-of-text is 0.

    Args:
        document_tokens: of each document, without its end-of-text.
        document_bytes: of each document.
        lost_bits: of each document; by default nothing is lost.
        sources: of its train split; by default one, of the whole stream.
    """

    def __init__(
        self,
        document_tokens: Sequence[int],
        document_bytes: Sequence[int] | None = None,
        lost_bits: Sequence[float] | None = None,
        sources: Sequence[StoredSource] | None = None,
    ):
        self._ends = np.cumsum([n + 1 for n in document_tokens]) + 1
        self._bytes = np.array(document_tokens if document_bytes is None else document_bytes, dtype=np.int64)
        self.stream = np.arange(1, 1 + (int(self._ends[-1]) if len(self._ends) else 1)).astype("<u4")
        self._lost = np.array([0.0] * len(self._ends) if lost_bits is None else lost_bits, dtype=np.float64)
        self.sources = tuple(sources or [StoredSource("all", 1.0, 0, len(self.stream))])
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

    def lost_bits(self, split: str) -> np.ndarray:
        return self._lost
