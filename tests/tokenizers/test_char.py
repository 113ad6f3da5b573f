from __future__ import annotations

import pytest

from zoo.tokenizers import CharTokenizer


def test_known_characters_are_numbered_by_code_point() -> None:
    tokenizer = CharTokenizer()
    tokenizer.train(["ba", "é🙂a"])
    assert tokenizer.encode("abé🙂") == [257, 258, 259, 260]
    assert tokenizer.vocab_size == 1 + 256 + 4


def test_unknown_characters_are_spelled_in_bytes() -> None:
    tokenizer = CharTokenizer()
    tokenizer.train(["ab"])
    assert tokenizer.encode("aéb") == [257, 0xC3 + 1, 0xA9 + 1, 258]


def test_characters_are_code_points_and_not_graphemes() -> None:
    tokenizer = CharTokenizer()
    tokenizer.train(["e\u0301"])
    assert len(tokenizer.encode("e\u0301")) == 2


def test_untrained_is_refused() -> None:
    with pytest.raises(ValueError, match=r"this CharTokenizer is not trained: call train\(texts\) or load\(path\)"):
        CharTokenizer().encode("a")


def test_one_string_is_refused() -> None:
    with pytest.raises(ValueError, match=r"train got one str: expected an iterable of documents, such as \[text\]"):
        CharTokenizer().train("abc")


def test_surrogate_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lone surrogate U\+DC80 at index 1"):
        CharTokenizer().train(["fine", "a\udc80"])


@pytest.mark.parametrize("state", [{}, {"characters": ["a"]}, {"characters": "ba"}, {"characters": "aa"}])
def test_damaged_state_is_refused(state: dict) -> None:
    with pytest.raises(ValueError, match="state of a CharTokenizer is damaged: expected 'characters', sorted"):
        CharTokenizer().load_state(state)
