"""Character tokenizer: one id per Unicode code point, of those that training saw (others in bytes) or of them all.

Source: characters as Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks" (blog); the byte
fallback as Kudo & Richardson 2018, "SentencePiece", arXiv 1808.06226 (its option `byte_fallback`).
Equation: with S special tokens, C the sorted code points of the training text,
    seen:     ids(c) = [S + 256 + index of c in C]     for c in C
              ids(c) = [S + b for b in UTF-8(c)]       otherwise, so that no text is lost
    unicode:  ids(c) = [S + index of c in U],          U the code points U+0000 to U+10FFFF without the surrogates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._text import (
    NUM_BYTES,
    TokenTable,
    bytes_between_specials,
    code_points,
    documents,
    first_tokens,
    utf8,
)
from zoo.tokenizers.base import END_OF_TEXT, Ids, Tokenizer
from zoo.wording import listing, nearest

Alphabet = Literal["seen", "unicode"]
SURROGATES = range(0xD800, 0xE000)  # no characters: UTF-16 writes others with them
NUM_UNICODE = 0x110000 - len(SURROGATES)  # 1,112,064
FIRST_OF_MORE_BYTES = np.array([0x80, 0x800, 0x10000], dtype=np.uint32)  # UTF-8 takes 2, 3, 4 bytes from these on


class CharTokenizer(Tokenizer):
    """Ids: the special tokens, the 256 bytes in order, then the characters that training saw, by code point. With
    alphabet="unicode": the special tokens, then every code point.

    A model never sees a byte id in text of known characters: those rows stay as they were initialised. So do most
    of the 1,112,064 rows of all Unicode, which at d_model 128 are 142 million parameters.

    Args:
        alphabet: "seen", the characters of the training text; or "unicode", all there can be, which needs no training.
        specials: special tokens, of which one is the end of text.

    Raises:
        ValueError: the alphabet is unknown, or `specials` as in `Tokenizer`.
    """

    def __init__(self, *, alphabet: Alphabet = "seen", specials: Sequence[str] = (END_OF_TEXT,)):
        super().__init__(specials=specials)
        if alphabet not in (known := get_args(Alphabet)):
            raise ValueError(f"alphabet={alphabet!r}: expected one of {listing(known)}{nearest(alphabet, known)}")
        self.alphabet: Alphabet = alphabet
        self._characters: str | None = None
        self._id_of_code_point = np.zeros(1, dtype=np.uint32)  # 0, which is a special token, for one never seen
        self._table = TokenTable([])

    @property
    def vocab_size(self) -> int:
        if self.alphabet == "unicode":
            return len(self.specials) + NUM_UNICODE
        return len(self.specials) + NUM_BYTES + len(self._seen())

    def train(self, texts: Iterable[str]) -> None:
        """Learn the set of characters; all of Unicode needs none, and leaves `texts` unread.

        Raises:
            ValueError: `texts` is one string, or a text holds a lone surrogate.
        """
        if self.alphabet == "seen":
            seen: set[str] = set()
            for text in documents(texts):
                seen.update(text)
            self._learn("".join(sorted(seen)))

    def encode_array(self, text: str) -> Ids:
        """Ids of text: one per known character, one to four per other.

        Raises:
            ValueError: the text holds a lone surrogate, or the tokenizer is not trained.
        """
        offset = len(self.specials)
        if self.alphabet == "unicode":
            points = code_points(text)
            return (points + np.uint32(offset)) - np.uint32(len(SURROGATES)) * (points >= SURROGATES.stop)
        self._seen()
        points = code_points(text)
        table = self._id_of_code_point
        ids = table[np.minimum(points, len(table) - 1)]  # its last entry is 0
        known = ids > 0
        if known.all():
            return ids
        spelled = np.frombuffer(points[~known].tobytes().decode("utf-32-le").encode(), dtype=np.uint8)
        num_ids = np.where(known, 1, 1 + np.searchsorted(FIRST_OF_MORE_BYTES, points, side="right"))
        is_character = np.repeat(known, num_ids)
        mixed = np.empty(len(is_character), dtype=np.uint32)
        mixed[is_character] = ids[known]
        mixed[~is_character] = spelled + np.uint32(offset)
        return mixed

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        known = self.check_ids(ids)
        if self.alphabet == "unicode":
            return bytes_between_specials(known, self.specials, self._scalar_values)
        return self._table.decode(known)

    def cut(self, text: str) -> int:
        return len(text)

    def state(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet} | ({"characters": self._seen()} if self.alphabet == "seen" else {})

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the characters of another instance.

        Raises:
            ValueError: the alphabet is another, or the characters are not a sorted string without repetition.
        """
        if state.get("alphabet") != self.alphabet:
            raise ValueError(f"the state has alphabet={state.get('alphabet')!r}: expected {self.alphabet!r}")
        if self.alphabet == "seen":
            characters = state.get("characters")
            if not isinstance(characters, str) or sorted(set(characters)) != list(characters):
                raise ValueError("the state of a CharTokenizer is damaged: expected 'characters', sorted, each once")
            utf8(characters)
            self._learn(characters)

    def _learn(self, characters: str) -> None:
        points = code_points(characters)
        first = len(self.specials) + NUM_BYTES
        self._id_of_code_point = np.zeros(int(points.max(initial=0)) + 2, dtype=np.uint32)
        self._id_of_code_point[points] = np.arange(first, first + len(points), dtype=np.uint32)
        self._table = TokenTable(first_tokens(self.specials) + [char.encode("utf-8") for char in characters])
        self._characters = characters

    def _scalar_values(self, ids: NDArray[np.int64]) -> bytes:
        """Bytes of ids of all Unicode that are no special tokens."""
        points = ids - len(self.specials)
        points += len(SURROGATES) * (points >= SURROGATES.start)
        return points.astype("<u4").tobytes().decode("utf-32-le").encode("utf-8")

    def _seen(self) -> str:
        if self._characters is None:
            raise self.untrained()
        return self._characters
