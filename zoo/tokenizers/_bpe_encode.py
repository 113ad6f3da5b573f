"""The symbols of one pre-token: the merges that apply to it, in the order of their rank.

Both functions do the same, as fast as it is written: `merge_short` looks at every pair for each merge, which is
quadratic and quickest for a usual word; `merge_long` keeps the positions of each pair, which is linear in the word.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from itertools import pairwise, repeat

from zoo.tokenizers._text import NUM_BYTES

Pair = tuple[int, int]

LONG_WORD_BYTES = 64  # from here on merge_long is quicker


def encode_word(word: bytes, ranks: Mapping[Pair, int]) -> list[int]:
    """Symbols of a word: bytes, and 256 + r for the result of the merge of rank r.

    Args:
        word: bytes of one pre-token.
        ranks: rank of each merged pair of symbols; a merge names symbols of earlier merges only.
    """
    return merge_short(word, ranks) if len(word) < LONG_WORD_BYTES else merge_long(word, ranks)


def merge_short(word: bytes, ranks: Mapping[Pair, int]) -> list[int]:
    """Symbols of a word: replaces the pair of the lowest rank, from left to right, until no pair has a rank."""
    symbols = list(word)
    no_rank = len(ranks)
    while len(symbols) > 1:
        rank = min(map(ranks.get, pairwise(symbols), repeat(no_rank)))
        if rank == no_rank:
            break
        merged, i, last = [], 0, len(symbols) - 1
        while i <= last:
            if i < last and ranks.get((symbols[i], symbols[i + 1])) == rank:
                merged.append(NUM_BYTES + rank)
                i += 2
            else:
                merged.append(symbols[i])
                i += 1
        symbols = merged
    return symbols


def merge_long(word: bytes, ranks: Mapping[Pair, int]) -> list[int]:
    """As `merge_short`, in time that grows with the word's length and not with its square.

    A merge makes pairs of its own symbol only, and those have higher ranks; so the positions of one rank are complete
    and in ascending order when its turn comes.
    """
    symbols = [*word, -1]  # the last is no symbol: it pairs with none, also not as the neighbour before the first
    size = [1] * len(symbols)  # of a symbol in bytes, at its first and at its last byte
    positions: dict[int, list[int]] = {}
    for i, pair in enumerate(pairwise(word)):
        if (rank := ranks.get(pair)) is not None:
            positions.setdefault(rank, []).append(i)
    waiting = list(positions)
    heapify(waiting)

    def note(i: int, left: int, right: int) -> None:
        if (rank := ranks.get((left, right))) is not None:
            if rank not in positions:
                positions[rank] = []
                heappush(waiting, rank)
            positions[rank].append(i)

    while waiting:
        rank = heappop(waiting)
        new = NUM_BYTES + rank
        for i in positions.pop(rank):
            if symbols[i] < 0 or ranks.get((symbols[i], symbols[j := i + size[i]])) != rank:
                continue  # one of the two was merged meanwhile
            k = j + size[j]
            symbols[i], symbols[j] = new, -1
            size[i] = size[k - 1] = k - i
            before = i - size[i - 1]
            note(before, symbols[before], new)
            note(i, new, symbols[k])
    return [symbol for symbol in symbols if symbol >= 0]
