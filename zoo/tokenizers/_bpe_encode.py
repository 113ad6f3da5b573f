"""Texts to ids, compiled: words that are a token or were met before are looked up, others are merged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._bpe_merge import LONG_BYTES, Merges, merge_piece
from zoo.tokenizers._characters import PADDING, Classes
from zoo.tokenizers._native import addresses, array_at, get, inlined, native, put
from zoo.tokenizers._scan import scan
from zoo.tokenizers._word_ids import (
    MIDDLE_BYTES,
    SHORT_BYTES,
    Cache,
    Whole,
    find_middle,
    find_short,
    make_room,
    middle_key,
    new_cache,
    recall,
    remember,
    short_key,
)
from zoo.tokenizers._words import Words, find, hash_bytes

SLACK = 8  # ids that may be written behind the last
_USUAL_IDS = 2**19


class Scratch(NamedTuple):
    """Room for what is on its way."""

    pieces: NDArray[np.int64]
    symbols: NDArray[np.uint32]  # these of merge_short
    keys: NDArray[np.uint32]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


class Workspace(NamedTuple):
    """What a thread needs of its own, and where all tables lie: see `encode_documents`."""

    cache: Cache
    scratch: Scratch
    ids: NDArray[np.uint32]  # of texts of usual size
    tables: NDArray[np.int64]


def new_workspace(classes: Classes, merges: Merges, whole: Whole) -> Workspace:
    """A cache that has met nothing, beside the tables that all threads share."""
    cache = new_cache(whole)
    scratch = Scratch(
        np.zeros(1024, dtype=np.int64),
        np.zeros(LONG_BYTES, dtype=np.uint32),
        np.zeros(LONG_BYTES, dtype=np.uint32),
        np.zeros(LONG_BYTES, dtype=np.int64),
        np.zeros(LONG_BYTES, dtype=np.int64),
    )
    arrays = (*classes, *merges, whole.joined, whole.ends, whole.ids, *whole.long, whole.long_ids, *cache, *scratch)
    return Workspace(cache, scratch, np.empty(_USUAL_IDS, dtype=np.uint32), addresses(*arrays))


@inlined
def classes_at(t):
    return Classes(array_at(t, 0, np.uint8), array_at(t, 1, np.uint16), array_at(t, 2, np.uint8))


@inlined
def merges_at(t):
    byte_pairs, pairs = array_at(t, 3, np.uint32), array_at(t, 4, np.uint64)
    return Merges(byte_pairs, pairs, array_at(t, 5, np.uint32), array_at(t, 6, np.uint32))


@inlined
def whole_at(t):
    joined, ends, ids = array_at(t, 7, np.uint8), array_at(t, 8, np.int64), array_at(t, 9, np.uint32)
    slots, hashes, offsets = array_at(t, 10, np.uint32), array_at(t, 11, np.uint64), array_at(t, 12, np.int64)
    counts, words, used = array_at(t, 13, np.int64), array_at(t, 14, np.uint8), array_at(t, 15, np.int64)
    return Whole(joined, ends, ids, Words(slots, hashes, offsets, counts, words, used), array_at(t, 16, np.uint32))


@inlined
def cache_at(t):
    short, middle = array_at(t, 17, np.uint64), array_at(t, 18, np.uint64)
    return Cache(short, middle, array_at(t, 19, np.uint32), array_at(t, 20, np.int64))


@inlined
def scratch_at(t):
    pieces, symbols, keys = array_at(t, 21, np.int64), array_at(t, 22, np.uint32), array_at(t, 23, np.uint32)
    return Scratch(pieces, symbols, keys, array_at(t, 24, np.int64), array_at(t, 25, np.int64))


# What the inner loop seldom needs is not to take its registers: these are calls, and find the tables themselves.


@native
def new_word(text, start, end, tables, out, place):
    """Ids of a piece of up to MIDDLE_BYTES that the cache lacks, and takes."""
    cache = cache_at(tables)
    last = merge_piece(text, start, end, merges_at(tables), scratch_at(tables), out, place)
    if make_room(cache, whole_at(tables), last - place):
        remember(cache, text, start, end, out, place, last)
    return last


@native
def long_piece(text, start, end, tables, out, place):
    """Ids of a longer piece, which is not kept."""
    whole = whole_at(tables)
    if len(whole.long_ids):
        index = np.int64(whole.long.slots[find(whole.long, text, start, end, hash_bytes(text, start, end))]) - 1
        if index >= 0:
            put(out, place, whole.long_ids[index])
            return place + 1
    return merge_piece(text, start, end, merges_at(tables), scratch_at(tables), out, place)


@inlined
def encode_pieces(text, start, ends, num_pieces, cache, tables, out, place):
    """Ids of pieces that follow each other from `start` on, to out[place:]; returns where they end."""
    for i in range(num_pieces):
        end = get(ends, i)
        if end - start <= SHORT_BYTES:
            low, high = short_key(text, start, end)
            slot = find_short(cache.short, low, high)
            if get(cache.short, slot + 1) != 0:
                place = recall(cache.short, slot + 2, cache, out, place)
            else:
                place = new_word(text, start, end, tables, out, place)
        elif end - start <= MIDDLE_BYTES:
            slot = find_middle(cache.middle, middle_key(text, start, end))
            if get(cache.middle, slot + 3) != 0:
                place = recall(cache.middle, slot + 4, cache, out, place)
            else:
                place = new_word(text, start, end, tables, out, place)
        else:
            place = long_piece(text, start, end, tables, out, place)
        start = end
    return place


@native
def encode_documents(scanner, text, ends, pieces, tables, out, out_ends):
    """Ids of texts, each followed by its padding, one after another: text i ends at ends[i], its ids at out_ends[i].

    Args:
        scanner: cuts the texts; below 0, there is one text, and `pieces` says where its pieces end.
        tables: of a workspace that no other thread uses meanwhile.
        out: has room for an id per byte, and SLACK.
    """
    classes, cache = classes_at(tables), cache_at(tables)
    place, start = 0, 0
    for i in range(len(ends)):
        end = get(ends, i)
        while start < end:
            num_pieces = len(pieces)
            if scanner >= 0:
                num_pieces = scan(scanner, text, start, end, classes, pieces)
            place = encode_pieces(text, start, pieces, num_pieces, cache, tables, out, place)
            start = get(pieces, num_pieces - 1)
        put(out_ends, i, place)
        start = end + PADDING
