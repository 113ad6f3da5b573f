"""The merges of byte-pair encoding, learned from counts of distinct pre-tokens; compiled.

A step counts all pairs of adjacent symbols, overlapping ones too ("aaa" holds (a, a) twice), takes a most frequent
pair and replaces it from left to right ("aaa" becomes "aa a"). Nothing is counted twice over: the words stand in one
flat text, each pair knows its positions, and a merge changes only the pairs beside it.

Two facts make this simple. A merge makes pairs of the new symbol only, so the count of a known pair never rises and
its first occurrence never moves to the front: a heap needs one entry per pair, never behind the pair's true place. And
two merges never give the same bytes: the symbols that cover a stretch of text exactly are those the stretch would have
alone, so once merged, it is merged everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._native import allocating, get, native, put
from zoo.tokenizers._pair_heap import (
    FIRST,
    GREATEST,
    HUGGINGFACE,
    RULES,
    byte_tokens,
    heap_with_room,
    new_heap,
    pop,
    push,
    sink,
    with_token,
)
from zoo.tokenizers._pair_table import NONE, drop_list, free, list_length, new_pairs, note, take_away, with_room
from zoo.tokenizers._text import NUM_BYTES
from zoo.tokenizers._words import Words

_BOUNDARY = np.int32(-1)  # stands before, between and after words: belongs to no pair
_DEAD = np.int32(-2)  # a position whose symbol was merged into the one before
MAX_POSITIONS = 2**31 - 1

# GPT-2 writes a byte as a printable character: one that prints stands for itself, the others follow from U+0100 on.
# Hugging Face numbers its alphabet by these characters, so the bytes that print come first.
PRINTABLE = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
HUGGINGFACE_ORDER = PRINTABLE + sorted(set(range(NUM_BYTES)) - set(PRINTABLE))


def train_merges(words: Words, num_merges: int, tie_break: str) -> NDArray[np.int64]:
    """At most `num_merges` merges, fewer when no pair is left: int64 [merges, 2]; symbol 256 + r is made by merge r.

    Args:
        words: distinct pre-tokens with their counts, in the order of their first appearance in the text.
        num_merges: merges to learn.
        tie_break: which of several most frequent pairs: `first`, the one that occurs first in the text; `greatest`,
            the lexicographically greatest pair of byte strings; `huggingface`, the smallest pair of ids.

    Raises:
        ValueError: the distinct words are too long together.
    """
    num_words = int(words.used[0])
    num_positions = int(words.offsets[num_words]) + num_words + 1
    if num_positions > MAX_POSITIONS:
        raise ValueError(
            f"the distinct pre-tokens have {num_positions:,} bytes: expected less than {MAX_POSITIONS:,}; a pattern "
            f"that cuts more finely repeats more"
        )
    order_of_byte = np.empty(NUM_BYTES, dtype=np.int64)
    order_of_byte[HUGGINGFACE_ORDER] = np.arange(NUM_BYTES)
    return learn(words, num_positions, num_merges, RULES[tie_break], order_of_byte)


@allocating
def learn(words, num_positions, num_merges, rule, order_of_byte):
    """The loop of `train_merges`."""
    symbols, sizes, word_of = flat_text(words, num_positions)
    pairs = new_pairs(1 << 12, num_positions)
    for i in range(num_positions - 1):
        if symbols[i] >= 0 and symbols[i + 1] >= 0:
            pairs = with_room(pairs, 1, 1)
            note(pairs, symbols[i], symbols[i + 1], i, words.counts[word_of[i]])
    tokens = byte_tokens(num_merges if rule == GREATEST else 0)
    heap, size = new_heap(1 << 12), 0
    for pair in range(pairs.used[0]):
        heap = heap_with_room(heap, size + 1)
        size = push(heap, size, pair, order(rule, pair, pairs, symbols, sizes, order_of_byte), rule, pairs, tokens)
    merges = np.empty((num_merges, 2), np.int64)
    done = 0
    while done < num_merges:
        size = best_to_top(heap, size, rule, pairs, symbols, sizes, order_of_byte, tokens)
        if not size:
            break
        best = heap.pairs[0]
        size = pop(heap, size, rule, pairs, tokens)
        left, right = np.int32(pairs.keys[best] >> np.uint64(32)), np.int32(pairs.keys[best] & np.uint64(0xFFFFFFFF))
        merges[done, 0], merges[done, 1] = left, right
        if rule == GREATEST:
            tokens = with_token(tokens, left, right, NUM_BYTES + done)
        occurrences = list_length(pairs, best)
        pairs = with_room(pairs, 2 * occurrences, 2 * occurrences)
        first_new = pairs.used[0]
        apply(pairs, best, np.int32(NUM_BYTES + done), symbols, sizes, word_of, words.counts)
        for pair in range(first_new, pairs.used[0]):
            if pairs.counts[pair]:
                heap = heap_with_room(heap, size + 1)
                place = order(rule, pair, pairs, symbols, sizes, order_of_byte)
                size = push(heap, size, pair, place, rule, pairs, tokens)
        done += 1
    return merges[:done]


@allocating
def flat_text(words, num_positions):
    """All words in one row of positions, boundaries between: the symbol of each position, the size of the symbol that
    begins or ends there in bytes (so both neighbours are one look away), and the word it is in."""
    symbols = np.full(num_positions, _BOUNDARY, np.int32)
    sizes, word_of = np.ones(num_positions, np.int32), np.zeros(num_positions, np.int32)
    i = 1
    for word in range(words.used[0]):
        for offset in range(words.offsets[word], words.offsets[word + 1]):
            symbols[i], word_of[i] = words.bytes[offset], word
            i += 1
        i += 1
    return symbols, sizes, word_of


@native
def apply(pairs, pair, new, symbols, sizes, word_of, weights):
    """Replace a pair by the symbol `new` everywhere; the pair's list of positions is used up."""
    a = np.int32(pairs.keys[pair] >> np.uint64(32))
    b = np.int32(pairs.keys[pair] & np.uint64(0xFFFFFFFF))
    node = pairs.head[pair]
    pairs.head[pair], pairs.counts[pair] = NONE, 0
    while node != NONE:
        i = np.int64(get(pairs.position, node))
        gone, node = node, get(pairs.following, node)
        free(pairs, gone)
        if get(symbols, i) != a:
            continue
        j = i + get(sizes, i)
        if get(symbols, j) != b:
            continue
        weight = get(weights, np.int64(get(word_of, i)))
        h, k = i - get(sizes, i - 1), j + get(sizes, j)
        left, right = get(symbols, h), get(symbols, k)
        if left >= 0:
            take_away(pairs, left, a, weight)
            note(pairs, left, new, h, weight)
        if right >= 0:
            take_away(pairs, b, right, weight)
            note(pairs, new, right, i, weight)
        put(symbols, i, new)
        put(symbols, j, _DEAD)
        put(sizes, i, np.int32(k - i))
        put(sizes, k - 1, np.int32(k - i))


@native
def order(rule, pair, pairs, symbols, sizes, order_of_byte):
    """A number by which pairs of one count are ordered; `first`: where it occurs first, past the stale positions."""
    a = np.int64(pairs.keys[pair] >> np.uint64(32))
    b = np.int64(pairs.keys[pair] & np.uint64(0xFFFFFFFF))
    if rule == HUGGINGFACE:  # merges are numbered alike: after the bytes, by rank
        a = order_of_byte[a] if a < NUM_BYTES else a
        b = order_of_byte[b] if b < NUM_BYTES else b
        return a << 32 | b
    if rule == FIRST:
        while pairs.head[pair] != NONE:
            node = np.int64(pairs.head[pair])
            i = np.int64(pairs.position[node])
            if symbols[i] == a and symbols[i + sizes[i]] == b:
                return i
            pairs.head[pair] = pairs.following[node]
            free(pairs, node)
    return np.int64(0)


@native
def best_to_top(heap, size, rule, pairs, symbols, sizes, order_of_byte, tokens):
    """Bring stale entries up to date until the top is one that is true; returns the new size, 0 when no pair occurs."""
    while size:
        pair = np.int64(heap.pairs[0])
        count = pairs.counts[pair]
        if count == 0:
            size = pop(heap, size, rule, pairs, tokens)
            drop_list(pairs, pair)
            continue
        place = order(rule, pair, pairs, symbols, sizes, order_of_byte)
        if count == heap.counts[0] and place == heap.orders[0]:
            return size
        sink(heap, size, count, place, pair, rule, pairs, tokens)
    return 0
