"""Which source each row comes from: shares that hold over every stretch of a run, in rows and not only on average.

Two sources share rows as a drawn line shares its steps (Bresenham 1965): of the first n rows, the nearest whole number
to n times its weight is the first's. More than two are halves of halves, in the tree of Huffman (1952), so that rare
sources sit deep. After any number of rows each source has had its share of them within 1/2 for two sources, 1 for
three, and 1.68 however many there are: each level of the tree adds 1/2, scaled down by the levels below it, which
shrink at least as fast as Fibonacci's numbers. Rows are found in any order, at one step per level, in exact arithmetic.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple


class _Fork(NamedTuple):
    """Shares rows among `left` and `right`, each a fork or the index of a source, as `weight` to `total` - `weight`."""

    left: _Fork | int
    right: _Fork | int
    weight: int
    total: int

    def left_rows(self, num_rows: int) -> int:
        """How many of the first rows go left: num_rows weight / total, to the nearest."""
        return (2 * num_rows * self.weight + self.total) // (2 * self.total)


class Interleave:
    """An endless order of sources.

    Args:
        weights: of the sources; above 0, of any sum.
    """

    def __init__(self, weights: Sequence[Fraction]):
        assert weights and min(weights) > 0
        self.num_sources = len(weights)
        self._root = _tree(weights)

    def place(self, row: int) -> tuple[int, int]:
        """(source of a row, how many of that source's rows come before it)."""
        node = self._root
        while isinstance(node, _Fork):
            left = node.left_rows(row)
            goes_left = node.left_rows(row + 1) > left
            node, row = (node.left, left) if goes_left else (node.right, row - left)
        return node, row

    def counts(self, num_rows: int) -> list[int]:
        """How many of the first rows are of each source."""
        counts = [0] * self.num_sources
        waiting = [(self._root, num_rows)]
        while waiting:
            node, rows = waiting.pop()
            if isinstance(node, _Fork):
                left = node.left_rows(rows)
                waiting += [(node.left, left), (node.right, rows - left)]
            else:
                counts[node] = rows
        return counts


def _tree(weights: Sequence[Fraction]) -> _Fork | int:
    """Huffman's: the two lightest are joined until one is left. Ties go by age, so that the tree never varies."""
    unit = math.lcm(*(weight.denominator for weight in weights))
    age = itertools.count()
    heap: list[tuple[int, int, _Fork | int]] = [(int(w * unit), next(age), i) for i, w in enumerate(weights)]
    heapq.heapify(heap)
    while len(heap) > 1:
        light, _, one = heapq.heappop(heap)
        heavy, _, other = heapq.heappop(heap)
        heapq.heappush(heap, (light + heavy, next(age), _Fork(other, one, heavy, light + heavy)))
    return heap[0][2]
