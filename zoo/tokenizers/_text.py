"""What the tokenizers share: text that UTF-8 can write, as bytes or code points, and bytes that ids stand for."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUM_BYTES = 256
_SHORT_CHARS = 2000  # up to here it takes less to copy a text than to ask for its address
# Of Python's C interface; both give an address within the object, which must outlive its use.
_ADDRESS = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)
_address_of_ascii = _ADDRESS(("PyUnicode_AsUTF8", ctypes.pythonapi))  # of other text it would keep a copy in the str
address_of = _ADDRESS(("PyBytes_AsString", ctypes.pythonapi))


def checked_text(text: str) -> str:
    """Raises:
    ValueError: it is no str.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected text as a str, got {type(text).__name__}")
    return text


def utf8(text: str) -> bytes:
    """UTF-8 of a text.

    Raises:
        ValueError: the text is no str, or holds a lone surrogate, which UTF-8 cannot write.
    """
    try:
        return checked_text(text).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _surrogate(text, error.start) from None


def located(text: str) -> tuple[str | bytes, int, int]:
    """What holds the UTF-8 of a text, its address there and its length; ASCII is not copied.

    Raises:
        ValueError: as `utf8`.
    """
    if checked_text(text).isascii():
        return text, _address_of_ascii(text), len(text)
    data = utf8(text)
    return data, address_of(data), len(data)


def located_all(texts: Sequence[str]) -> tuple[Any, NDArray[np.int64], NDArray[np.int64]]:
    """`located` of each text: what holds them, their addresses and their lengths.

    Raises:
        ValueError: as `utf8`.
    """
    if sum(map(len, texts)) < _SHORT_CHARS * len(texts):
        data = [utf8(text) for text in texts]
        joined, lengths = b"".join(data), np.fromiter(map(len, data), dtype=np.int64, count=len(data))
        return joined, address_of(joined) + np.cumsum(lengths) - lengths, lengths
    kept, addresses, sizes = zip(*map(located, texts), strict=True)
    return kept, np.array(addresses, dtype=np.int64), np.array(sizes, dtype=np.int64)


def code_points(text: str) -> NDArray[np.uint32]:
    """The code points of a text.

    Raises:
        ValueError: as `utf8`.
    """
    try:
        return np.frombuffer(checked_text(text).encode("utf-32-le"), dtype="<u4")
    except UnicodeEncodeError as error:
        raise _surrogate(text, error.start) from None


def checked_batch(texts: Sequence[str], num_threads: int) -> Sequence[str]:
    """Raises:
    ValueError: `texts` is one string, or `num_threads` is below 1.
    """
    if isinstance(texts, str):
        raise ValueError("got one str: expected a sequence of texts, such as [text]")
    if num_threads < 1:
        raise ValueError(f"num_threads={num_threads}: expected at least 1")
    return texts


def documents(texts: Iterable[str]) -> Iterator[str]:
    """The texts to train on, each checked as it is drawn.

    Raises:
        ValueError: `texts` is one string, which would be read as a document per character; or a text is not UTF-8.
    """
    if isinstance(texts, str):
        raise ValueError("train got one str: expected an iterable of documents, such as [text]")
    for text in texts:
        utf8(text)
        yield text


def first_tokens(specials: Sequence[str]) -> list[bytes]:
    """Bytes of the ids that every byte-backed tokenizer starts with: the special tokens, then the 256 bytes."""
    return [special.encode("utf-8") for special in specials] + [bytes([byte]) for byte in range(NUM_BYTES)]


class TokenTable:
    """The bytes of each id, end to end, so that many ids are written at once."""

    def __init__(self, tokens: Sequence[bytes]):
        self._bytes = np.frombuffer(b"".join(tokens), dtype=np.uint8)
        self._lengths = np.array([len(token) for token in tokens], dtype=np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths

    def decode(self, ids: NDArray[np.int64]) -> bytes:
        lengths = self._lengths[ids]
        written = np.cumsum(lengths) - lengths  # bytes before each id
        places = np.arange(lengths.sum()) + np.repeat(self._starts[ids] - written, lengths)
        return self._bytes[places].tobytes()


def bytes_between_specials(
    ids: NDArray[np.int64], specials: Sequence[str], decode: Callable[[NDArray[np.int64]], bytes]
) -> bytes:
    """Bytes of ids, the first of which are special tokens; `decode` is asked for the runs between these."""
    parts, start = [], 0
    for i in np.flatnonzero(ids < len(specials)).tolist():
        parts += [decode(ids[start:i]), specials[ids[i]].encode("utf-8")]
        start = i + 1
    return b"".join([*parts, decode(ids[start:])])


def checked_ids(ids: Sequence[int] | NDArray[Any], vocab_size: int) -> NDArray[np.int64]:
    """The ids as an array.

    Raises:
        ValueError: they are no sequence of whole numbers, or one is not below the vocabulary's size.
    """
    array = np.asarray(ids)
    if array.ndim != 1:
        what = f"an array of shape {array.shape}" if array.ndim else type(ids).__name__
        raise ValueError(f"expected a sequence of ids, got {what}")
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.dtype.kind not in "iu":  # numbers beyond 64 bits are Python's own still, or have become floats
        for i in ids:
            if not isinstance(i, int | np.integer | np.bool_):
                raise ValueError(f"expected ids as whole numbers, got {i!r}")
    if array.min() < 0 or array.max() >= vocab_size:
        wrong = next(i for i in ids if not 0 <= i < vocab_size)
        raise ValueError(f"id {wrong} is not in [0, {vocab_size})")
    return array.astype(np.int64, copy=False)


def _surrogate(text: str, index: int) -> ValueError:
    return ValueError(
        f"the text holds the lone surrogate U+{ord(text[index]):04X} at index {index}, which UTF-8 cannot write: "
        f"expected text without surrogates (read the source with errors='replace')"
    )
