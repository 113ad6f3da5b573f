"""Words with their ids, as encoding looks them up, compiled: most words of a text cost one look at one line of memory.

Words of up to 15 bytes stand in slots of 4 uint64, of up to 31 in slots of 8: the word with its length in the top byte,
two ids, and a third id with the number of ids on top. Where there are more ids, the first says where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._characters import padded
from zoo.tokenizers._native import get, inlined, load8, native, put, store8
from zoo.tokenizers._words import WordCounter, Words

SHORT_BYTES, MIDDLE_BYTES = 15, 31
_SHORT_BITS, _MIDDLE_BITS = 18, 15  # slots of a cache: 8 MiB and 2 MiB
_MAX_SHARE = 0.7  # filled to this share, a cache starts anew
_CACHED_IDS = 2**19
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hash
_PRIME = np.uint64(0xC2B2AE3D27D4EB4F)  # of xxHash
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE_ID = np.uint64(1) << np.uint64(32)


class Cache(NamedTuple):
    """Words met before, with their ids."""

    short: NDArray[np.uint64]
    middle: NDArray[np.uint64]
    ids: NDArray[np.uint32]  # of words with more than three
    used: NDArray[np.int64]  # [3]: words in short, words in middle, ids


class Whole(NamedTuple):
    """Words that are one id."""

    short: NDArray[np.uint64]
    middle: NDArray[np.uint64]
    long: Words  # of more than MIDDLE_BYTES, ...
    ids: NDArray[np.uint32]  # ... with their ids


def new_cache() -> Cache:
    """An empty one, whose 12 MiB become real as words come."""
    return Cache(
        np.zeros(4 << _SHORT_BITS, dtype=np.uint64),
        np.zeros(8 << _MIDDLE_BITS, dtype=np.uint64),
        np.zeros(_CACHED_IDS, dtype=np.uint32),
        np.zeros(3, dtype=np.int64),
    )


def whole_words(words: Mapping[bytes, int]) -> Whole:
    """Table of words with the id of each."""
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    short, middle = (
        np.zeros(size << int(2 * np.count_nonzero(of_these) - 1).bit_length(), dtype=np.uint64)  # a half stays empty
        for size, of_these in (
            (4, lengths <= SHORT_BYTES),
            (8, (lengths > SHORT_BYTES) & (lengths <= MIDDLE_BYTES)),
        )
    )
    ids = np.fromiter(words.values(), dtype=np.uint32, count=len(words))
    fill(short, middle, padded([b"".join(words)])[0], np.cumsum(lengths), ids)
    counter, rest = WordCounter(), {word: i for word, i in words.items() if len(word) > MIDDLE_BYTES}
    counter.add(padded([b"".join(rest)])[0], 0, np.cumsum([len(word) for word in rest], dtype=np.int64))
    return Whole(short, middle, counter.words, np.array(list(rest.values()), dtype=np.uint32))


@native
def fill(short, middle, text, ends, ids):
    """Put the words that follow each other in a text into tables, each with its one id; long ones are left out."""
    start = 0
    for i in range(len(ends)):
        end = ends[i]
        if end - start <= SHORT_BYTES:
            low, high = short_key(text, start, end)
            slot = find_short(short, low, high)
            short[slot], short[slot + 1] = low, high
            short[slot + 2], short[slot + 3] = ids[i], _ONE_ID
        elif end - start <= MIDDLE_BYTES:
            key = middle_key(text, start, end)
            slot = find_middle(middle, key)
            middle[slot], middle[slot + 1], middle[slot + 2], middle[slot + 3] = key
            middle[slot + 4], middle[slot + 5] = ids[i], _ONE_ID
        start = end


@inlined
def short_key(text, start, end):
    """A word of up to SHORT_BYTES as two numbers; without branches, for the lengths of words cannot be foreseen."""
    length = end - start
    low = load8(text, start) & _ALL >> np.uint64(64 - 8 * min(length, 8))
    high = load8(text, start + 8) & (np.uint64(1) << np.uint64(8 * max(length - 8, 0))) - np.uint64(1)
    return low, high | np.uint64(length) << np.uint64(56)


@inlined
def find_short(table, low, high):
    """Slot of a word, or the empty one where it would stand, whose second number is 0."""
    hashed = (low ^ high * _PRIME) * _SPREAD
    hashed = (hashed ^ hashed >> np.uint64(32)) * _PRIME
    slot = np.int64(hashed >> np.uint64(36)) & len(table) - 4
    while True:
        found = get(table, slot + 1)
        if (found == high and get(table, slot) == low) or found == 0:
            return slot
        slot = slot + 4 & len(table) - 4


@inlined
def middle_key(text, start, end):
    """A word of SHORT_BYTES to MIDDLE_BYTES as four numbers."""
    length = end - start
    c, d = load8(text, start + 16), np.uint64(0)
    if length < 24:
        c &= (np.uint64(1) << np.uint64(8 * length - 128)) - np.uint64(1)
    elif length > 24:
        d = load8(text, start + 24) & _ALL >> np.uint64(256 - 8 * length)
    return load8(text, start), load8(text, start + 8), c, d | np.uint64(length) << np.uint64(56)


@inlined
def find_middle(table, key):
    """Slot of a word, or the empty one where it would stand, whose fourth number is 0."""
    a, b, c, d = key
    hashed = ((a ^ b * _PRIME) * _SPREAD ^ c) * _PRIME ^ d
    hashed = (hashed ^ hashed >> np.uint64(32)) * _SPREAD
    slot = np.int64(hashed >> np.uint64(36)) & len(table) - 8
    while True:
        found = get(table, slot + 3)
        same = get(table, slot) == a and get(table, slot + 1) == b and get(table, slot + 2) == c
        if (found == d and same) or found == 0:
            return slot
        slot = slot + 8 & len(table) - 8


@inlined
def recall(table, slot, cache, out, place):
    """Ids of a word, whose value is table[slot], table[slot + 1], to out[place:]; returns where they end."""
    first, last = get(table, slot), get(table, slot + 1)
    count = np.int64(last >> np.uint64(32))
    if count <= 3:  # three are written whatever their number: a branch costs more
        store8(out, place, first)
        store8(out, place + 2, last)
        return place + count
    for i in range(count):
        put(out, place + i, get(cache.ids, np.int64(first) + i))
    return place + count


@native
def make_room(cache, num_ids):
    """Whether there is room for another word with `num_ids`; a full cache starts anew."""
    words = cache.used[0] > _MAX_SHARE * (1 << _SHORT_BITS) or cache.used[1] > _MAX_SHARE * (1 << _MIDDLE_BITS)
    if not words and cache.used[2] + num_ids <= len(cache.ids):
        return True
    for i in range(len(cache.short)):
        put(cache.short, i, np.uint64(0))
    for i in range(len(cache.middle)):
        put(cache.middle, i, np.uint64(0))
    for i in range(len(cache.used)):
        put(cache.used, i, np.int64(0))
    return False


@inlined
def remember(table, slot, cache, out, place, end):
    """Keep the ids out[place:end] as the value of a word."""
    count = end - place
    first, last = np.uint64(out[place]), np.uint64(count) << np.uint64(32)
    if count > 3:
        first = np.uint64(cache.used[2])
        for i in range(count):
            put(cache.ids, cache.used[2] + i, get(out, place + i))
        cache.used[2] += count
    else:
        first |= np.uint64(out[place + 1]) << np.uint64(32) if count > 1 else np.uint64(0)
        last |= np.uint64(out[place + 2]) if count > 2 else np.uint64(0)
    table[slot], table[slot + 1] = first, last
