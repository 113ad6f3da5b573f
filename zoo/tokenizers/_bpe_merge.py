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
from zoo.tokenizers._words import Words, find, hash_bytes

MAX_SYMBOLS = 2**21  # a pair and its rank share 64 bits: 21, 21 and 22
LONG_BYTES = 96  # from here on merge_long is quicker
_RANK_BITS, _SYMBOL_BITS = np.uint64(22), np.uint64(21)
_RANK_MASK = np.int64(2**22 - 1)
_NO_RANK = np.int64(2**22)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hash


class Merges(NamedTuple):
    """What training learned, as compiled code reads it."""

    pairs: NDArray[np.uint64]  # open addressing by pair: left << 43 | right << 22 | rank + 1; 0 is empty
    shift: np.uint64  # a hash's bits to the right of those that say the slot
    product: NDArray[np.uint32]  # [ranks]: the symbol that a merge makes
    ids: NDArray[np.uint32]  # [symbols]: the id of each
    whole: Words  # words that are a token though merging does not make it, ...
    whole_ids: NDArray[np.uint32]  # ... with their ids


@allocating
def pair_table(left, right, rank):
    """(`Merges.pairs`, `Merges.shift`) of the pairs left[i], right[i] with rank[i]; the first of equal pairs counts."""
    bits = 8
    while 1 << bits < 2 * len(left):
        bits += 1
    table, shift = np.zeros(1 << bits, dtype=np.uint64), np.uint64(64 - bits)
    for i in range(len(left)):
        key = np.uint64(left[i]) << _SYMBOL_BITS | np.uint64(right[i])
        slot = np.int64(key * _SPREAD >> shift)
        while table[slot] != 0 and table[slot] >> _RANK_BITS != key:
            slot = slot + 1 & len(table) - 1
        if table[slot] == 0:
            table[slot] = key << _RANK_BITS | np.uint64(rank[i] + 1)
    return table, shift


@inlined
def rank_of(merges, left, right):
    """Rank of a pair of symbols, _NO_RANK where it never merges."""
    key = np.uint64(left) << _SYMBOL_BITS | np.uint64(right)
    slot = np.int64(key * _SPREAD >> merges.shift)
    while True:
        entry = get(merges.pairs, slot)
        if entry == 0:
            return _NO_RANK
        if entry >> _RANK_BITS == key:
            return (np.int64(entry) & _RANK_MASK) - 1
        slot = slot + 1 & len(merges.pairs) - 1


@native
def merge_short(text, start, end, merges, scratch, out, place):
    """Ids of text[start:end], shorter than LONG_BYTES, to out[place:]; returns where they end. `scratch` has room for
    LONG_BYTES `symbols` and `ranks`."""
    length = end - start
    symbols, ranks = scratch.symbols, scratch.ranks
    for i in range(length):
        put(symbols, i, np.uint32(get(text, start + i)))
    for i in range(length - 1):
        put(ranks, i, rank_of(merges, get(symbols, i), get(symbols, i + 1)))
    while length > 1:
        best, at = _NO_RANK, 0
        for i in range(length - 1):
            if get(ranks, i) < best:
                best, at = get(ranks, i), i
        if best == _NO_RANK:
            break
        length -= 1
        put(symbols, at, get(merges.product, best))
        for i in range(at + 1, length):
            put(symbols, i, get(symbols, i + 1))
            put(ranks, i, get(ranks, i + 1))
        if at:
            put(ranks, at - 1, rank_of(merges, get(symbols, at - 1), get(symbols, at)))
        if at + 1 < length:
            put(ranks, at, rank_of(merges, get(symbols, at), get(symbols, at + 1)))
    for i in range(length):
        put(out, place + i, get(merges.ids, np.int64(get(symbols, i))))
    return place + length


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
    """Ids of one piece, without the cache."""
    if len(merges.whole_ids):
        slot = find(merges.whole, text, start, end, hash_bytes(text, start, end))
        index = np.int64(merges.whole.slots[slot]) - 1
        if index >= 0:
            put(out, place, merges.whole_ids[index])
            return place + 1
    if end - start < LONG_BYTES:
        return merge_short(text, start, end, merges, scratch, out, place)
    return merge_long(text, start, end, merges, out, place)
