"""Characters of UTF-8, compiled: what class one is of, and where a run of one kind ends.

Texts are byte arrays with at least PADDING zero bytes behind them. ASCII letters are read eight at a time, since most
text is words; other characters are looked up in the table of `_unicode`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._native import get, inlined, load8, native, trailing_zeros
from zoo.tokenizers._unicode import LETTER, MARK, NUMBER, OTHER, SPACE, UPPER, blocks, classes

PADDING = 32  # bytes that may be read behind a text
_PADDING = bytearray(PADDING)
_NO_ASCII = 7  # the class table's entry of bytes from 128 on: look the character up

_TOP_BITS = np.uint64(0x8080808080808080)
_LOW_BITS = np.uint64(0x7F7F7F7F7F7F7F7F)
_CASE_BITS = np.uint64(0x2020202020202020)
_FROM_A = np.uint64((0x80 - ord("a")) * 0x0101010101010101)  # added to a byte, sets its top bit from "a" on
_ABOVE_Z = np.uint64((0x80 - ord("z") - 1) * 0x0101010101010101)
APOSTROPHE, BLANK, NEWLINE, RETURN, SLASH = ord("'"), ord(" "), ord("\n"), ord("\r"), ord("/")


class Classes(NamedTuple):
    """Classes of characters as the scanners read them."""

    byte: NDArray[np.uint8]  # [256]: class of an ASCII character
    block: NDArray[np.uint16]  # [4352]: block of 256 code points -> number of distinct block
    inner: NDArray[np.uint8]  # [distinct blocks * 256]: class within it


@cache
def class_tables() -> Classes:
    byte = np.full(256, _NO_ASCII, dtype=np.uint8)
    byte[:128] = classes()[:128]
    return Classes(byte, *blocks())


def padded(texts: Sequence[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Texts one after another, each with its padding, and where each ends."""
    buffer = np.frombuffer(_PADDING.join((*texts, b"")), dtype=np.uint8)
    if len(texts) == 1:  # one text is the usual case, and short ones are many
        return buffer, np.array([len(texts[0])])
    return buffer, np.cumsum([len(text) + PADDING for text in texts], dtype=np.int64) - PADDING


@inlined
def char_length(text, p):
    """Bytes of the character at p."""
    lead = get(text, p)
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@inlined
def char_class(text, p, classes):
    """Class of the character at p."""
    lead = np.int64(get(text, p))
    if lead < 0x80:
        return np.int64(get(classes.byte, lead))
    second = np.int64(get(text, p + 1)) & 0x3F
    if lead < 0xE0:
        point = (lead & 0x1F) << 6 | second
    elif lead < 0xF0:
        point = (lead & 0x0F) << 12 | second << 6 | np.int64(get(text, p + 2)) & 0x3F
    else:
        point = (lead & 0x07) << 18 | second << 12 | (np.int64(get(text, p + 2)) & 0x3F) << 6
        point |= np.int64(get(text, p + 3)) & 0x3F
    return np.int64(get(classes.inner, np.int64(get(classes.block, point >> 8)) << 8 | point & 0xFF))


@inlined
def is_letter(kind):
    return UPPER <= kind <= LETTER


@inlined
def is_other(kind):
    r"""[^\s\p{L}\p{N}]"""
    return kind in (OTHER, MARK)


@inlined
def ascii_letters_end(text, p):
    """Where the run of ASCII letters from p on ends; eight bytes a step, and nearly every word is one step."""
    while True:
        word = load8(text, p)
        lower = (word | _CASE_BITS) & _LOW_BITS
        letters = (lower + _FROM_A) & ~(lower + _ABOVE_Z) & ~word & _TOP_BITS
        length = trailing_zeros(letters ^ _TOP_BITS) >> 3
        p += length
        if length < 8:
            return p


@inlined
def letters_end(text, p, classes):
    r"""Where \p{L}* from p on ends."""
    while True:
        p = ascii_letters_end(text, p)
        if get(text, p) < 0x80 or not is_letter(char_class(text, p, classes)):
            return p
        p += char_length(text, p)


@inlined
def numbers_end(text, p, classes, at_most):
    r"""Where \p{N}{0,at_most} from p on ends."""
    while at_most > 0 and char_class(text, p, classes) == NUMBER:
        p += char_length(text, p)
        at_most -= 1
    return p


@inlined
def others_end(text, p, n, classes):
    r"""Where [^\s\p{L}\p{N}]* from p on ends."""
    while p < n:
        if not is_other(char_class(text, p, classes)):
            return p
        p += char_length(text, p)
    return p


@inlined
def breaks_end(text, p, slash):
    r"""Where [\r\n]* from p on ends; with `slash` [\r\n/]*."""
    while get(text, p) == NEWLINE or get(text, p) == RETURN or (slash and get(text, p) == SLASH):
        p += 1
    return p


@inlined
def spaces_end(text, p, n, classes, whole_lines, whole_tail):
    r"""Where the piece ends that begins with white space at p.

    The run of white space is r characters, then comes text or the end. \s+(?!\S) is the whole run at the end of the
    text, else r - 1 of them, so that the last goes with what follows; where r is 1 it is \s. Before these,
    `whole_lines` (\s*[\r\n]+) takes the run up to its last line break; and before that `whole_tail` (\s++$) the whole
    run at the end of the text.
    """
    last, breaks = p, p  # start of the last character of the run; end of its last line break
    q = p
    while q < n and char_class(text, q, classes) == SPACE:
        last = q
        q += char_length(text, q)
        if get(text, last) == NEWLINE or get(text, last) == RETURN:
            breaks = q
    if q == n and (whole_tail or not whole_lines):
        return q
    if whole_lines and breaks > p:
        return breaks
    return q if q == n or last == p else last


@inlined
def contraction_end(text, p, any_case):
    """Where 's 't 're 've 'm 'll 'd from p on ends, p where none stands there. `any_case` ignores case, by which
    the long s (U+017F) is an s too."""
    if get(text, p) != APOSTROPHE:
        return p
    fold = np.uint8(0x20) if any_case else np.uint8(0)
    first, second = get(text, p + 1) | fold, get(text, p + 2) | fold
    if first == ord("s") or first == ord("t") or first == ord("m") or first == ord("d"):
        return p + 2
    if ((first == ord("r") or first == ord("v")) and second == ord("e")) or (first == ord("l") and second == ord("l")):
        return p + 3
    if any_case and get(text, p + 1) == 0xC5 and get(text, p + 2) == 0xBF:
        return p + 3
    return p


@native
def last_cut(text, n, classes):
    """The last place of text[:n] at which every preset cuts, whatever follows and whether or not the text ends there;
    0 where there is none: between a letter or a number and white space or punctuation. An apostrophe or a mark may go
    on with the word."""
    p = n - 1
    while p > 0:
        while p > 0 and get(text, p) & 0xC0 == 0x80:
            p -= 1
        kind = char_class(text, p, classes)
        if p > 0 and (kind == SPACE or (kind == OTHER and get(text, p) != APOSTROPHE)):
            q = p - 1
            while q > 0 and get(text, q) & 0xC0 == 0x80:
                q -= 1
            before = char_class(text, q, classes)
            if is_letter(before) or before == NUMBER:
                return p
        p -= 1
    return 0
