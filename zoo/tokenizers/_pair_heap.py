"""A heap of pairs of symbols, the one that is merged next on top; compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._native import allocating, inlined, native
from zoo.tokenizers._text import NUM_BYTES

FIRST, GREATEST, HUGGINGFACE = range(3)
RULES: dict[str, int] = {"first": FIRST, "greatest": GREATEST, "huggingface": HUGGINGFACE}


class Tokens(NamedTuple):
    """The bytes of each symbol: what `greatest` compares."""

    offsets: NDArray[np.int64]
    bytes: NDArray[np.uint8]


@allocating
def byte_tokens(num_merges):
    offsets = np.zeros(NUM_BYTES + num_merges + 1, np.int64)
    room = np.empty(NUM_BYTES, np.uint8)
    for byte in range(NUM_BYTES):
        room[byte], offsets[byte + 1] = byte, byte + 1
    return Tokens(offsets, room)


@allocating
def with_token(tokens, left, right, new):
    """The bytes of one more symbol."""
    start, room = tokens.offsets[new], tokens.bytes
    end = start + tokens.offsets[left + 1] - tokens.offsets[left] + tokens.offsets[right + 1] - tokens.offsets[right]
    if end > len(room):
        room = np.empty(2 * end, np.uint8)
        for i in range(start):
            room[i] = tokens.bytes[i]
    place = start
    for part in (left, right):
        for i in range(tokens.offsets[part], tokens.offsets[part + 1]):
            room[place] = room[i]
            place += 1
    tokens.offsets[new + 1] = end
    return Tokens(tokens.offsets, room)


@native
def compare_tokens(tokens, a, b):
    """Below, at or above 0 as the bytes of symbol a come before, equal or come after those of b."""
    if a == b:
        return 0
    i, j = tokens.offsets[a], tokens.offsets[b]
    while i < tokens.offsets[a + 1] and j < tokens.offsets[b + 1]:
        if tokens.bytes[i] != tokens.bytes[j]:
            return np.int64(tokens.bytes[i]) - np.int64(tokens.bytes[j])
        i, j = i + 1, j + 1
    return (tokens.offsets[a + 1] - i) - (tokens.offsets[b + 1] - j)


class Heap(NamedTuple):
    """Pairs by (count, order), best first."""

    counts: NDArray[np.int64]
    orders: NDArray[np.int64]  # of pairs with one count, the smallest comes first; unused by `greatest`
    pairs: NDArray[np.int32]


@allocating
def new_heap(room):
    return Heap(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int32))


@allocating
def heap_with_room(heap, size):
    if size <= len(heap.pairs):
        return heap
    larger, old = new_heap(2 * size), len(heap.pairs)
    for i in range(old):
        larger.counts[i], larger.orders[i], larger.pairs[i] = heap.counts[i], heap.orders[i], heap.pairs[i]
    return larger


@inlined
def is_before(count, place, pair, other_count, other_place, other_pair, rule, pairs, tokens):
    """Whether a pair is merged before another."""
    if count != other_count:
        return count > other_count
    if rule != GREATEST:
        return place < other_place
    key, other = pairs.keys[pair], pairs.keys[other_pair]
    low = np.uint64(0xFFFFFFFF)
    sign = compare_tokens(tokens, np.int64(key >> np.uint64(32)), np.int64(other >> np.uint64(32)))
    return sign > 0 or (sign == 0 and compare_tokens(tokens, np.int64(key & low), np.int64(other & low)) > 0)


@native
def push(heap, size, pair, place, rule, pairs, tokens):
    """Add a pair under its count and order; returns the new size."""
    count, child = pairs.counts[pair], size
    while child:
        parent = child - 1 >> 1
        above = heap.counts[parent], heap.orders[parent], heap.pairs[parent]
        if not is_before(count, place, pair, above[0], above[1], above[2], rule, pairs, tokens):
            break
        heap.counts[child], heap.orders[child], heap.pairs[child] = above
        child = parent
    heap.counts[child], heap.orders[child], heap.pairs[child] = count, place, pair
    return size + 1


@native
def sink(heap, size, count, place, pair, rule, pairs, tokens):
    """Put an entry in at the top, in place of the one there."""
    parent, child = 0, 1
    while child < size:
        best = heap.counts[child], heap.orders[child], heap.pairs[child]
        if child + 1 < size:
            beside = heap.counts[child + 1], heap.orders[child + 1], heap.pairs[child + 1]
            if is_before(beside[0], beside[1], beside[2], best[0], best[1], best[2], rule, pairs, tokens):
                best = beside
                child += 1
        if not is_before(best[0], best[1], best[2], count, place, pair, rule, pairs, tokens):
            break
        heap.counts[parent], heap.orders[parent], heap.pairs[parent] = best
        parent, child = child, 2 * child + 1
    heap.counts[parent], heap.orders[parent], heap.pairs[parent] = count, place, pair


@native
def pop(heap, size, rule, pairs, tokens):
    """Take the top away; returns the new size."""
    size -= 1
    if size:
        sink(heap, size, heap.counts[size], heap.orders[size], heap.pairs[size], rule, pairs, tokens)
    return size
