"""How text is cut: the expressions that Hugging Face files hold, run by Oniguruma, against our scanners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from tokenizers import Regex, pre_tokenizers

from tests.tokenizers.tokenizer_cases import TEXTS
from zoo.interop._hf_pattern import PUBLISHED, read_pattern, write_pattern
from zoo.tokenizers import _unicode
from zoo.tokenizers._pretokens import PATTERNS, Pretokens

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
ALONE = BYTE_LEVEL | {"use_regex": False}


def split(expression: Any, behavior: str = "Isolated", invert: Any = False) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": behavior, "invert": invert}


def sequence(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def their_pieces(pre_tokenizer: pre_tokenizers.PreTokenizer, text: str) -> list[str]:
    return [text[start:end] for _, (start, end) in pre_tokenizer.pre_tokenize_str(text)]


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_a_published_expression_cuts_as_its_preset(text: str) -> None:
    for expression, preset in PUBLISHED.items():
        pieces = Pretokens(preset).split(text)
        assert their_pieces(pre_tokenizers.Split(Regex(expression), "isolated"), text) == pieces, expression
        removed = pre_tokenizers.Split(Regex(expression), "removed", invert=True)
        assert their_pieces(removed, text) == pieces, expression


@pytest.mark.parametrize("preset", ["gpt2", "o200k"])  # with all the classes that any has
def test_oniguruma_knows_the_same_classes(preset: str) -> None:
    """Of the characters on both sides of every border between classes, and of one in 17 within."""
    theirs = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if preset != "gpt2":
        theirs = pre_tokenizers.Split(Regex(write_pattern(preset)["pretokenizers"][0]["pattern"]["Regex"]), "isolated")
    ours = Pretokens(preset)
    borders = np.flatnonzero(np.diff(_unicode.classes()))
    chosen = {*borders.tolist(), *(borders + 1).tolist(), *range(0, 0x110000, 17)}
    points = sorted(point for point in chosen if not 0xD800 <= point < 0xE000)
    assert len(points) > 65_000
    for start in range(0, len(points), 32):
        text = "".join(f"a{c}b1{c}.{c}{c}A \n{c}" for c in map(chr, points[start : start + 32]))
        assert their_pieces(theirs, text) == ours.split(text), f"from U+{points[start]:04X} on"


def test_what_is_written_is_read() -> None:
    for pattern in [*PATTERNS, None, r"[a-z]+|\d"]:
        assert read_pattern(write_pattern(pattern)) == pattern


def test_every_preset_is_published() -> None:
    assert set(PUBLISHED.values()) == set(PATTERNS)


def test_why_a_bounded_possessive_repeat_is_refused() -> None:
    """tiktoken's writing of cl100k, to the letter, would take all digits at once in Oniguruma."""
    assert PATTERNS["cl100k"] not in PUBLISHED
    theirs = pre_tokenizers.Split(Regex(PATTERNS["cl100k"]), "isolated")
    assert their_pieces(theirs, "12345") == ["12345"] != Pretokens("cl100k").split("12345")
    with pytest.raises(ValueError, match=r"holds '\{1,3\}\+', which repeats in Oniguruma and is possessive"):
        read_pattern(sequence(split(PATTERNS["cl100k"]), ALONE))


@pytest.mark.parametrize(
    ("pre_tokenizer", "pattern"),
    [
        (BYTE_LEVEL, "gpt2"),
        (BYTE_LEVEL | {"use_regex": True}, "gpt2"),
        (ALONE, None),
        (sequence(ALONE), None),
        (sequence(split("x+"), ALONE), "x+"),
        (sequence(sequence(split(PATTERNS["llama3"])), ALONE), "llama3"),
        (sequence(split("x+", invert=True), ALONE), "x+"),
        (sequence(split(PATTERNS["o200k"], "Removed", True), ALONE), "o200k"),
    ],
)
def test_patterns(pre_tokenizer: dict[str, Any], pattern: str | None) -> None:
    assert read_pattern(pre_tokenizer) == pattern


@pytest.mark.parametrize(
    ("pre_tokenizer", "message"),
    [
        (None, "its pre_tokenizer is None: expected ByteLevel, or Split and then ByteLevel"),
        ({"type": "Whitespace"}, "its pre_tokenizer is Whitespace: expected ByteLevel, or Split and then ByteLevel"),
        (
            sequence({"type": "Digits"}, BYTE_LEVEL),
            "its pre_tokenizer is Digits, ByteLevel: expected ByteLevel, or Split and then ByteLevel",
        ),
        (
            sequence(split("x"), split("y"), ALONE),
            "its pre_tokenizer is Split, Split, ByteLevel: expected ByteLevel, or",
        ),
        ({"type": "Sequence"}, "its pre_tokenizer Sequence has no list of pretokenizers"),
        (
            BYTE_LEVEL | {"add_prefix_space": True},
            "its pre_tokenizer ByteLevel puts a space before the text: expected add_prefix_space=false",
        ),
        ({"type": "ByteLevel"}, "its pre_tokenizer ByteLevel puts a space before the text"),
        (
            sequence(split("x"), BYTE_LEVEL),
            "its pre_tokenizer cuts twice, in Split and in ByteLevel: expected use_regex=false in ByteLevel",
        ),
        (
            sequence(split("x", "MergedWithNext"), ALONE),
            r"its pre_tokenizer Split has behavior='MergedWithNext', invert=False: expected 'Isolated', which keeps",
        ),
        (
            sequence(split("x", "Removed", True), ALONE),
            r"Split has behavior='Removed', invert=True: expected 'Isolated'",
        ),
        (sequence(split(PATTERNS["o200k"], "Removed"), ALONE), r"Split has behavior='Removed', invert=False: expected"),
        (sequence(split(None), ALONE), r"its pre_tokenizer Split cuts by \{'Regex': None\}: expected a Regex"),
        (
            sequence(split("x") | {"pattern": {"String": " "}}, ALONE),
            r"its pre_tokenizer Split cuts by \{'String': ' '\}: expected a Regex",
        ),
    ],
)
def test_what_cuts_otherwise_is_refused(pre_tokenizer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_pattern(pre_tokenizer)
