"""Distinct byte strings with their counts, in the order in which they came: what training keeps of a text.

A hash table with open addressing, compiled. Arrays do not grow inside compiled code: `add_pieces` stops where one is
full, `Counter` makes room and calls it again. So memory grows with the distinct words, never with the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._characters import PADDING, Classes, class_tables, padded
from zoo.tokenizers._native import get, inlined, load8, native, put
from zoo.tokenizers._pretokens import Pretokens
from zoo.tokenizers._scan import scan

_BATCH_BYTES = 2**20  # texts that go through compiled code in one call
_SEED = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0xC2B2AE3D27D4EB4F)  # of xxHash
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Words(NamedTuple):
    """The table as compiled code sees it."""

    slots: NDArray[np.uint32]  # [a power of two]: index of a word + 1, or 0
    hashes: NDArray[np.uint64]  # [room for words]
    offsets: NDArray[np.int64]  # [room for words + 1]: where each begins in `bytes`
    counts: NDArray[np.int64]  # [room for words]
    bytes: NDArray[np.uint8]  # the words, one after another, and the padding
    used: NDArray[np.int64]  # [1]: number of words


@inlined
def hash_bytes(text, start, end):
    """64 bits over text[start:end]; text is padded."""
    value = _SEED ^ np.uint64(end - start)
    while start + 8 <= end:
        value = (value ^ load8(text, start)) * _PRIME
        value ^= value >> np.uint64(29)
        start += 8
    if start < end:
        value = (value ^ load8(text, start) & _ALL >> np.uint64(8 * (8 + start - end))) * _PRIME
    value ^= value >> np.uint64(32)
    return value * _SEED


@inlined
def find(words, text, start, end, hashed):
    """Slot of the word text[start:end], or the empty one where it would stand."""
    mask = len(words.slots) - 1
    slot = np.int64(hashed >> np.uint64(32)) & mask
    while True:
        index = np.int64(get(words.slots, slot)) - 1
        if index < 0:
            return slot
        if get(words.hashes, index) == hashed:
            i, offset = start, get(words.offsets, index)
            if get(words.offsets, index + 1) - offset == end - start:
                while i < end and get(text, i) == get(words.bytes, offset):
                    i += 1
                    offset += 1
                if i == end:
                    return slot
        slot = slot + 1 & mask


@native
def add_pieces(words, text, start, ends, num_pieces, weight):
    """Count pieces that follow each other from `start` on; returns how many, fewer where a new word finds no room."""
    for piece in range(num_pieces):
        end = get(ends, piece)
        hashed = hash_bytes(text, start, end)
        slot = find(words, text, start, end, hashed)
        index = np.int64(get(words.slots, slot)) - 1
        if index < 0:
            index = words.used[0]
            offset = words.offsets[index]
            if index == len(words.hashes) or offset + end - start > len(words.bytes) - PADDING:
                return piece
            for i in range(end - start):
                put(words.bytes, offset + i, get(text, start + i))
            words.offsets[index + 1] = offset + end - start
            words.hashes[index], words.counts[index] = hashed, 0
            words.slots[slot] = index + 1
            words.used[0] = index + 1
        put(words.counts, index, get(words.counts, index) + weight)
        start = end
    return num_pieces


@native
def add_texts(words, scanner, text, ends, classes, pieces, place):
    """Count the pieces that a scanner cuts of texts, each followed by its padding.

    Args:
        ends: where each text ends, int64 [texts]; the next begins behind the padding.
        pieces: scratch, int64.
        place: [number of the text, position in it], from where to go on; brought up to date.

    Returns:
        0 when all is counted, else the bytes of a new word that finds no room.
    """
    while place[0] < len(ends):
        end, start = ends[place[0]], place[1]
        while start < end:
            num_pieces = scan(scanner, text, start, end, classes, pieces)
            added = add_pieces(words, text, start, pieces, num_pieces, 1)
            start = pieces[added - 1] if added else start
            if added < num_pieces:
                place[1] = start
                return pieces[added] - start
        place[0] += 1
        place[1] = end + PADDING
    return np.int64(0)


@native
def fill_slots(slots, hashes, num_words):
    """Give every word its slot in a larger table."""
    mask = len(slots) - 1
    for index in range(num_words):
        slot = np.int64(hashes[index] >> np.uint64(32)) & mask
        while slots[slot]:
            slot = slot + 1 & mask
        slots[slot] = index + 1


class WordCounter:
    """Counts byte strings.

    Attributes:
        words: the table; another one each time it grows.
    """

    def __init__(self, max_words: int = 1 << 12, num_bytes: int = 1 << 16):
        self.words = _empty(max_words, num_bytes)

    def __len__(self) -> int:
        return int(self.words.used[0])

    def add(self, text: NDArray[np.uint8], start: int, ends: NDArray[np.int64], weight: int = 1) -> None:
        """Count the pieces of a padded text that end at `ends`, the first from `start` on, `weight` times each."""
        done = 0
        while (done := done + add_pieces(self.words, text, start, ends[done:], len(ends) - done, weight)) < len(ends):
            start = int(ends[done - 1]) if done else start
            self._grow(int(ends[done]) - start)

    def add_texts(self, scanner: int, text: NDArray[np.uint8], ends: NDArray[np.int64], classes: Classes) -> None:
        """Count the pieces that a scanner cuts of texts, laid out as `padded` does."""
        place, pieces = np.zeros(2, dtype=np.int64), np.empty(1024, dtype=np.int64)
        while num_bytes := add_texts(self.words, scanner, text, ends, classes, pieces, place):
            self._grow(num_bytes)

    def _grow(self, num_bytes: int) -> None:
        """Room for another word of `num_bytes`, and for as many words again where their number was the limit."""
        old, num_words = self.words, len(self)
        size = int(old.offsets[num_words])
        max_words = len(old.hashes) * (2 if num_words == len(old.hashes) else 1)
        room = len(old.bytes) - PADDING
        new = _empty(max_words, room if size + num_bytes <= room else max(2 * room, size + num_bytes))
        for source, target, length in (
            (old.hashes, new.hashes, num_words),
            (old.offsets, new.offsets, num_words + 1),
            (old.counts, new.counts, num_words),
            (old.bytes, new.bytes, size),
        ):
            target[:length] = source[:length]
        new.used[0] = num_words
        fill_slots(new.slots, new.hashes, num_words)
        self.words = new


def count_words(texts: Iterable[str], pretokens: Pretokens) -> Words:
    """The distinct pre-tokens of texts with their counts, in the order of their first appearance."""
    counter, scanner = WordCounter(), pretokens.scanner
    if scanner is None:
        for text in texts:
            data = text.encode()
            counter.add(padded([data])[0], 0, pretokens.ends(text, data))
        return counter.words
    waiting: list[bytes] = []
    size = 0
    for text in texts:
        waiting.append(text.encode())
        size += len(waiting[-1])
        if size >= _BATCH_BYTES:
            counter.add_texts(scanner, *padded(waiting), class_tables())
            waiting, size = [], 0
    counter.add_texts(scanner, *padded(waiting), class_tables())
    return counter.words


def _empty(max_words: int, num_bytes: int) -> Words:
    return Words(
        np.zeros(2 * max_words, dtype=np.uint32),
        np.empty(max_words, dtype=np.uint64),
        np.zeros(max_words + 1, dtype=np.int64),
        np.empty(max_words, dtype=np.int64),
        np.zeros(num_bytes + PADDING, dtype=np.uint8),
        np.zeros(1, dtype=np.int64),
    )
