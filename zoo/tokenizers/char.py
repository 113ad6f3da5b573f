"""Character tokenizer: one id per Unicode code point that training saw; any other is spelled in bytes.

Source: characters as Karpathy 2015, "The unreasonable effectiveness of recurrent neural networks" (blog); the byte
fallback as Kudo & Richardson 2018, "SentencePiece", arXiv 1808.06226 (its option `byte_fallback`).
Equation: with S special tokens, C the sorted code points of the training text,
    ids(c) = [S + 256 + index of c in C]           for c in C
    ids(c) = [S + b for b in UTF-8(c)]             otherwise, so that no text is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from zoo.tokenizers._text import NUM_BYTES, documents, first_tokens, utf8
from zoo.tokenizers.base import Tokenizer


class CharTokenizer(Tokenizer):
    """Ids: the special tokens, the 256 bytes in order, then the characters by code point.

    A model never sees a byte id in text of known characters: those rows stay as they were initialised.
    """

    def __init__(self) -> None:
        self._ids_of_char: dict[str, int] | None = None
        self._tokens: list[bytes] = []

    @property
    def vocab_size(self) -> int:
        self._trained()
        return len(self._tokens)

    def train(self, texts: Iterable[str]) -> None:
        """Learn the set of characters.

        Raises:
            ValueError: `texts` is one string, or a text holds a lone surrogate.
        """
        seen: set[str] = set()
        for text in documents(texts):
            seen.update(text)
        self._learn(sorted(seen))

    def encode_ordinary(self, text: str) -> list[int]:
        """Ids of text: one per known character, one to four per other.

        Raises:
            ValueError: the text holds a lone surrogate, or the tokenizer is not trained.
        """
        ids_of_char = self._trained()
        utf8(text)
        offset = len(self.specials)
        ids: list[int] = []
        for char in text:
            known = ids_of_char.get(char)
            if known is None:
                ids += [offset + byte for byte in char.encode("utf-8")]
            else:
                ids.append(known)
        return ids

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        self.check_ids(ids)
        return b"".join(map(self._tokens.__getitem__, ids))

    def state(self) -> dict[str, Any]:
        return {"characters": "".join(self._trained())}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the characters of another instance.

        Raises:
            ValueError: the characters are not a sorted string without repetition.
        """
        characters = state.get("characters")
        if not isinstance(characters, str) or sorted(set(characters)) != list(characters):
            raise ValueError("the state of a CharTokenizer is damaged: expected 'characters', sorted, each once")
        utf8(characters)
        self._learn(characters)

    def _learn(self, characters: Sequence[str]) -> None:
        first = len(self.specials) + NUM_BYTES
        self._ids_of_char = {char: first + i for i, char in enumerate(characters)}
        self._tokens = first_tokens(self.specials) + [char.encode("utf-8") for char in characters]

    def _trained(self) -> dict[str, int]:
        if self._ids_of_char is None:
            raise self.untrained()
        return self._ids_of_char
