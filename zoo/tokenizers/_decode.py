"""Ids to bytes, compiled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._native import get, load8, native, store8

_SLACK = 8  # bytes that may be read and written behind a token
_LENGTH_BITS = 24
_LENGTH_MASK = np.int64((1 << _LENGTH_BITS) - 1)


class Vocabulary(NamedTuple):
    """The bytes of each id."""

    places: NDArray[np.int64]  # [ids]: start in `joined` << 24 | number of bytes; 0 where it stands for nothing
    joined: NDArray[np.uint8]  # the tokens' bytes, and some before and behind

    @classmethod
    def of(cls, tokens: Iterable[tuple[int, bytes]]) -> Vocabulary:
        """From pairs of id and bytes.

        Raises:
            ValueError: a token is too long.
        """
        pairs = dict(tokens)
        places = np.zeros(max(pairs) + 1, dtype=np.int64)
        if (longest := max(map(len, pairs.values()))) >= 1 << _LENGTH_BITS:
            raise ValueError(f"a token has {longest:,} bytes: expected less than {1 << _LENGTH_BITS:,}")
        place = _SLACK
        for i, token in pairs.items():
            places[i] = place << _LENGTH_BITS | len(token)
            place += len(token)
        return cls(places, np.frombuffer(b"".join([bytes(_SLACK), *pairs.values(), bytes(_SLACK)]), dtype=np.uint8))

    @property
    def size(self) -> int:
        """One more than the highest id."""
        return len(self.places)


def decode(vocabulary: Vocabulary, ids: NDArray[np.int64]) -> bytes | int:
    """The bytes of the ids; or the index of the first that stands for nothing."""
    size = decoded_size(vocabulary.places, ids)
    if size < 0:
        return -1 - size
    out = np.empty(size + _SLACK, dtype=np.uint8)
    write_tokens(vocabulary.places, vocabulary.joined, ids, out)
    return out[:size].tobytes()


@native
def decoded_size(places, ids):
    """Number of bytes, or -1 - i where ids[i] is no id."""
    size = np.int64(0)
    for i in range(len(ids)):
        token = get(ids, i)
        if token < 0 or token >= len(places) or get(places, token) == 0:
            return np.int64(-1 - i)
        size += get(places, token) & _LENGTH_MASK
    return size


@native
def write_tokens(places, joined, ids, out):
    """Eight bytes a step: most tokens are one step, and the next overwrites what is too much."""
    end = 0
    for i in range(len(ids)):
        place = get(places, get(ids, i))
        start, length = place >> _LENGTH_BITS, place & _LENGTH_MASK
        store8(out, end, load8(joined, start))
        if length > 8:
            for step in range(8, length - 7, 8):
                store8(out, end + step, load8(joined, start + step))
            store8(out, end + length - 8, load8(joined, start + length - 8))
        end += length
