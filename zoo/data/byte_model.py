"""What it costs to spell text that a lossy tokenizer lost: an order-0 model of bytes, learned from the training split.

A piece that the ids do not tell (an unknown word) is spelled byte after byte and closed by an end-of-piece symbol, each
with the ideal code length of a fixed distribution over 257 symbols:

    q(b)     = (1 - e) (n_b + 1) / (N + 256)    n_b: occurrences of byte b in the text of the training split, N bytes
    q(end)   = e                                e = (pieces lost there + 1) / (bytes lost there + pieces lost there + 2)
    bits(p)  = -log2 q(end) - sum over the bytes b of p of log2 q(b)

Why so: the ids say where a piece is missing, the symbols up to the next end say which, so whoever has the ids, the
spelled symbols and the model reads the text back, and nothing beside them is needed. `e` is how often a spelled symbol
closes a piece, so it is counted on what is spelled; the bytes are those of all the text, which no choice of vocabulary
can bend. Every symbol has a count of one more than was seen, so nothing is free and nothing infinite.

Source: the escape by spelling is PPM's order-0 fallback (Cleary & Witten 1984, "Data compression using adaptive coding
and partial string matching"); the estimate is Laplace's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

NUM_BYTES = 256
END = NUM_BYTES  # the symbol that closes a piece
DESCRIPTION = (
    "order-0 byte model of the training split (add-one counts of its bytes, and of how often a piece lost there ends)"
)
_GRAIN = 2.0**20  # parts of a bit


def byte_costs(byte_counts: np.ndarray) -> np.ndarray:
    """Bits of each byte among bytes: float64 [256], the end of a piece left out.

    Args:
        byte_counts: int64 [256], of the training split's text.
    """
    smoothed = np.asarray(byte_counts, dtype=np.float64) + 1
    return -np.log2(smoothed / smoothed.sum())


def spelled(pieces: Sequence[bytes], costs: np.ndarray) -> tuple[int, int, float]:
    """(pieces, their bytes, bits of those bytes among bytes): all that `total_bits` asks of a document. The sum is
    rounded once, so it does not depend on who computes it."""
    data = b"".join(pieces)
    counts = np.bincount(np.frombuffer(data, dtype=np.uint8), minlength=NUM_BYTES)
    return len(pieces), len(data), math.fsum(counts * costs)


def end_probability(num_pieces: int, num_bytes: int) -> float:
    """Share of ends among spelled symbols, of the pieces lost in the training split and their bytes."""
    return (num_pieces + 1) / (num_bytes + num_pieces + 2)


def symbol_bits(costs: np.ndarray, end: float) -> np.ndarray:
    """Bits of every symbol: float64 [257], the last is the end of a piece."""
    return np.append(costs - math.log2(1 - end), -math.log2(end))


def total_bits(num_pieces: np.ndarray, num_bytes: np.ndarray, bits: np.ndarray, end: float) -> np.ndarray:
    """Bits to spell what each document lost: float64 [documents], of what `spelled` says of each.

    Rounded up to multiples of 2^-20 bit: their sums up to 2^33 bits are exact in float64, in any order, so that a
    figure does not depend on how many devices summed it.
    """
    exact = bits - num_bytes * math.log2(1 - end) - num_pieces * math.log2(end)
    return np.ceil(exact * _GRAIN) / _GRAIN
