"""Laws of every tokenizer: where a text can be cut, and text that comes in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers.tokenizer_cases import CASES, DOCUMENTS, SPECIALS, TEXTS, Case, chunked
from zoo.tokenizers import base
from zoo.tokenizers.base import Tokenizer

OWN_EXPRESSION = ("pattern=None", "pattern=[", "pattern=(")  # of these nobody can tell where they cut


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def tokenizer(case: Case) -> Tokenizer:
    return case.trained()


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, following=TEXTS)
def test_what_is_cut_off_has_the_ids_of_the_whole(tokenizer: Tokenizer, text: str, following: str) -> None:
    cut = tokenizer.cut(text)
    assert 0 <= cut <= len(text)
    parts = [text[:cut], text[cut:] + following]
    whole = text + following
    assert [i for part in parts for i in tokenizer.encode_ordinary(part)] == tokenizer.encode_ordinary(whole)
    assert [piece for part in parts for piece in tokenizer.lost(part)] == tokenizer.lost(whole)


def test_prose_and_code_can_be_cut(case: Case, tokenizer: Tokenizer) -> None:
    if any(own in case.name for own in OWN_EXPRESSION):
        assert tokenizer.cut(DOCUMENTS[0]) == 0
        return
    for text in [*DOCUMENTS[:2], "def f(x):\n    return x", "日本語の文章、句読点。あ", "a,b,c,d"]:
        assert 0 < tokenizer.cut(text) <= len(text)


@settings(max_examples=100, deadline=None)
@given(
    chunks=chunked(),
    stream_chars=st.integers(1, 40),
    allowed=st.one_of(st.just("all"), st.sets(st.sampled_from(SPECIALS))),
    disallowed=st.one_of(st.just("all"), st.sets(st.sampled_from([*SPECIALS, "|><|"]))),
)
def test_a_stream_has_the_ids_of_the_whole(
    tokenizer: Tokenizer, chunks: list[str], stream_chars: int, allowed: set[str] | str, disallowed: set[str] | str
) -> None:
    rules = {"allowed_special": allowed, "disallowed_special": disallowed}
    with mock.patch.object(base, "_STREAM_CHARS", stream_chars):
        try:
            expected = tokenizer.encode("".join(chunks), **rules)
        except ValueError as error:
            with pytest.raises(ValueError, match="the text holds the special token") as caught:
                list(tokenizer.encode_iterable(chunks, **rules))
            assert str(caught.value).split("'")[0] == str(error).split("'")[0]
        else:
            assert list(tokenizer.encode_iterable(iter(chunks), **rules)) == expected


@pytest.mark.parametrize(
    "chunks",
    [
        ["<|end", "|><|tu", "rn|>the"],
        ["<|end|>", "<|turn|>", "<|end|>", "<|turn"],
        ["the\r", "\nend!\r", "\n"],
        ["cafe", "\u0301 the e", "\u0301"],
        ["don", "'", "t 123", "45 ", " ", "\n", " x"],
        list("The theory of 1234567 things, they're <|end|> here.\r\n\r\n  e\u0301"),
        ["", "", ""],
        [],
    ],
)
@pytest.mark.parametrize("stream_chars", [1, 2, 5, 16])
def test_chunks_cut_where_it_hurts(
    tokenizer: Tokenizer, chunks: list[str], stream_chars: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_STREAM_CHARS", stream_chars)
    expected = tokenizer.encode("".join(chunks), allowed_special="all")
    assert list(tokenizer.encode_iterable(chunks, allowed_special="all")) == expected


def test_a_special_string_cut_anywhere(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_STREAM_CHARS", 1)
    text = "the<|end|><|turn|>then<|end|> the<|end"
    expected = tokenizer.encode(text, allowed_special="all")
    for place in range(len(text) + 1):
        chunks = [text[:place], text[place:]]
        assert list(tokenizer.encode_iterable(chunks, allowed_special="all")) == expected
        with pytest.raises(ValueError, match=r"the text holds the special token '<\|end\|><\|turn\|>'"):
            list(tokenizer.encode_iterable(chunks, disallowed_special={"<|end|><|turn|>"}))


def test_a_long_stream_is_encoded_in_pieces(case: Case, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is held but a piece, and ids come before the stream ends."""
    monkeypatch.setattr(base, "_STREAM_CHARS", 1000)
    drawn = 0

    def stream() -> Iterator[str]:
        nonlocal drawn
        for _ in range(2000):
            drawn += 1
            yield DOCUMENTS[0]

    sizes = []
    encode = tokenizer.encode_array
    monkeypatch.setattr(tokenizer, "encode_array", lambda text: (sizes.append(len(text)), encode(text))[1])
    ids = tokenizer.encode_iterable(stream())
    if any(own in case.name for own in OWN_EXPRESSION):
        return
    next(ids)
    assert drawn < 50
    assert sum(1 for _ in ids) > 2000
    assert max(sizes) < 3000 and sum(sizes) == 2000 * len(DOCUMENTS[0])


def test_a_stream_without_a_place_to_cut_is_gathered_in_linear_time(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_STREAM_CHARS", 10)
    looked_at = []
    monkeypatch.setattr(tokenizer, "cut", lambda text: (looked_at.append(len(text)), 0)[1])
    assert list(tokenizer.encode_iterable("a" * 10_000)) == tokenizer.encode("a" * 10_000)
    assert sum(looked_at) < 5 * 10_000


def test_a_surrogate_in_a_stream_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match=r"lone surrogate U\+D83D at index 3"):
        list(tokenizer.encode_iterable(["the", "\ud83d", "\ude42"]))
