"""Merging the bytes of a piece, compiled.

A symbol is a byte, or 256 + i for the i-th token that merges make. Of all adjacent pairs of a piece, the one of the
lowest rank is merged, the leftmost first, until no pair has a rank: what tiktoken and Hugging Face do too.
`merge_short` looks at every rank for each merge, quickest for a usual word; `merge_long` keeps them in a heap, n log n.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._native import allocating, get, inlined, native, put

MAX_SYMBOLS = 2**21  # a pair and its rank share 64 bits: 21, 21 and 22
LONG_BYTES = 96  # from here on merge_long is quicker
_RANK_BITS, _SYMBOL_BITS = np.uint64(22), np.uint64(21)
_RANK_MASK = np.uint64(2**22 - 1)
_PLACE_BITS, _PLACE_MASK = np.uint64(7), np.uint64(2**7 - 1)  # of a piece shorter than LONG_BYTES
_NO_KEY = np.uint32(2**32 - 1)
_LAST_KEY = np.uint32(2**29 - 1)  # of a pair that merges: a rank and a place
_NO_RANK = np.int64(2**22)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hash


class Merges(NamedTuple):
    """What training learned, as compiled code reads it."""

    byte_pairs: NDArray[np.uint32]  # [65536]: of left << 8 | right, the rank + 1; 0 where they never merge
    pairs: NDArray[np.uint64]  # open addressing by pair: left << 43 | right << 22 | rank + 1; 0 is empty
    product: NDArray[np.uint32]  # [ranks]: the symbol that a merge makes
    ids: NDArray[np.uint32]  # [symbols]: the id of each


@allocating
def pair_tables(left, right, rank):
    """(`Merges.byte_pairs`, `Merges.pairs`) of the pairs left[i], right[i] with rank[i]; the first of equal pairs
    counts."""
    bits = 8
    while 1 << bits < 2 * len(left):
        bits += 1
    byte_pairs, table = np.zeros(1 << 16, dtype=np.uint32), np.zeros(1 << bits, dtype=np.uint64)
    for i in range(len(left)):
        key = np.uint64(left[i]) << _SYMBOL_BITS | np.uint64(right[i])
        slot = first_slot(table, key)
        while table[slot] != 0 and table[slot] >> _RANK_BITS != key:
            slot = slot + 1 & len(table) - 1
        if table[slot] == 0:
            table[slot] = key << _RANK_BITS | np.uint64(rank[i] + 1)
            if left[i] < 256 and right[i] < 256:
                byte_pairs[left[i] << 8 | right[i]] = rank[i] + 1
    return byte_pairs, table


@inlined
def first_slot(pairs, key):
    """Where a pair stands, if no other was there before."""
    return np.int64(key * _SPREAD >> np.uint64(32)) & len(pairs) - 1


@inlined
def rank_after(merges, left, right):
    """Rank + 1 of a pair of symbols, 0 where it never merges."""
    key = np.uint64(left) << _SYMBOL_BITS | np.uint64(right)
    slot = first_slot(merges.pairs, key)
    entry = get(merges.pairs, slot)
    while (entry >> _RANK_BITS != key) & (entry != 0):
        slot = slot + 1 & len(merges.pairs) - 1
        entry = get(merges.pairs, slot)
    return entry & _RANK_MASK


@inlined
def rank_of(merges, left, right):
    """Rank of a pair of symbols, _NO_RANK where it never merges."""
    after = np.int64(rank_after(merges, left, right))
    return after - 1 if after else _NO_RANK


@inlined
def key_of(after, place):
    """What orders the pairs of a piece: by rank, then by place. Rank + 1 of 0 wraps around, past all that merge."""
    return np.uint32((np.uint64(after) - np.uint64(1)) << _PLACE_BITS | np.uint64(place))


@native
def merge_short(text, start, end, merges, scratch, out, place):
    """Ids of text[start:end], shorter than LONG_BYTES, to out[place:]; returns where they end. `scratch` has room for
    LONG_BYTES `symbols`, `keys`, and places `before` and `after` each: symbols form a linked list."""
    length = end - start
    symbols, keys, before, after = scratch.symbols, scratch.keys, scratch.before, scratch.after
    left = np.int64(get(text, start))
    for i in range(length):
        put(symbols, i, np.uint32(left))
        put(before, i, i - 1)
        put(after, i, i + 1)
        right = np.int64(get(text, start + i + 1))  # behind the last it is of no matter
        put(keys, i, key_of(get(merges.byte_pairs, left << 8 | right), i))
        left = right
    put(keys, length - 1, _NO_KEY)
    while True:
        best = _NO_KEY
        for i in range(length - 1):
            best = min(best, get(keys, i))
        if best > _LAST_KEY:
            break
        at = np.int64(np.uint64(best) & _PLACE_MASK)
        symbol = get(merges.product, np.int64(np.uint64(best) >> _PLACE_BITS))
        put(symbols, at, symbol)
        gone = get(after, at)
        following = get(after, gone)
        put(after, at, following)
        put(keys, gone, _NO_KEY)
        put(keys, at, _NO_KEY)
        if following < length:
            put(before, following, at)
            put(keys, at, key_of(rank_after(merges, symbol, get(symbols, following)), at))
        previous = get(before, at)
        if previous >= 0:
            put(keys, previous, key_of(rank_after(merges, get(symbols, previous), symbol), previous))
    at = 0
    while at < length:
        put(out, place, get(merges.ids, np.int64(get(symbols, at))))
        place += 1
        at = get(after, at)
    return place


@allocating
def merge_long(text, start, end, merges, out, place):
    """As `merge_short`: symbols in a linked list, pairs in a heap by (rank, place)."""
    length = end - start
    symbols, ranks = np.empty(length + 1, np.uint32), np.empty(length + 1, np.int64)
    before, after = np.arange(-1, length, dtype=np.int32), np.arange(1, length + 2, dtype=np.int32)
    heap, size = np.empty(3 * length, np.uint64), 0  # a merge takes one entry and adds two at most
    for i in range(length):
        symbols[i] = get(text, start + i)
    for i in range(length - 1):
        ranks[i] = rank_of(merges, symbols[i], symbols[i + 1])
        if ranks[i] != _NO_RANK:
            size = heap_push(heap, size, np.uint64(ranks[i]) << np.uint64(32) | np.uint64(i))
    ranks[length - 1] = _NO_RANK
    while size:
        entry = heap[0]
        size = heap_pop(heap, size)
        at, rank = np.int64(entry & np.uint64(0xFFFFFFFF)), np.int64(entry >> np.uint64(32))
        if ranks[at] != rank:
            continue  # one of the two was merged meanwhile
        gone = after[at]
        following = after[gone]
        symbols[at], ranks[gone] = merges.product[rank], -1
        after[at] = following
        ranks[at] = _NO_RANK
        if following < length:
            before[following] = at
            ranks[at] = rank_of(merges, symbols[at], symbols[following])
            if ranks[at] != _NO_RANK:
                size = heap_push(heap, size, np.uint64(ranks[at]) << np.uint64(32) | np.uint64(at))
        previous = before[at]
        if previous >= 0:
            ranks[previous] = rank_of(merges, symbols[previous], symbols[at])
            if ranks[previous] != _NO_RANK:
                size = heap_push(heap, size, np.uint64(ranks[previous]) << np.uint64(32) | np.uint64(previous))
    at = 0
    while at < length:
        out[place] = merges.ids[symbols[at]]
        place += 1
        at = after[at]
    return place


@inlined
def heap_push(heap, size, entry):
    """Add to a binary heap, smallest first; returns its new size."""
    child = size
    while child:
        parent = child - 1 >> 1
        if get(heap, parent) <= entry:
            break
        put(heap, child, get(heap, parent))
        child = parent
    put(heap, child, entry)
    return size + 1


@inlined
def heap_pop(heap, size):
    """Take the smallest from a binary heap; returns its new size."""
    size -= 1
    entry, parent, child = get(heap, size), 0, 1
    while child < size:
        if child + 1 < size and get(heap, child + 1) < get(heap, child):
            child += 1
        if entry <= get(heap, child):
            break
        put(heap, parent, get(heap, child))
        parent, child = child, 2 * child + 1
    put(heap, parent, entry)
    return size


@native
def merge_piece(text, start, end, merges, scratch, out, place):
    """Ids of text[start:end], to out[place:]; returns where they end."""
    if end - start < LONG_BYTES:
        return merge_short(text, start, end, merges, scratch, out, place)
    return merge_long(text, start, end, merges, out, place)
