"""Which pairs of symbols occur in a text, how often and where; compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._native import allocating, get, inlined, put

NONE = np.int32(-1)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Knuth's multiplicative hash


class Pairs(NamedTuple):
    """All pairs that occur or occurred: a hash table, and per pair its count and its positions.

    The positions of a pair are a linked list of nodes, ascending; some are stale, where the pair was merged away.
    """

    slots: NDArray[np.int32]  # [a power of two]: index of a pair + 1, or 0
    keys: NDArray[np.uint64]  # [room for pairs]: left << 32 | right
    counts: NDArray[np.int64]  # [room for pairs]
    head: NDArray[np.int32]  # [room for pairs]: first node
    tail: NDArray[np.int32]  # [room for pairs]: last node
    position: NDArray[np.int32]  # [room for nodes]
    following: NDArray[np.int32]  # [room for nodes]
    used: NDArray[np.int64]  # [3]: pairs, nodes, first free node (or -1)


@allocating
def new_pairs(max_pairs, max_nodes):
    return Pairs(
        np.zeros(2 * max_pairs, np.int32),
        np.empty(max_pairs, np.uint64),
        np.empty(max_pairs, np.int64),
        np.empty(max_pairs, np.int32),
        np.empty(max_pairs, np.int32),
        np.empty(max_nodes, np.int32),
        np.empty(max_nodes, np.int32),
        np.array([0, 0, -1], np.int64),
    )


@allocating
def with_room(pairs, more_pairs, more_nodes):
    """The table, or a larger copy that has room for so many more."""
    num_pairs, num_nodes = pairs.used[0], pairs.used[1]
    max_pairs, max_nodes = len(pairs.keys), len(pairs.position)
    if num_pairs + more_pairs <= max_pairs and num_nodes + more_nodes <= max_nodes:
        return pairs
    while num_pairs + more_pairs > max_pairs:
        max_pairs *= 2
    if num_nodes + more_nodes > max_nodes:
        max_nodes = max(num_nodes + more_nodes, max_nodes + (max_nodes >> 1))
    larger = new_pairs(max_pairs, max_nodes)
    for i in range(3):
        larger.used[i] = pairs.used[i]
    for node in range(num_nodes):
        larger.position[node], larger.following[node] = pairs.position[node], pairs.following[node]
    for pair in range(num_pairs):
        larger.keys[pair], larger.counts[pair] = pairs.keys[pair], pairs.counts[pair]
        larger.head[pair], larger.tail[pair] = pairs.head[pair], pairs.tail[pair]
        larger.slots[slot_of(larger, larger.keys[pair])] = pair + 1
    return larger


@inlined
def slot_of(pairs, key):
    """Slot of a pair, or the empty one where it would stand."""
    mask = len(pairs.slots) - 1
    slot = np.int64((key * _SPREAD) >> np.uint64(32)) & mask
    while True:
        index = get(pairs.slots, slot)
        if index == 0 or get(pairs.keys, np.int64(index) - 1) == key:
            return slot
        slot = slot + 1 & mask


@inlined
def note(pairs, left, right, position, weight):
    """The pair occurs at a position, after all those known."""
    key = np.uint64(left) << np.uint64(32) | np.uint64(right)
    slot = slot_of(pairs, key)
    pair = np.int64(pairs.slots[slot]) - 1
    if pair < 0:
        pair = pairs.used[0]
        pairs.used[0] = pair + 1
        pairs.slots[slot], pairs.keys[pair], pairs.counts[pair] = pair + 1, key, 0
        pairs.head[pair] = NONE
    pairs.counts[pair] += weight
    node = pairs.used[2]
    if node >= 0:
        pairs.used[2] = pairs.following[node]
    else:
        node = pairs.used[1]
        pairs.used[1] = node + 1
    pairs.position[node], pairs.following[node] = position, NONE
    if pairs.head[pair] == NONE:
        pairs.head[pair] = node
    else:
        pairs.following[pairs.tail[pair]] = node
    pairs.tail[pair] = node


@inlined
def take_away(pairs, left, right, weight):
    """An occurrence of a pair is gone; its node stays, stale."""
    slot = slot_of(pairs, np.uint64(left) << np.uint64(32) | np.uint64(right))
    pairs.counts[np.int64(pairs.slots[slot]) - 1] -= weight


@inlined
def free(pairs, node):
    put(pairs.following, node, np.int32(pairs.used[2]))
    pairs.used[2] = node


@inlined
def drop_list(pairs, pair):
    """Free the nodes of a pair that no longer occurs."""
    node = pairs.head[pair]
    pairs.head[pair] = NONE
    while node != NONE:
        gone, node = node, pairs.following[node]
        free(pairs, gone)


@inlined
def list_length(pairs, pair):
    length, node = 0, pairs.head[pair]
    while node != NONE:
        length, node = length + 1, pairs.following[node]
    return length
