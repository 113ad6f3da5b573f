"""The loop of best-fit-decreasing packing, compiled.

Space left in a row is a whole number up to the row's capacity, so rows are kept in one stack per amount of space, and a
binary tree over the amounts finds the smallest that is enough in O(log capacity), as the segment tree of Ding et al.
2024, arXiv 2404.10830.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def pack_decreasing(lengths: np.ndarray, capacity: int) -> np.ndarray:  # pragma: no cover, compiled
    """The row of each item; `lengths` fall, from at most `capacity` to at least 1."""
    num_leaves = 1
    while num_leaves <= capacity:
        num_leaves *= 2
    some = np.zeros(2 * num_leaves, dtype=np.bool_)  # node i holds 2 i and 2 i + 1; leaf num_leaves + s is space s
    top = np.full(capacity + 1, -1, dtype=np.int64)  # the last row with this much space
    below = np.empty(len(lengths), dtype=np.int64)  # the row under it on the same stack
    rows = np.empty(len(lengths), dtype=np.int64)
    num_rows = 0
    for item in range(len(lengths)):
        length = lengths[item]
        node = num_leaves + length
        if not some[node]:
            while node > 1 and (node & 1 or not some[node + 1]):  # up until there is something to the right
                node >>= 1
            if node > 1:
                node += 1
                while node < num_leaves:
                    node = 2 * node if some[2 * node] else 2 * node + 1
        if node > 1:
            space = node - num_leaves
            row = top[space]
            top[space] = below[row]
            if top[space] < 0:
                some[node] = False
                while node > 1 and not some[node ^ 1]:
                    node >>= 1
                    some[node] = False
        else:
            space, row, num_rows = capacity, num_rows, num_rows + 1
        rows[item] = row
        left = space - length
        below[row] = top[left]
        top[left] = row
        node = num_leaves + left
        while node >= 1 and not some[node]:
            some[node] = True
            node >>= 1
    return rows
