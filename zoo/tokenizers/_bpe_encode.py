"""Texts to ids, compiled: a cache of words in front of the merges.

Words of up to 15 bytes stand in slots of 4 uint64, of up to 31 in slots of 8: the word with its length in the top byte,
two ids, and a third id with the number of ids on top. Where there are more ids, the first says where they are. So most
words of a text cost one look at one line of memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._bpe_merge import LONG_BYTES, Merges, merge_piece
from zoo.tokenizers._characters import PADDING, Classes
from zoo.tokenizers._native import addresses, array_at, get, inlined, load8, native, put, store8
from zoo.tokenizers._scan import scan
from zoo.tokenizers._words import Words

SLACK = 8  # ids that may be written behind the last
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hash
_PRIME = np.uint64(0xC2B2AE3D27D4EB4F)  # of xxHash
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHORT_BYTES, _MIDDLE_BYTES = 15, 31
_SHORT_BITS, _MIDDLE_BITS = 18, 15  # slots: 8 MiB and 2 MiB
_MAX_SHARE = 0.7  # filled to this share, the cache starts anew
_CACHED_IDS = 2**19


class Cache(NamedTuple):
    """Words met before, with their ids."""

    short: NDArray[np.uint64]
    middle: NDArray[np.uint64]
    ids: NDArray[np.uint32]  # of words with more than three
    used: NDArray[np.int64]  # [3]: words in short, words in middle, ids
    pieces: NDArray[np.int64]  # scratch of the scanner
    symbols: NDArray[np.uint32]  # scratch of merge_short
    ranks: NDArray[np.int64]  # likewise


class Workspace(NamedTuple):
    """What a thread needs of its own, and where all tables lie: see `encode_documents`."""

    cache: Cache
    tables: NDArray[np.int64]


def new_workspace(classes: Classes, merges: Merges) -> Workspace:
    """An empty cache, whose 12 MiB become real as words come, beside the tables that all threads share."""
    cache = Cache(
        np.zeros(4 << _SHORT_BITS, dtype=np.uint64),
        np.zeros(8 << _MIDDLE_BITS, dtype=np.uint64),
        np.zeros(_CACHED_IDS, dtype=np.uint32),
        np.zeros(3, dtype=np.int64),
        np.zeros(1024, dtype=np.int64),
        np.zeros(LONG_BYTES, dtype=np.uint32),
        np.zeros(LONG_BYTES, dtype=np.int64),
    )
    arrays = (*classes, merges.pairs, merges.product, merges.ids, *merges.whole, merges.whole_ids, *cache)
    return Workspace(cache, addresses(*arrays))


@inlined
def recall(entry, slot, out, place, cache):
    """Ids of a cached word, whose value is entry[slot], entry[slot + 1]."""
    first, last = get(entry, slot), get(entry, slot + 1)
    count = np.int64(last >> np.uint64(32))
    if count <= 3:  # three are written whatever their number: a branch costs more
        store8(out, place, first)
        store8(out, place + 2, last)
        return place + count
    for i in range(count):
        put(out, place + i, get(cache.ids, np.int64(first) + i))
    return place + count


@native
def remember(entry, slot, out, place, end, cache, which):
    """Keep the ids out[place:end] as the value of a new word; when the cache is full, it starts anew."""
    count = end - place
    full = cache.used[which] > _MAX_SHARE * (len(entry) >> (2 + which)) or cache.used[2] + count > len(cache.ids)
    if full:
        for i in range(len(cache.short)):
            put(cache.short, i, np.uint64(0))
        for i in range(len(cache.middle)):
            put(cache.middle, i, np.uint64(0))
        for i in range(len(cache.used)):
            put(cache.used, i, np.int64(0))
        return
    cache.used[which] += 1
    entry[slot + 1] = np.uint64(count) << np.uint64(32)
    if count <= 3:
        entry[slot] = np.uint64(out[place]) | (
            np.uint64(out[place + 1]) << np.uint64(32) if count > 1 else np.uint64(0)
        )
        entry[slot + 1] |= np.uint64(out[place + 2]) if count > 2 else np.uint64(0)
        return
    used = cache.used[2]
    entry[slot] = used
    for i in range(count):
        put(cache.ids, used + i, get(out, place + i))
    cache.used[2] = used + count


@inlined
def short_word(text, start, end, merges, cache, out, place):
    """Ids of a piece of up to 15 bytes."""
    length = end - start
    # without branches, for the lengths of words cannot be foreseen
    low = load8(text, start) & _ALL >> np.uint64(64 - 8 * min(length, 8))
    high = load8(text, start + 8) & (np.uint64(1) << np.uint64(8 * max(length - 8, 0))) - np.uint64(1)
    high |= np.uint64(length) << np.uint64(56)
    hashed = (low ^ high * _PRIME) * _SPREAD
    hashed = (hashed ^ hashed >> np.uint64(32)) * _PRIME
    slot = np.int64(hashed >> np.uint64(64 - _SHORT_BITS)) << 2
    while True:
        found = get(cache.short, slot + 1)
        if found == high and get(cache.short, slot) == low:
            return recall(cache.short, slot + 2, out, place, cache)
        if found == 0:
            break
        slot = slot + 4 & len(cache.short) - 1
    last = merge_piece(text, start, end, merges, cache, out, place)
    cache.short[slot], cache.short[slot + 1] = low, high
    remember(cache.short, slot + 2, out, place, last, cache, 0)
    return last


@inlined
def middle_word(text, start, end, merges, cache, out, place):
    """Ids of a piece of 16 to 31 bytes."""
    length = end - start
    a, b = load8(text, start), load8(text, start + 8)
    c, d = load8(text, start + 16), np.uint64(0)
    if length < 24:
        c &= (np.uint64(1) << np.uint64(8 * length - 128)) - np.uint64(1)
    elif length > 24:
        d = load8(text, start + 24) & _ALL >> np.uint64(256 - 8 * length)
    d |= np.uint64(length) << np.uint64(56)
    hashed = ((a ^ b * _PRIME) * _SPREAD ^ c) * _PRIME ^ d
    hashed = (hashed ^ hashed >> np.uint64(32)) * _SPREAD
    slot = np.int64(hashed >> np.uint64(64 - _MIDDLE_BITS)) << 3
    table = cache.middle
    while True:
        found = get(table, slot + 3)
        same = get(table, slot) == a and get(table, slot + 1) == b and get(table, slot + 2) == c
        if found == d and same:
            return recall(table, slot + 4, out, place, cache)
        if found == 0:
            break
        slot = slot + 8 & len(table) - 1
    last = merge_piece(text, start, end, merges, cache, out, place)
    table[slot], table[slot + 1], table[slot + 2], table[slot + 3] = a, b, c, d
    remember(table, slot + 4, out, place, last, cache, 1)
    return last


@inlined
def encode_pieces(text, start, ends, num_pieces, merges, cache, out, place):
    """Ids of pieces that follow each other from `start` on, to out[place:]; returns where they end."""
    for i in range(num_pieces):
        end = get(ends, i)
        length = end - start
        if length <= _SHORT_BYTES:
            place = short_word(text, start, end, merges, cache, out, place)
        elif length <= _MIDDLE_BYTES:
            place = middle_word(text, start, end, merges, cache, out, place)
        else:
            place = merge_piece(text, start, end, merges, cache, out, place)
        start = end
    return place


@native
def encode_documents(scanner, text, ends, pieces, tables, shift, out, out_ends):
    """Ids of texts, each followed by its padding, one after another: text i ends at ends[i], its ids at out_ends[i].

    Args:
        scanner: cuts the texts; below 0, there is one text, and `pieces` says where its pieces end.
        tables: of a workspace that no other thread uses meanwhile.
        shift: of the merges.
        out: has room for an id per byte, and SLACK.
    """
    t = tables
    classes = Classes(array_at(t, 0, np.uint8), array_at(t, 1, np.uint16), array_at(t, 2, np.uint8))
    offsets, counts, used = array_at(t, 8, np.int64), array_at(t, 9, np.int64), array_at(t, 11, np.int64)
    whole = Words(
        array_at(t, 6, np.uint32), array_at(t, 7, np.uint64), offsets, counts, array_at(t, 10, np.uint8), used
    )
    pairs, product, ids = array_at(t, 3, np.uint64), array_at(t, 4, np.uint32), array_at(t, 5, np.uint32)
    merges = Merges(pairs, np.uint64(shift), product, ids, whole, array_at(t, 12, np.uint32))
    short, middle, cached = array_at(t, 13, np.uint64), array_at(t, 14, np.uint64), array_at(t, 15, np.uint32)
    scratch, symbols, ranks = array_at(t, 17, np.int64), array_at(t, 18, np.uint32), array_at(t, 19, np.int64)
    cache = Cache(short, middle, cached, array_at(t, 16, np.int64), scratch, symbols, ranks)
    place, start = 0, 0
    for i in range(len(ends)):
        end = get(ends, i)
        while start < end:
            num_pieces = len(pieces)
            if scanner >= 0:
                num_pieces = scan(scanner, text, start, end, classes, pieces)
            place = encode_pieces(text, start, pieces, num_pieces, merges, cache, out, place)
            start = get(pieces, num_pieces - 1)
        put(out_ends, i, place)
        start = end + PADDING
