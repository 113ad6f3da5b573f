"""Texts to ids, compiled: words that are a token or were met before are looked up, others are merged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._bpe_merge import LONG_BYTES, Merges, merge_piece
from zoo.tokenizers._characters import PADDING, Classes
from zoo.tokenizers._native import addresses, array_at, array_from, get, inlined, native, put
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

_SLACK = 8  # ids that may be written behind the last
_USUAL_BYTES = 2**19  # of texts that are encoded in one call


class Scratch(NamedTuple):
    """Room for what is on its way."""

    pieces: NDArray[np.int64]
    symbols: NDArray[np.uint32]  # these of merge_short
    keys: NDArray[np.uint32]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


class Workspace(NamedTuple):
    """What a thread needs of its own, and where all tables lie. It is not made anew for each text: new memory costs
    more than its use."""

    cache: Cache
    scratch: Scratch
    text: NDArray[np.uint8]  # with the padding of each text
    ids: NDArray[np.uint32]
    shared: NDArray[np.int64]
    tables: NDArray[np.int64]


def new_workspace(classes: Classes, merges: Merges, whole: Whole) -> Workspace:
    """A cache that has met nothing, beside the tables that all threads share."""
    scratch = Scratch(
        np.zeros(1024, dtype=np.int64),
        np.zeros(LONG_BYTES, dtype=np.uint32),
        np.zeros(LONG_BYTES, dtype=np.uint32),
        np.zeros(LONG_BYTES, dtype=np.int64),
        np.zeros(LONG_BYTES, dtype=np.int64),
    )
    shared = addresses(*classes, *merges, whole.joined, whole.ends, whole.ids, *whole.long, whole.long_ids)
    return _with_room(new_cache(whole), scratch, shared, _USUAL_BYTES)


def with_room(workspace: Workspace, num_bytes: int) -> Workspace:
    """The workspace, or one of the same cache that has room for texts of so many bytes, each with its padding."""
    if num_bytes <= len(workspace.text):
        return workspace
    return _with_room(workspace.cache, workspace.scratch, workspace.shared, num_bytes)


def _with_room(cache: Cache, scratch: Scratch, shared: NDArray[np.int64], num_bytes: int) -> Workspace:
    text, ids = np.empty(num_bytes, dtype=np.uint8), np.empty(num_bytes + _SLACK, dtype=np.uint32)
    return Workspace(
        cache, scratch, text, ids, shared, np.concatenate([shared, addresses(*cache, *scratch, text, ids)])
    )


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
def encode_document(scanner, start, end, tables, place):
    """Ids of text[start:end], which is padded, to ids[place:]; returns where they end."""
    classes, cache, pieces = classes_at(tables), cache_at(tables), scratch_at(tables).pieces
    text, out = array_at(tables, 26, np.uint8), array_at(tables, 27, np.uint32)
    while start < end:
        num_pieces = scan(scanner, text, start, end, classes, pieces)
        place = encode_pieces(text, start, pieces, num_pieces, cache, tables, out, place)
        start = get(pieces, num_pieces - 1)
    return place


@native
def take_text(address, length, tables, place):
    """Copy the bytes that stand at an address to text[place:], and their padding; returns where they end."""
    text, source = array_at(tables, 26, np.uint8), array_from(address, length, np.uint8)
    for i in range(length):
        put(text, place + i, get(source, i))
    for i in range(PADDING):
        put(text, place + length + i, np.uint8(0))
    return place + length


# What Python calls. All but addresses and lengths is where `tables` says, of a workspace that no other thread uses
# meanwhile and that has room: to hand an array over costs a call as much as a word.


@native
def encode_text(scanner, address, length, tables):
    """Ids of the text that stands at an address, to ids; returns how many."""
    return encode_document(scanner, 0, take_text(address, length, tables, 0), tables, 0)


@native
def encode_texts(scanner, addresses, lengths, tables, out_ends):
    """Ids of texts, one after another, to ids: those of text i end at out_ends[i]."""
    start = place = 0
    for i in range(len(out_ends)):
        end = take_text(addresses[i], lengths[i], tables, start)
        place = encode_document(scanner, start, end, tables, place)
        out_ends[i] = place
        start = end + PADDING


@native
def encode_cut(address, length, ends, tables):
    """Ids of the text that stands at an address and whose pieces end at `ends`, to ids; returns how many."""
    take_text(address, length, tables, 0)
    text, out = array_at(tables, 26, np.uint8), array_at(tables, 27, np.uint32)
    return encode_pieces(text, 0, ends, len(ends), cache_at(tables), tables, out, 0)
