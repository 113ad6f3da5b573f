from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.tokenizers import CharTokenizer
from zoo.tokenizers.base import END_OF_TEXT

SPECIALS = (END_OF_TEXT, "<|end|>")


def trained(texts: list[str], specials: tuple[str, ...] = (END_OF_TEXT,)) -> CharTokenizer:
    tokenizer = CharTokenizer(specials=specials)
    tokenizer.train(texts)
    return tokenizer


def test_known_characters_are_numbered_by_code_point() -> None:
    tokenizer = trained(["ba", "é🙂a"])
    assert tokenizer.encode("abé🙂") == [257, 258, 259, 260]
    assert tokenizer.vocab_size == 1 + 256 + 4


def test_unknown_characters_are_spelled_in_bytes() -> None:
    assert trained(["ab"]).encode("aéb") == [257, 0xC3 + 1, 0xA9 + 1, 258]


def test_characters_are_code_points_and_not_graphemes() -> None:
    assert len(trained(["e\u0301"]).encode("e\u0301")) == 2


@settings(max_examples=200, deadline=None)
@given(seen=st.text(max_size=20), text=st.text(max_size=40))
def test_seen_equals_the_definition(seen: str, text: str) -> None:
    tokenizer = trained([seen], SPECIALS)
    characters = sorted(set(seen))
    expected = []
    for char in text:
        known = char in characters
        expected += [2 + 256 + characters.index(char)] if known else [2 + byte for byte in char.encode()]
    assert tokenizer.encode(text, disallowed_special=()) == expected
    assert tokenizer.decode_bytes(expected) == text.encode()


@settings(max_examples=100, deadline=None)
@given(ids=st.lists(st.integers(0, 2 + 256 + 3 - 1), max_size=40))
def test_seen_decodes_any_ids(ids: list[int]) -> None:
    """Bytes that are no UTF-8, special tokens and characters, in any order."""
    tokenizer = trained(["aé🙂"], SPECIALS)
    tokens = (
        [special.encode() for special in SPECIALS] + [bytes([b]) for b in range(256)] + [c.encode() for c in "aé🙂"]
    )
    assert tokenizer.decode_bytes(ids) == b"".join(tokens[i] for i in ids)
    assert tokenizer.decode_bytes(np.array(ids, dtype=np.uint16)) == b"".join(tokens[i] for i in ids)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40))
def test_unicode_numbers_the_code_points_without_surrogates(text: str) -> None:
    tokenizer = CharTokenizer(alphabet="unicode", specials=SPECIALS)
    expected = [2 + ord(char) - (0x800 if char > "\udfff" else 0) for char in text]
    assert tokenizer.encode(text, disallowed_special=()) == expected
    assert tokenizer.decode(expected) == text


def test_unicode_has_every_scalar_value_and_no_other() -> None:
    """1,112,064: all code points but 2,048 surrogates (The Unicode Standard 16.0, section 3.9, D76)."""
    tokenizer = CharTokenizer(alphabet="unicode")
    assert tokenizer.vocab_size == 1 + 1_112_064
    everything = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000)
    ids = tokenizer.encode_array(everything)
    assert np.array_equal(ids, np.arange(1, tokenizer.vocab_size))
    assert tokenizer.decode(ids) == everything
    assert tokenizer.encode("\ud7ff\ue000\U0010ffff") == [0xD800, 0xD801, 1_112_064]


def test_unicode_needs_no_training_and_reads_nothing() -> None:
    texts = iter(["a"])
    tokenizer = CharTokenizer(alphabet="unicode")
    tokenizer.train(texts)
    assert list(texts) == ["a"]
    assert tokenizer.state() == {"alphabet": "unicode"}


def test_untrained_is_refused() -> None:
    with pytest.raises(ValueError, match=r"this CharTokenizer is not trained: call train\(texts\) or load\(path\)"):
        CharTokenizer().encode("a")


def test_unknown_alphabet_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alphabet='Unicde': expected one of seen, unicode; did you mean 'unicode'\?"):
        CharTokenizer(alphabet="Unicde")


@pytest.mark.parametrize("characters", [None, ["a"], "ba", "aa"])
def test_damaged_state_is_refused(characters: object) -> None:
    with pytest.raises(ValueError, match="state of a CharTokenizer is damaged: expected 'characters', sorted"):
        CharTokenizer().load_state({"alphabet": "seen", "characters": characters})


def test_surrogate_in_a_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lone surrogate U\+D800 at index 1"):
        CharTokenizer().load_state({"alphabet": "seen", "characters": "a\ud800"})


@pytest.mark.parametrize(("own", "other"), [("seen", "unicode"), ("unicode", "seen"), ("unicode", None)])
def test_state_of_another_alphabet_is_refused(own: str, other: str | None) -> None:
    with pytest.raises(ValueError, match=f"the state has alphabet={other!r}: expected {own!r}"):
        CharTokenizer(alphabet=own).load_state({"characters": "a"} | ({"alphabet": other} if other else {}))
