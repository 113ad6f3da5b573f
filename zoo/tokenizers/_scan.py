"""The presets' regular expressions as scanners over UTF-8, compiled: each cuts exactly as its expression does.

A scanner says where the piece that begins at a place ends. What an expression would find by backtracking is derived
beside each.
"""

from __future__ import annotations

import numpy as np

from zoo.tokenizers._characters import (
    APOSTROPHE,
    BLANK,
    NEWLINE,
    RETURN,
    breaks_end,
    char_class,
    char_length,
    contraction_end,
    is_letter,
    is_other,
    letters_end,
    numbers_end,
    others_end,
    spaces_end,
)
from zoo.tokenizers._native import bytes_within, get, inlined, native, put, trailing_zeros
from zoo.tokenizers._unicode import LETTER, LOWER, MARK, NUMBER, OTHER, SPACE, UPPER

_1, _2 = np.uint64(1), np.uint64(2)

SCANNERS = {"gpt2": 0, "cl100k": 1, "o200k": 2, "llama3": 3, "qwen2": 4}


@inlined
def ascii_block(text, p):
    """Of the 64 bytes from p on, which are ASCII letters, digits, white space and no ASCII, a bit each."""
    letters = bytes_within(text, p, np.uint8(0x20), np.uint8(ord("a")), np.uint8(ord("z")))
    digits = bytes_within(text, p, np.uint8(0), np.uint8(ord("0")), np.uint8(ord("9")))
    spaces = bytes_within(text, p, np.uint8(0), np.uint8(ord("\t")), np.uint8(RETURN))
    spaces |= bytes_within(text, p, np.uint8(0), np.uint8(BLANK), np.uint8(BLANK))
    return letters, digits, spaces, bytes_within(text, p, np.uint8(0), np.uint8(0x80), np.uint8(0xFF))


@inlined
def gpt2_block(text, p):
    """Where in the 64 bytes of text from p on, at which a piece of GPT-2's expression begins, others begin: a bit each,
    as far as these bytes alone can say.

    A piece begins where the class of the characters changes, but for a blank, which goes with what follows; and at the
    last of several white spaces. Where a piece begins with an apostrophe, it may be a contraction.
    """
    letters, digits, spaces, foreign = ascii_block(text, p)
    blanks = bytes_within(text, p, np.uint8(0), np.uint8(BLANK), np.uint8(BLANK))
    apostrophes = bytes_within(text, p, np.uint8(0), np.uint8(APOSTROPHE), np.uint8(APOSTROPHE))
    changes = (letters ^ letters << _1) | (digits ^ digits << _1) | (spaces ^ spaces << _1)
    starts = changes & ~(blanks << _1) | spaces & spaces << _1 & ~(spaces >> _1)
    known = trailing_zeros(foreign)  # a start is known by the character before and the character after it
    if known == 0:
        return np.uint64(0)
    starts &= (_1 << np.uint64(known - 1)) - _1
    quotes = apostrophes & (starts | _1)
    while quotes:
        i = trailing_zeros(quotes)
        quotes &= quotes - _1
        end = contraction_end(text, p + i, False) - p
        if end > i:
            if end >= known - 1:
                return starts & (_2 << np.uint64(i)) - _1 & ~_1
            starts = starts & ~(_2 << np.uint64(i)) | _1 << np.uint64(end)
    return starts & ~_1


@inlined
def gpt2_end(text, p, n, classes):
    """Where the piece of GPT-2's expression that begins at p ends."""
    kind = char_class(text, p, classes)
    if is_letter(kind):
        return letters_end(text, p, classes)
    if kind == OTHER:
        end = contraction_end(text, p, False)
        return end if end > p else others_end(text, p, n, classes)
    q = p
    if get(text, p) == BLANK and p + 1 < n:
        q = p + 1
        kind = char_class(text, q, classes)
    if is_letter(kind):
        return letters_end(text, q, classes)
    if kind == NUMBER:
        return numbers_end(text, q, classes, n)
    if kind != SPACE:
        return others_end(text, q, n, classes)
    return spaces_end(text, p, n, classes, False, True)


@inlined
def cl100k_end(text, p, n, classes, max_digits, whole_tail):
    r"""Where the piece of cl100k's expression that begins at p ends; llama3's and qwen2's are its sisters.

    [^\r\n\p{L}\p{N}]?+\p{L}++ is possessive: a character before the letters is taken or there is none.
    """
    kind = char_class(text, p, classes)
    if is_letter(kind):
        return letters_end(text, p, classes)
    if kind == NUMBER:
        return numbers_end(text, p, classes, max_digits)
    end = contraction_end(text, p, True)
    if end > p:
        return end
    q = p + char_length(text, p)
    after = char_class(text, q, classes) if q < n else SPACE
    if is_letter(after) and get(text, p) != NEWLINE and get(text, p) != RETURN:
        return letters_end(text, q, classes)
    if kind != SPACE:
        return breaks_end(text, others_end(text, p, n, classes), False)
    if get(text, p) == BLANK and is_other(after):
        return breaks_end(text, others_end(text, q, n, classes), False)
    return spaces_end(text, p, n, classes, True, whole_tail)


@native
def cased_end(text, p, n, classes):
    r"""Ends of [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+ and of [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+
    from p on, p where there is none.

    The first set runs as far as it can. Does a lower-case letter follow, the second set runs on from there. Else the
    first set gives back characters until the second can have one: the last that is in both sets, and it alone, for
    what comes after it in the run is upper case.
    """
    q, both = p, p  # end of the run of the first set; end of its last character that is in both
    while q < n:
        kind = char_class(text, q, classes)
        if kind == UPPER:
            q += char_length(text, q)
        elif LETTER <= kind <= MARK:  # without case, or a mark
            q += char_length(text, q)
            both = q
        else:
            break
    run = q
    if q < n and char_class(text, q, classes) == LOWER:
        while q < n:
            kind = char_class(text, q, classes)
            if kind != LOWER and kind != LETTER and kind != MARK:
                break
            q += char_length(text, q)
        return q, run
    return both, run


@inlined
def o200k_end(text, p, n, classes):
    r"""Where the piece of o200k's expression that begins at p ends.

    [^\r\n\p{L}\p{N}]? may be given back, and a mark is such a character too: so the order is lower-case words after
    it, lower-case words from p, upper-case words after it, upper-case words from p.
    """
    kind = char_class(text, p, classes)
    if kind == NUMBER:
        return numbers_end(text, p, classes, 3)
    word, upper = p, p
    if is_letter(kind):
        word, upper = cased_end(text, p, n, classes)
    elif get(text, p) != NEWLINE and get(text, p) != RETURN:
        q = p + char_length(text, p)
        word, upper = cased_end(text, q, n, classes)
        if word == q:
            word = p
            if kind == MARK:
                word, own_upper = cased_end(text, p, n, classes)
                upper = own_upper if upper == q else upper
            elif upper == q:
                upper = p
    end = word if word > p else upper
    if end > p:
        return contraction_end(text, end, True)
    if kind != SPACE:
        return breaks_end(text, others_end(text, p, n, classes), True)
    if get(text, p) == BLANK and p + 1 < n:
        after = char_class(text, p + 1, classes)
        if is_other(after):
            return breaks_end(text, others_end(text, p + 1, n, classes), True)
    return spaces_end(text, p, n, classes, True, False)


@native
def scan(scanner, text, start, n, classes, ends):
    """Ends of the pieces of text[start:n], as many as `ends` has room for.

    Args:
        scanner: one of SCANNERS.
        text: uint8, n bytes of UTF-8 and the padding.
        classes: from `class_tables`.
        ends: receives where each piece ends, int64.

    Returns:
        Number of pieces.
    """
    num_pieces, p = 0, start
    while p < n and num_pieces < len(ends):
        if scanner == 0:
            if p + 64 <= n and num_pieces + 64 <= len(ends):
                starts = gpt2_block(text, p)
                if starts:
                    block = p
                    while starts:
                        p = block + trailing_zeros(starts)
                        put(ends, num_pieces, p)
                        num_pieces += 1
                        starts &= starts - _1
                    continue
            p = gpt2_end(text, p, n, classes)
        elif scanner == 2:
            p = o200k_end(text, p, n, classes)
        else:
            p = cl100k_end(text, p, n, classes, 1 if scanner == 4 else 3, scanner == 1)
        put(ends, num_pieces, p)
        num_pieces += 1
    return num_pieces
