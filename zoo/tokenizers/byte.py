"""Byte tokenizer: one id per byte of UTF-8, so nothing is unknown and nothing is learned.

Source: Xue et al. 2021, "ByT5: Towards a token-free future with pre-trained byte-to-byte models", arXiv 2105.13626.
Equation: ids(text) = [S + b for b in UTF-8(text)], with S special tokens before the bytes (ByT5 has S = 3: pad, end
of sequence, unknown; here by default only end of text, as nothing is padded and nothing is unknown).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._text import NUM_BYTES, bytes_between_specials, utf8
from zoo.tokenizers.base import Ids, Tokenizer


class ByteTokenizer(Tokenizer):
    """Ids: the special tokens, then the 256 bytes in order. Usable without training."""

    @property
    def vocab_size(self) -> int:
        return len(self.specials) + NUM_BYTES

    def train(self, texts: Iterable[str]) -> None:
        """Learns nothing, and leaves `texts` unread."""

    def encode_array(self, text: str) -> Ids:
        """Ids of text, one per byte.

        Raises:
            ValueError: the text holds a lone surrogate.
        """
        return np.add(np.frombuffer(utf8(text), dtype=np.uint8), len(self.specials), dtype=np.uint32)

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        first_byte = len(self.specials)
        return bytes_between_specials(
            self.check_ids(ids), self.specials, lambda run: (run - first_byte).astype(np.uint8).tobytes()
        )

    def cut(self, text: str) -> int:
        return len(text)

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """There is nothing to take over.

        Raises:
            ValueError: the state is not empty, so another tokenizer wrote it.
        """
        if state:
            raise ValueError(f"a ByteTokenizer has no state, but got {', '.join(map(repr, state))}: expected {{}}")
