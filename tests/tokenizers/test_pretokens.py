from __future__ import annotations

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers.bpe_reference import PUBLISHED
from zoo.tokenizers._pretokens import PATTERNS, compile_pattern, split

TRICKY = st.text(alphabet="aZé試ǅ1²½'\u2019sStTrReElLvV.,!/ \t\n\r\u00a0\u2028\u0301\x1c\x85🙂", max_size=40)


@pytest.mark.parametrize("pattern", PUBLISHED)
@settings(max_examples=300, deadline=None)
@given(text=TRICKY | st.text())
def test_presets_cut_as_the_published_expressions(pattern: str, text: str) -> None:
    assert split(compile_pattern(pattern), text) == regex.findall(PUBLISHED[pattern], text)


@pytest.mark.parametrize("pattern", [*PATTERNS, None, r"\w+", r"(\w)(\w)?", r"\S\K\s+", r"a(?=b)|(?<=b)c"])
@settings(max_examples=100, deadline=None)
@given(text=TRICKY | st.text())
def test_pieces_join_to_the_text(pattern: str | None, text: str) -> None:
    pieces = split(compile_pattern(pattern), text)
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
    assert split(compile_pattern(pattern), "I'll say it'S 12345 ...   ok\n\nend\n") == pieces


def test_cl100k_takes_white_space_at_the_end_whole() -> None:
    compiled = compile_pattern("cl100k")
    assert split(compiled, "a\n ") == ["a", "\n "]
    assert split(compiled, "a\n b") == ["a", "\n", " b"]


def test_o200k_cuts_camel_case_and_keeps_slashes() -> None:
    compiled = compile_pattern("o200k")
    assert split(compiled, "HTTPServer parseXml") == ["HTTPServer", " parse", "Xml"]
    assert split(compiled, "a//\nb") == ["a", "//\n", "b"]


def test_text_between_matches_is_kept() -> None:
    assert split(compile_pattern(r"[a-z]+"), "12ab, cd!") == ["12", "ab", ", ", "cd", "!"]


def test_groups_do_not_change_the_pieces() -> None:
    assert split(compile_pattern(r"([a-z])[a-z]*"), "ab cd") == ["ab", " ", "cd"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("gpt4", r"pattern='gpt4' is no preset .* one of gpt2, cl100k, o200k, None .*; did you mean 'gpt2'\?"),
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
