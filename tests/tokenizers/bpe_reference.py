"""Byte-pair encoding by its definition: count all pairs, merge one, count again. Slow, and plain enough to trust."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import regex

Pair = tuple[bytes, bytes]

# The expressions as they were first published: openai/gpt-2 (encoder.py), and tiktoken 0.3 for cl100k, to which later
# versions add that white space at the end is one piece (\s+\Z). Of o200k there is no other version.
PUBLISHED = {
    "gpt2": r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "cl100k": r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"""
    r"""|\s+\Z|\s*[\r\n]+|\s+(?!\S)|\s+""",
}


def train(words: list[bytes], num_merges: int, tie_break: str) -> list[Pair]:
    """Merges of words that stand in the order of the text, repeated as often as they occur."""
    texts = [split_bytes(word) for word in words]
    merges: list[Pair] = []
    while len(merges) < num_merges:
        counts = Counter(pair for symbols in texts for pair in pairwise(symbols))  # in order of first occurrence
        if not counts:
            break
        tied = [pair for pair in counts if counts[pair] == max(counts.values())]
        best = choose(tied, tie_break, merges)
        texts = [merge(symbols, best) for symbols in texts]
        merges.append(best)
    return merges


def choose(tied: list[Pair], tie_break: str, merges: list[Pair]) -> Pair:
    if tie_break == "first":
        return tied[0]
    if tie_break == "greatest":
        return max(tied)
    tokens = huggingface_alphabet() + [a + b for a, b in merges]
    return min(tied, key=lambda pair: (tokens.index(pair[0]), tokens.index(pair[1])))


def huggingface_alphabet() -> list[bytes]:
    """The 256 bytes in the order of the characters that stand for them: GPT-2's `bytes_to_unicode`, sorted."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    character = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in character:
            character[byte] = chr(256 + len(character) - len(printable))
    return [bytes([byte]) for byte in sorted(character, key=character.__getitem__)]


def encode(word: bytes, merges: list[Pair]) -> list[bytes]:
    """Replay every merge, in order."""
    symbols = split_bytes(word)
    for pair in merges:
        symbols = merge(symbols, pair)
    return symbols


def merge(symbols: list[bytes], pair: Pair) -> list[bytes]:
    """Join the pair wherever it stands, from left to right."""
    joined: list[bytes] = []
    i = 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            joined.append(pair[0] + pair[1])
            i += 2
        else:
            joined.append(symbols[i])
            i += 1
    return joined


def split_bytes(word: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in word]


def pretokens(text: str, pattern: str | None) -> list[str]:
    """Pieces of a text under an expression that covers all of it."""
    if pattern is None:
        return [text]
    pieces = regex.findall(PUBLISHED.get(pattern, pattern), text)
    assert "".join(pieces) == text
    return pieces
