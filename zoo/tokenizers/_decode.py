"""Ids to bytes, compiled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._native import get, load8, native, put, store8

_SLACK = 8  # bytes that may be read and written behind a token


class Vocabulary(NamedTuple):
    """The bytes of each id."""

    starts: NDArray[np.int64]  # [ids]: where in `joined`
    lengths: NDArray[np.int64]  # [ids]; -1 where an id stands for nothing
    joined: NDArray[np.uint8]  # the tokens' bytes, and some behind the last

    @classmethod
    def of(cls, tokens: Iterable[tuple[int, bytes]]) -> Vocabulary:
        """From pairs of id and bytes."""
        pairs = dict(tokens)
        size = max(pairs) + 1
        starts, lengths = np.zeros(size, dtype=np.int64), np.full(size, -1, dtype=np.int64)
        place = 0
        for i, token in pairs.items():
            starts[i], lengths[i] = place, len(token)
            place += len(token)
        joined = b"".join(pairs.values()) + bytes(_SLACK)
        return cls(starts, lengths, np.frombuffer(joined, dtype=np.uint8))


def decode(vocabulary: Vocabulary, ids: NDArray[np.int64]) -> bytes | int:
    """The bytes of the ids; or the index of the first that stands for nothing."""
    size = decoded_size(vocabulary, ids)
    if size < 0:
        return -1 - size
    out = np.empty(size + _SLACK, dtype=np.uint8)
    write_tokens(vocabulary, ids, out)
    return out[:size].tobytes()


@native
def decoded_size(vocabulary, ids):
    """Number of bytes, or -1 - i where ids[i] is no id."""
    size = np.int64(0)
    for i in range(len(ids)):
        token = get(ids, i)
        if token < 0 or token >= len(vocabulary.lengths) or get(vocabulary.lengths, token) < 0:
            return np.int64(-1 - i)
        size += get(vocabulary.lengths, token)
    return size


@native
def write_tokens(vocabulary, ids, out):
    """Eight bytes a step: most tokens are one step, and the next overwrites what is too much."""
    place = 0
    for i in range(len(ids)):
        token = get(ids, i)
        start, length = get(vocabulary.starts, token), get(vocabulary.lengths, token)
        store8(out, place, load8(vocabulary.joined, start))
        for step in range(8, length, 8):
            if step + 8 <= length:
                store8(out, place + step, load8(vocabulary.joined, start + step))
            else:
                for byte in range(step, length):
                    put(out, place + byte, get(vocabulary.joined, start + byte))
        place += length
