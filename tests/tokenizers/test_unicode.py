"""The table of character classes, code point by code point, against two others."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import tiktoken
from numba import njit

from zoo.tokenizers import _unicode
from zoo.tokenizers._characters import char_class, char_length, class_tables, padded

EXPRESSIONS = {
    _unicode.UPPER: r"[\p{Lu}\p{Lt}]",
    _unicode.LOWER: r"\p{Ll}",
    _unicode.LETTER: r"[\p{Lm}\p{Lo}]",
    _unicode.MARK: r"\p{M}",
    _unicode.NUMBER: r"\p{N}",
    _unicode.SPACE: r"\s",
    _unicode.OTHER: r"[^\p{L}\p{M}\p{N}\s]",
}
CATEGORIES = {"Lu": 1, "Lt": 1, "Ll": 2, "Lm": 3, "Lo": 3, "M": 4, "N": 5}
SURROGATES = range(0xD800, 0xE000)
CHARACTERS = [chr(c) for c in range(_unicode.NUM_CODE_POINTS) if c not in SURROGATES]


@pytest.mark.parametrize("kind", EXPRESSIONS)
def test_classes_are_those_of_tiktoken(kind: int) -> None:
    """tiktoken drops text that its expression does not match: what is left are the characters of the class."""
    bytes_alone = {bytes([byte]): byte for byte in range(256)}
    encoding = tiktoken.Encoding("x", pat_str=EXPRESSIONS[kind], mergeable_ranks=bytes_alone, special_tokens={})
    theirs = bytes(encoding.encode_ordinary("".join(CHARACTERS))).decode()
    ours = _unicode.classes() == kind
    ours[SURROGATES.start : SURROGATES.stop] = False
    assert theirs == "".join(map(chr, np.flatnonzero(ours)))


def test_classes_are_those_of_unicodedata_where_it_knows_the_character() -> None:
    wrong = []
    for char in CHARACTERS:
        category = unicodedata.category(char)
        if category == "Cn":
            continue
        expected = CATEGORIES.get(category, CATEGORIES.get(category[0], _unicode.OTHER))
        # str.isspace also takes the separators of information U+001C ... U+001F, which are no White_Space
        expected = _unicode.SPACE if char.isspace() and not "\x1c" <= char <= "\x1f" else expected
        if _unicode.classes()[ord(char)] != expected:
            wrong.append(char)
    # Characters change their category now and then: a handful since Unicode 14.
    assert len(wrong) <= 5, wrong


@njit
def read_classes(text, num_characters, tables):
    """[characters, 2]: where each begins, its class."""
    found, place = np.empty((num_characters, 2), np.int64), 0
    for i in range(num_characters):
        found[i, 0], found[i, 1] = place, char_class(text, place, tables)
        place += char_length(text, place)
    return found


def test_compiled_code_reads_every_character_as_the_table_says() -> None:
    text, _ = padded(["".join(CHARACTERS).encode()])
    classes, tables, place, wrong = _unicode.classes(), class_tables(), 0, []
    kinds = read_classes(text, len(CHARACTERS), tables)
    for char, (start, kind) in zip(CHARACTERS, kinds, strict=True):
        assert start == place
        place += len(char.encode())
        if kind != classes[ord(char)]:
            wrong.append(char)
    assert wrong == []
