"""MinHash signatures and their index, compiled. Times beside `datasketch` are in benchmarks/filters.py.

Shingles are hashed to 32 bits, and hash function k of a signature is a[k] h + b[k] modulo 2^32 with a[k] odd: a
bijection, so that no two shingles collide for one function that do not for all.
"""

from __future__ import annotations

import functools

import numba
import numpy as np
from numpy.typing import NDArray

NUM_CODE_POINTS = 0x110000
SEPARATOR, IN_WORD, WORD_ALONE = 0, 1, 2
_WITHOUT_SPACES = (  # scripts that put none between words: each letter is a word of its own
    *((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800)),  # Thai and Lao, Burmese, Khmer
    *((0x3000, 0xA000), (0xF900, 0xFB00), (0x20000, 0x34000)),  # kana and Chinese characters
)
MAX_BUCKET = 64  # documents that one band's key leads to; more are left out, so that a lookup stays bounded
_FREE = -1
_OFFSET, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a, 64 bits
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)  # the finalizer of MurmurHash3
_HALF, _SHIFT = np.uint64(32), np.uint64(33)


@functools.cache
def kinds() -> NDArray[np.uint8]:
    r"""uint8 [code points]: whether a character stands between words, in a word (`\w`), or is a word alone; by
    the Unicode tables of the running Python."""
    found = np.zeros(NUM_CODE_POINTS, dtype=np.uint8)
    found[[code for code in range(NUM_CODE_POINTS) if chr(code).isalnum()]] = IN_WORD
    found[ord("_")] = IN_WORD
    for start, stop in _WITHOUT_SPACES:
        found[start:stop][found[start:stop] == IN_WORD] = WORD_ALONE
    return found


def hash_functions(number: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """a and b of `number` functions: uint32 [number] each."""
    draw = np.random.Generator(np.random.PCG64(seed))
    bits = draw.integers(0, 2**32, size=(2, number), dtype=np.uint32)
    return bits[0] | np.uint32(1), bits[1]


@numba.njit(cache=True, nogil=True)
def mix(h: np.uint64) -> np.uint64:  # pragma: no cover, compiled
    h = (h ^ (h >> _SHIFT)) * _MIX_1
    h = (h ^ (h >> _SHIFT)) * _MIX_2
    return h ^ (h >> _SHIFT)


@numba.njit(cache=True, nogil=True)
def word_hashes(code_points: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> NDArray[np.uint64]:  # pragma: no cover
    """uint64 [words of the text]."""
    hashes = np.empty(len(code_points), np.uint64)
    num_words, inside = 0, False
    for code in code_points:
        kind = kinds[code]
        if kind == IN_WORD and inside:
            hashes[num_words - 1] = (hashes[num_words - 1] ^ np.uint64(code)) * _PRIME
        elif kind != SEPARATOR:
            hashes[num_words] = (_OFFSET ^ np.uint64(code)) * _PRIME
            num_words += 1
        inside = kind == IN_WORD
    return hashes[:num_words]


@numba.njit(cache=True, nogil=True)
def signature_of(
    words: NDArray[np.uint64], size: int, a: NDArray[np.uint32], b: NDArray[np.uint32]
) -> NDArray[np.uint32]:  # pragma: no cover, compiled
    """uint32 [hash functions]: the least value of each over the shingles of `size` words; a text that is shorter is
    one shingle."""
    least = np.full(len(a), 0xFFFFFFFF, np.uint32)
    for start in range(max(1, len(words) - size + 1)):
        shingle = np.uint64(0)
        for word in words[start : start + size]:
            shingle = mix(shingle ^ word) + _MIX_1
        h = np.uint32(mix(shingle) >> _HALF)
        for k in range(len(a)):
            least[k] = min(least[k], np.uint32(a[k] * h + b[k]))
    return least


@numba.njit(cache=True, nogil=True)
def _key(signature: NDArray[np.uint32], band: int, rows: int) -> np.uint64:  # pragma: no cover, compiled
    key = np.uint64(band)
    for value in signature[band * rows : (band + 1) * rows]:
        key = mix(key ^ np.uint64(value)) + _MIX_1
    return key


@numba.njit(cache=True, nogil=True)
def find(
    signature: NDArray[np.uint32],
    num_equal: int,
    rows: int,
    keys: NDArray[np.uint64],
    documents: NDArray[np.int32],
    signatures: NDArray[np.uint32],
) -> int:  # pragma: no cover, compiled
    """A document that shares a band with this signature and agrees with it in `num_equal` places, or -1."""
    mask = np.uint64(len(keys) - 1)
    for band in range(len(signature) // rows):
        key = _key(signature, band, rows)
        slot = key & mask
        while documents[slot] != _FREE:
            if keys[slot] == key and (signatures[documents[slot]] == signature).sum() >= num_equal:
                return documents[slot]
            slot = (slot + np.uint64(1)) & mask
    return -1


@numba.njit(cache=True, nogil=True)
def insert(
    signatures: NDArray[np.uint32],
    first: int,
    stop: int,
    rows: int,
    keys: NDArray[np.uint64],
    documents: NDArray[np.int32],
) -> None:  # pragma: no cover, compiled
    """Enter documents first ... stop - 1 under each of their bands; a key that leads to MAX_BUCKET takes no more."""
    mask = np.uint64(len(keys) - 1)
    for document in range(first, stop):
        for band in range(signatures.shape[1] // rows):
            key = _key(signatures[document], band, rows)
            slot, num_same = key & mask, 0
            while documents[slot] != _FREE and num_same < MAX_BUCKET:
                num_same += keys[slot] == key
                slot = (slot + np.uint64(1)) & mask
            if num_same < MAX_BUCKET:
                keys[slot], documents[slot] = key, document


class Index:
    """Signatures that came, to be found by those like them.

    Args:
        num_hashes: of a signature.
        rows: hash functions of a band.
        num_equal: places in which two signatures must agree.
    """

    def __init__(self, num_hashes: int, rows: int, num_equal: int):
        self._rows, self._num_equal, self._num_bands = rows, num_equal, num_hashes // rows
        self._size = 0
        self._signatures = np.empty((16, num_hashes), dtype=np.uint32)
        self._new_table(64)

    def add(self, signature: NDArray[np.uint32]) -> bool:
        """Whether none like it is there; then it is now."""
        if find(signature, self._num_equal, self._rows, self._keys, self._documents, self._signatures) >= 0:
            return False
        if self._size == len(self._signatures):
            self._signatures = np.concatenate([self._signatures, np.empty_like(self._signatures)])
        self._signatures[self._size] = signature
        self._size += 1
        if 2 * self._size * self._num_bands > len(self._keys):  # half full: probes stay short
            self._new_table(2 * len(self._keys) if len(self._keys) > 64 else 64 * self._num_bands)
            first = 0
        else:
            first = self._size - 1
        insert(self._signatures, first, self._size, self._rows, self._keys, self._documents)
        return True

    def _new_table(self, at_least: int) -> None:
        num_slots = 1 << (at_least - 1).bit_length()
        self._keys = np.empty(num_slots, dtype=np.uint64)
        self._documents = np.full(num_slots, _FREE, dtype=np.int32)
