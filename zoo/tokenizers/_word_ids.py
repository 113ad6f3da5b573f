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
_SHORT_SLOTS, _MIDDLE_SLOTS = 2**18, 2**15  # of a cache at least: 8 MiB and 2 MiB
_MAX_SHARE = 0.7  # filled to this share, a cache starts anew
_CACHED_IDS = 2**19
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hash
_PRIME = np.uint64(0xC2B2AE3D27D4EB4F)  # of xxHash
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONE_ID = np.uint64(1) << np.uint64(32)


class Cache(NamedTuple):
    """Words with their ids: those that are one id, and others that were met before."""

    short: NDArray[np.uint64]
    middle: NDArray[np.uint64]
    ids: NDArray[np.uint32]  # of words with more than three
    used: NDArray[np.int64]  # [3]: words in short, words in middle, ids


class Whole(NamedTuple):
    """Words that are one id, and the id of each."""

    joined: NDArray[np.uint8]  # one after another
    ends: NDArray[np.int64]
    ids: NDArray[np.uint32]
    long: Words  # those of more than MIDDLE_BYTES, which no cache takes, ...
    long_ids: NDArray[np.uint32]  # ... with their ids


def whole_words(words: Mapping[bytes, int]) -> Whole:
    """From words and the id of each."""
    counter, long = WordCounter(), {word: i for word, i in words.items() if len(word) > MIDDLE_BYTES}
    text, ends, long_ids = _laid_out(long)
    counter.add(text, 0, ends)
    return Whole(*_laid_out(words), counter.words, long_ids)


def _laid_out(words: Mapping[bytes, int]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint32]]:
    """Words one after another and padded, where each ends, and their ids."""
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    return padded([b"".join(words)])[0], ends, np.fromiter(words.values(), dtype=np.uint32, count=len(words))


def new_cache(whole: Whole) -> Cache:
    """One that has met nothing. Its 12 MiB, more with a vocabulary of more than 90,000 words, become real as words
    come."""
    lengths = np.diff(whole.ends, prepend=0)
    short = int(np.count_nonzero(lengths <= SHORT_BYTES))
    middle = int(np.count_nonzero(lengths <= MIDDLE_BYTES)) - short
    cache = Cache(
        np.zeros(4 * max(_SHORT_SLOTS, _slots(short)), dtype=np.uint64),
        np.zeros(8 * max(_MIDDLE_SLOTS, _slots(middle)), dtype=np.uint64),
        np.zeros(_CACHED_IDS, dtype=np.uint32),
        np.zeros(3, dtype=np.int64),
    )
    take_whole(cache, whole)
    return cache


def _slots(num_words: int) -> int:
    """A power of two of which words that are always there take no more than half of what may be filled."""
    return 1 << int(num_words * 2 / _MAX_SHARE).bit_length()


@native
def take_whole(cache, whole):
    """Put the words that are one id into an empty cache."""
    start = 0
    for i in range(len(whole.ends)):
        end = whole.ends[i]
        if end - start <= MIDDLE_BYTES:
            put_word(cache, whole.joined, start, end, np.uint64(whole.ids[i]), _ONE_ID)
        start = end


@native
def put_word(cache, text, start, end, first, last):
    """Put a word of up to MIDDLE_BYTES that is not there, with its value, into a cache that has room."""
    if end - start <= SHORT_BYTES:
        low, high = short_key(text, start, end)
        slot, table = find_short(cache.short, low, high), cache.short
        table[slot], table[slot + 1], table[slot + 2], table[slot + 3] = low, high, first, last
        cache.used[0] += 1
    else:
        key = middle_key(text, start, end)
        slot, table = find_middle(cache.middle, key), cache.middle
        table[slot], table[slot + 1], table[slot + 2], table[slot + 3] = key
        table[slot + 4], table[slot + 5] = first, last
        cache.used[1] += 1


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
def make_room(cache, whole, num_ids):
    """Whether there is room for another word with `num_ids`; a full cache starts anew."""
    short, middle = len(cache.short) // 4, len(cache.middle) // 8
    full = cache.used[0] > _MAX_SHARE * short or cache.used[1] > _MAX_SHARE * middle
    if not full and cache.used[2] + num_ids <= len(cache.ids):
        return True
    for i in range(len(cache.short)):
        put(cache.short, i, np.uint64(0))
    for i in range(len(cache.middle)):
        put(cache.middle, i, np.uint64(0))
    for i in range(len(cache.used)):
        put(cache.used, i, np.int64(0))
    take_whole(cache, whole)
    return False


@inlined
def remember(cache, text, start, end, out, place, last):
    """Keep a word of up to MIDDLE_BYTES, whose ids are out[place:last], in a cache that has room."""
    count = last - place
    first, second = np.uint64(out[place]), np.uint64(count) << np.uint64(32)
    if count > 3:
        first = np.uint64(cache.used[2])
        for i in range(count):
            put(cache.ids, cache.used[2] + i, get(out, place + i))
        cache.used[2] += count
    else:
        first |= np.uint64(out[place + 1]) << np.uint64(32) if count > 1 else np.uint64(0)
        second |= np.uint64(out[place + 2]) if count > 2 else np.uint64(0)
    put_word(cache, text, start, end, first, second)
