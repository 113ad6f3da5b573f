"""The text around a token, against the text that was put in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from data_doubles import HALVES, Bytes, ListCorpus, Pairs, Words, sample_texts

from zoo.data import Mixture, MixtureSource, TokenStore, split_of
from zoo.data.inspection import look

TEXTS = sample_texts()
VALIDATION = [text for text in TEXTS if split_of(text, HALVES) == "validation"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    return TokenStore.build_or_open(ListCorpus(TEXTS), Pairs(), HALVES, home=tmp_path_factory.mktemp("home"))


def test_all_tokens_at_once_tell_every_document_with_its_bytes(store: TokenStore) -> None:
    place = look(store, "validation", at=500, context=10**9)
    assert [token.token for token in place.tokens] == list(range(store.num_tokens("validation")))
    assert [token.id for token in place.tokens] == store.tokens("validation", 0, len(place.tokens)).tolist()
    first, *tokens = place.tokens
    assert first.document is None and first.span is None and not first.closes and first.id == 0
    for number, text in enumerate(VALIDATION):
        *own, last = [token for token in tokens if token.document == number]
        assert last.closes and last.span is None and last.token == store.document_ends("validation")[number] - 1
        data, edge = text.encode(), 0
        for token in own:
            assert token.span is not None and token.span[0] == edge and not token.closes
            edge = token.span[1]
            assert data[token.span[0] : edge] == store.tokenizer.decode_bytes([token.id])
            assert token.text == data[token.span[0] : edge].decode(errors="backslashreplace")
            assert bytes.fromhex(token.bytes) == data[token.span[0] : edge]
        assert edge == len(data)


def test_a_window_is_a_part_of_all(store: TokenStore) -> None:
    everything = look(store, "validation", context=10**9).tokens
    for at in (0, 1, 2, 700, store.num_tokens("validation") - 1):
        for context in (0, 1, 50):
            place = look(store, "validation", at=at, context=context)
            assert place.tokens == everything[max(0, at - context) : at + context + 1]
            assert place.token == at and place.document == everything[at].document


def test_the_text_around_is_what_was_put_in(tmp_path: Path) -> None:
    letters = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)
    whole = "<|endoftext|>".join(["", *VALIDATION, ""])
    assert look(letters, "validation", context=10**9).text == whole
    size = letters.num_tokens("validation")
    for at in range(1, 200):  # a window may cut a character of four bytes at both ends
        place = look(letters, "validation", at=at, context=3)
        assert place.text in whole and len(place.text.encode()) >= min(7, size) - 6
        assert "\ufffd" not in place.text
    assert look(letters, "validation", at=4, context=2).text == VALIDATION[0][1:6].encode()[:5].decode(errors="ignore")


def test_a_document_is_found_by_its_number(store: TokenStore) -> None:
    for number in (0, 1, len(VALIDATION) - 1):
        place = look(store, "validation", document=number, context=1)
        assert place.document == number and place.tokens[1].token == place.token
        assert place.tokens[1].span is not None and place.tokens[1].span[0] == 0
        assert place.tokens[0].closes == (number > 0)
    assert look(store, "validation").token == 1


def test_what_a_token_cannot_tell_is_left_out(tmp_path: Path) -> None:
    lossy = TokenStore.build_or_open(ListCorpus(TEXTS), Words(num_words=20), HALVES, home=tmp_path)
    tokens = look(lossy, "validation", at=50).tokens
    assert {token.span for token in tokens} == {None} and "<unknown>" in {token.text for token in tokens}
    letters = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)
    texts = {token.text for token in look(letters, "validation", context=500).tokens}
    assert {"\\xf0", "\\x9f", "a"} <= texts, "a byte that is no character by itself"


def test_the_source_of_a_document_is_named(tmp_path: Path) -> None:
    parts = {"early": TEXTS[:150], "late": TEXTS[150:]}
    sources = [MixtureSource(name=name, corpus=ListCorpus(texts), weight=1) for name, texts in parts.items()]
    store = TokenStore.build_or_open(Mixture(sources=sources), Bytes(), HALVES, home=tmp_path)
    for number in range(0, store.num_documents("validation"), 9):
        place = look(store, "validation", document=number, context=3)
        text = "".join(token.text for token in place.tokens if token.document == number)
        assert place.source == ("early" if int(text.split()[0]) < 150 else "late") or len(text.split()[0]) == 4
    assert look(store, "train", at=0).source is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"at": -1}, "token -1 is not in the validation split: expected 0 to {last_token}"),
        ({"at": 10**9}, "token 1000000000 is not in the validation split: expected 0 to {last_token}"),
        ({"document": -1}, "document -1 is not in the validation split: expected 0 to {last_document}"),
        ({"document": len(VALIDATION)}, "document {num} is not in the validation split: expected 0 to {last_document}"),
        ({"context": -1}, "context=-1: expected 0 or more tokens on either side"),
    ],
)
def test_out_of_range(store: TokenStore, options: dict[str, int], text: str) -> None:
    num = len(VALIDATION)
    expected = text.format(last_token=store.num_tokens("validation") - 1, last_document=num - 1, num=num)
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        look(store, "validation", **options)  # type: ignore[arg-type]
