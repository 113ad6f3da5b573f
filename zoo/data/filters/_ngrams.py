"""Repeated n-grams of a document's words, compiled. Exact: an n-gram is numbered by its (n-1)-gram and its last word,
and looked up by both, so that no two n-grams are ever taken for one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numba
import numpy as np
from numpy.typing import NDArray

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hash
_HALF = np.uint64(32)


def ngram_chars(
    words: list[str], top_sizes: Sequence[int], duplicate_sizes: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Characters of words that lie in repeated n-grams, each counted once however many n-grams lie over it.

    Args:
        words: of a document.
        top_sizes: 2, 3, ...: every n from 2 to the largest.
        duplicate_sizes: those that follow.

    Returns:
        Of each n of `top_sizes`, characters in the most frequent n-gram: the first in the text of those equally
        frequent, 0 where none stands twice. Of each of `duplicate_sizes`, characters in n-grams that stood before.
    """
    numbers = dict(zip(dict.fromkeys(words), itertools.count(), strict=False))
    ids = np.fromiter(map(numbers.__getitem__, words), np.int64, len(words))
    ends = np.cumsum(np.fromiter(map(len, words), np.int64, len(words)))
    found = _ngram_chars(ids, np.concatenate([[0], ends]), top_sizes[-1], duplicate_sizes[-1])
    return [int(found[n]) for n in top_sizes], [int(found[n]) for n in duplicate_sizes]


@numba.njit(cache=True, nogil=True)
def _ngram_chars(
    words: NDArray[np.int64], starts: NDArray[np.int64], longest_top: int, longest: int
) -> NDArray[np.int64]:  # pragma: no cover, compiled
    """int64 [longest + 1]. `starts` [words + 1]: characters of the words before each."""
    num_words = len(words)
    chars = np.zeros(longest + 1, np.int64)
    num_slots = 4
    while num_slots < 2 * num_words:
        num_slots *= 2
    mask = num_slots - 1
    keys, numbers = np.empty(num_slots, np.int64), np.empty(num_slots, np.int64)
    counts = np.empty(num_words, np.int64)
    grams = words.copy()  # number of the (n-1)-gram that begins at each word
    for n in range(2, min(longest, num_words) + 1):
        numbers[:] = -1
        num_grams, covered, repeated = 0, 0, 0  # words before `covered` are counted
        for i in range(num_words - n + 1):
            key = grams[i] * num_words + words[i + n - 1]
            slot = np.int64((np.uint64(key) * _SPREAD) >> _HALF) & mask
            while numbers[slot] >= 0 and keys[slot] != key:
                slot = (slot + 1) & mask
            if numbers[slot] < 0:
                keys[slot], numbers[slot] = key, num_grams
                counts[num_grams] = 1
                num_grams += 1
            else:
                counts[numbers[slot]] += 1
                repeated += starts[i + n] - starts[max(i, covered)]
                covered = i + n
            grams[i] = numbers[slot]
        if repeated == 0:  # longer ones repeat even less
            break
        chars[n] = repeated if n > longest_top else _chars_of(grams[: num_words - n + 1], counts[:num_grams], starts, n)
    return chars


@numba.njit(cache=True, nogil=True)
def _chars_of(
    grams: NDArray[np.int64], counts: NDArray[np.int64], starts: NDArray[np.int64], n: int
) -> int:  # pragma: no cover, compiled
    """Characters in the most frequent n-gram."""
    top, chars, covered = np.argmax(counts), 0, 0
    for i in range(len(grams)):
        if grams[i] == top:
            chars += starts[i + n] - starts[max(i, covered)]
            covered = i + n
    return chars
