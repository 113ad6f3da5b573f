"""The merges of byte-pair encoding, learned from counts of distinct pre-tokens.

A step counts all pairs of adjacent symbols, overlapping ones too ("aaa" holds (a, a) twice), takes a most frequent
pair and replaces it from left to right ("aaa" becomes "aa a"). Nothing is counted twice over: the words stand in one
flat text, each pair knows its positions, and a merge changes only the pairs beside it.

Two facts make this simple. A merge makes pairs of the new symbol only, so the count of a known pair never rises and
its first occurrence never moves to the front. And two merges never give the same bytes: the symbols that cover a
stretch of text exactly are those the stretch would have alone, so once merged, it is merged everywhere.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush, heapreplace
from itertools import chain
from typing import Any, Literal

from zoo.tokenizers._text import NUM_BYTES

Pair = tuple[int, int]
TieBreak = Literal["first", "greatest", "huggingface"]

_BOUNDARY = -1  # stands before, between and after words: belongs to no pair
_DEAD = -2  # a position whose symbol was merged into the one before


def train_merges(words: Mapping[bytes, int], num_merges: int, tie_break: TieBreak) -> list[Pair]:
    """At most `num_merges` merges, fewer when no pair is left; symbol 256 + r is the result of merge r.

    Args:
        words: count of each distinct pre-token, in the order of their first appearance in the text.
        num_merges: merges to learn.
        tie_break: which of several most frequent pairs: `first`, the one that occurs first in the text; `greatest`,
            the lexicographically greatest pair of byte strings; `huggingface`, the smallest pair of ids.
    """
    text = _Text(words)
    tokens = [bytes([byte]) for byte in range(NUM_BYTES)]
    order = _order(tie_break, text, tokens)
    # One entry per pair, never behind the pair's true place: counts only fall, first occurrences only move back.
    heap = [(-count, order(pair), pair) for pair, count in text.counts.items()]
    heapify(heap)
    merges: list[Pair] = []
    while len(merges) < num_merges and (best := _pop_best(heap, text, order)) is not None:
        tokens.append(tokens[best[0]] + tokens[best[1]])
        for pair in text.merge(best, NUM_BYTES + len(merges)):
            heappush(heap, (-text.counts[pair], order(pair), pair))
        merges.append(best)
    return merges


def _pop_best(heap: list[tuple[int, Any, Pair]], text: _Text, order: Callable[[Pair], Any]) -> Pair | None:
    while heap:
        entry = heap[0]
        pair = entry[2]
        count = text.counts[pair]
        if count == 0:
            heappop(heap)
            text.forget(pair)
        elif (fresh := (-count, order(pair), pair)) == entry:
            heappop(heap)
            return pair
        else:
            heapreplace(heap, fresh)
    return None


class _Text:
    """All distinct words in one row of positions, with the count and the positions of each pair.

    A symbol lives at the position of its first byte; `size` holds its length in bytes there and at its last byte, so
    both neighbours are one look away, and a list of small numbers is all it takes.
    """

    def __init__(self, words: Mapping[bytes, int]):
        self.symbols: list[int] = [_BOUNDARY]
        self.weight: list[int] = [0]  # how often the word at a position occurs
        for word, count in words.items():
            self.symbols += chain(word, (_BOUNDARY,))
            self.weight += [count] * (len(word) + 1)
        self.size: list[int] = [1] * len(self.symbols)
        self.counts: defaultdict[Pair, int] = defaultdict(int)
        self.positions: defaultdict[Pair, array[int]] = defaultdict(lambda: array("q"))  # ascending; some are stale
        symbols, weight, counts, positions = self.symbols, self.weight, self.counts, self.positions
        for i in range(len(symbols) - 1):
            left, right = symbols[i], symbols[i + 1]
            if left >= 0 and right >= 0:
                counts[left, right] += weight[i]
                positions[left, right].append(i)

    def merge(self, pair: Pair, new: int) -> set[Pair]:
        """Replace the pair by the symbol `new` everywhere; returns the pairs with `new` that now occur."""
        a, b = pair
        symbols, size, counts, positions = self.symbols, self.size, self.counts, self.positions
        made: set[Pair] = set()
        for i in positions.pop(pair):
            if symbols[i] != a or symbols[j := i + size[i]] != b:
                continue
            weight = self.weight[i]
            left = symbols[h := i - size[i - 1]]
            right = symbols[k := j + size[j]]
            if left >= 0:
                counts[left, a] -= weight
                counts[left, new] += weight
                positions[left, new].append(h)
                made.add((left, new))
            if right >= 0:
                counts[b, right] -= weight
                counts[new, right] += weight
                positions[new, right].append(i)
                made.add((new, right))
            symbols[i], symbols[j] = new, _DEAD
            size[i] = size[k - 1] = k - i
        del counts[pair]
        return {pair for pair in made if counts[pair]}

    def first_position(self, pair: Pair) -> int:
        """Where a pair that occurs is found first; forgets the stale positions before."""
        symbols, size, positions = self.symbols, self.size, self.positions[pair]
        for num_stale, i in enumerate(positions):
            if symbols[i] == pair[0] and symbols[i + size[i]] == pair[1]:
                if num_stale:
                    del positions[:num_stale]
                return i
        raise AssertionError(f"pair {pair} is counted but does not occur")

    def forget(self, pair: Pair) -> None:
        """Drop a pair that no longer occurs."""
        del self.counts[pair], self.positions[pair]


def _order(tie_break: TieBreak, text: _Text, tokens: list[bytes]) -> Callable[[Pair], Any]:
    """A sort key of pairs: of those with the same count, the smallest is merged."""
    if tie_break == "first":
        return text.first_position
    if tie_break == "greatest":
        return lambda pair: (_descending(tokens[pair[0]]), _descending(tokens[pair[1]]))
    return lambda pair: (_huggingface_id(pair[0]), _huggingface_id(pair[1]))


_COMPLEMENT = bytes(255 - byte for byte in range(NUM_BYTES))


def _descending(token: bytes) -> str:
    """A key that sorts byte strings backwards. The last character is above any byte: "ab" comes before "a"."""
    return token.translate(_COMPLEMENT).decode("latin-1") + "\u0100"


# GPT-2 writes a byte as a printable character: one that prints stands for itself, the others follow from U+0100 on.
# Hugging Face numbers its alphabet by these characters, so the bytes that print come first.
_PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
_HUGGINGFACE_ORDER = _PRINTABLE + sorted(set(range(NUM_BYTES)) - set(_PRINTABLE))
_HUGGINGFACE_ID = {byte: i for i, byte in enumerate(_HUGGINGFACE_ORDER)}


def _huggingface_id(symbol: int) -> int:
    return _HUGGINGFACE_ID.get(symbol, symbol)  # merges are numbered alike: after the bytes, by rank
