from __future__ import annotations

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers.bpe_reference import PUBLISHED
from zoo.tokenizers._pretokens import PATTERNS, Pretokens, compile_pattern

TRICKY = st.text(
    alphabet="aZé試ǅʰЖж1²½Ⅷ'\u2019sStTrReElLvVmMdD\u017f.,!/_ \t\n\r\u00a0\u2028\u0301\u20dd\x00\x1c\x85"
    "\ud7ff\ue000🙂\U0010ffff",
    max_size=40,
)
# What is assigned depends on the version of Unicode: a table of tests/tokenizers/test_unicode.py tells the rest.
ASSIGNED = st.text(st.characters(exclude_categories=["Cs", "Cn"]))
ASCII = st.text(st.characters(max_codepoint=127), max_size=60)
TEXTS = TRICKY | ASCII | ASSIGNED


@pytest.mark.parametrize("pattern", PUBLISHED)
@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_presets_cut_as_the_published_expressions(pattern: str, text: str) -> None:
    assert Pretokens(pattern).split(text) == regex.findall(PUBLISHED[pattern], text)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=500, deadline=None)
@given(text=TEXTS)
def test_scanners_cut_as_their_expressions(pattern: str, text: str) -> None:
    cuts = Pretokens(pattern)
    assert cuts.split(text) == regex.findall(PATTERNS[pattern], text)
    ends = Pretokens(PATTERNS[pattern]).ends(text, text.encode())
    assert [len(piece.encode()) for piece in cuts.split(text)] == np.diff(ends, prepend=0).tolist()


FRAGMENTS = [
    "a",
    "word",
    "Longer",
    " ",
    "  ",
    "\n",
    "\t\r\n",
    "'",
    "'s",
    "'ll",
    "'re",
    "'v",
    "''",
    "7",
    "2048",
    ".",
    "#!",
    "é",
    "試",
]


@settings(max_examples=500, deadline=None)
@given(text=st.lists(st.sampled_from(FRAGMENTS), min_size=50, max_size=150).map("".join))
def test_blocks_of_ascii_are_cut_as_the_expression_does(text: str) -> None:
    """64 bytes are looked at together: contractions and runs of white space lie across every border of blocks."""
    assert Pretokens("gpt2").split(text) == regex.findall(PATTERNS["gpt2"], text)


@pytest.mark.parametrize("width", range(60, 70))
@pytest.mark.parametrize("piece", ["'s", "'ll", "'re", "  ", " \n", "\n\n", " a", "é", " é", "'é", "'"])
def test_a_piece_across_the_border_of_a_block(piece: str, width: int) -> None:
    for text in (
        before + piece + after for before in ("a" * width, " a" * (width // 2)) for after in ("", "b", " b" * 40)
    ):
        assert Pretokens("gpt2").split(text * 2) == regex.findall(PATTERNS["gpt2"], text * 2)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=500, deadline=None)
@given(text=TEXTS, following=TEXTS)
def test_a_place_to_cut_at_is_one_whatever_follows(pattern: str, text: str, following: str) -> None:
    cuts = Pretokens(pattern)
    place = cuts.cut(text)
    assert cuts.split(text[:place]) + cuts.split(text[place:] + following) == cuts.split(text + following)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_text_with_words_has_a_place_to_cut_at(pattern: str) -> None:
    cuts = Pretokens(pattern)
    assert cuts.cut("one two three") == len("one two")
    assert cuts.cut("試験。次の文") == len("試験")
    assert cuts.cut("don't") == cuts.cut("word") == cuts.cut("") == 0


@pytest.mark.parametrize("pattern", [*PATTERNS, None, r"\w+", r"(\w)(\w)?", r"\S\K\s+", r"a(?=b)|(?<=b)c"])
@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_pieces_join_to_the_text(pattern: str | None, text: str) -> None:
    pieces = Pretokens(pattern).split(text)
    assert "".join(pieces) == text
    assert all(pieces)


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        ("gpt2", ["I", "'ll", " say", " it", "'", "S", " 12345", " ...", "  ", " ok", "\n", "\n", "end", "\n"]),
        ("cl100k", ["I", "'ll", " say", " it", "'S", " ", "123", "45", " ...", "  ", " ok", "\n\n", "end", "\n"]),
        ("o200k", ["I'll", " say", " it'S", " ", "123", "45", " ...", "  ", " ok", "\n\n", "end", "\n"]),
    ],
)
def test_contractions_digits_and_space(pattern: str, pieces: list[str]) -> None:
    """gpt2 cuts lower-case contractions, cl100k any case, o200k none; only gpt2 keeps numbers whole, newlines apart."""
    assert Pretokens(pattern).split("I'll say it'S 12345 ...   ok\n\nend\n") == pieces


def test_cl100k_takes_white_space_at_the_end_whole() -> None:
    cuts = Pretokens("cl100k").split
    assert cuts("a\n ") == ["a", "\n "]
    assert cuts("a\n b") == ["a", "\n", " b"]


def test_o200k_cuts_camel_case_and_keeps_slashes() -> None:
    cuts = Pretokens("o200k").split
    assert cuts("HTTPServer parseXml") == ["HTTPServer", " parse", "Xml"]
    assert cuts("a//\nb") == ["a", "//\n", "b"]


def test_text_between_matches_is_kept() -> None:
    assert Pretokens(r"[a-z]+").split("12ab, cd!") == ["12", "ab", ", ", "cd", "!"]


def test_groups_do_not_change_the_pieces() -> None:
    assert Pretokens(r"([a-z])[a-z]*").split("ab cd") == ["ab", " ", "cd"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "gpt5",
            r"pattern='gpt5' is no preset .* one of gpt2, cl100k, o200k, llama3, qwen2, None .*; did you mean 'gpt",
        ),
        ("o2ook", r"did you mean 'o200k'\?"),
        ("(a", r"pattern='\(a' does not compile as a regular expression: missing \)"),
        ("(?r)a.", r"pattern='\(\?r\)a\.' searches backwards: expected an expression without the flag \(\?r\)"),
        (r"\w*", r"pattern='\\\\w\*' matches the empty string: expected an expression that takes at least one"),
        ("", r"pattern='' matches the empty string: .*, or None to cut nothing"),
    ],
)
def test_useless_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        compile_pattern(pattern)
    assert "\n" not in str(caught.value)
