"""`tokenizer.json`: what would change ids is refused by name, damaged files are, and what cannot be written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from tests.interop.interop_cases import ADDED, SPECIALS, changed, ids_with_specials, theirs_trained
from zoo.interop import PretrainedTokenizer, read_huggingface, write_huggingface
from zoo.interop._alphabet import CHARACTER_OF
from zoo.tokenizers import BPETokenizer, WordTokenizer


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained and written by the `tokenizers` package."""
    path = tmp_path_factory.mktemp("refusals") / "tokenizer.json"
    theirs_trained().save(str(path))
    return path


NFC = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"normalizer": {"type": "NFC"}},
        r"its normalizer NFC changes text, so that ids do not tell it: expected none, or ",
    ),
    ({"normalizer": NFC}, r"its normalizer NFC, Lowercase changes text"),
    ({"decoder": {"type": "WordPiece"}}, r"its decoder is WordPiece: expected ByteLevel"),
    ({"decoder": "ByteLevel"}, r"its decoder is 'ByteLevel': expected ByteLevel"),
    ({"model__merges": ["i n", ["i", "n"]]}, r"merges 0 and 1 are both 'i' 'n'"),
    ({"model__type": "WordPiece"}, r"its model is 'WordPiece': expected 'BPE'"),
    ({"model": None}, r"its model is None: expected 'BPE'"),
    ({"model__dropout": 0.1}, r"its model has dropout=0.1, which changes ids: expected none"),
    ({"model__end_of_word_suffix": "</w>"}, r"its model has end_of_word_suffix='</w>', which changes ids"),
    ({"model__continuing_subword_prefix": "##"}, r"its model has continuing_subword_prefix='##', which changes ids"),
    ({"model__ignore_merge": True}, r"the key 'ignore_merge' is unknown in a model; did you mean 'ignore_merges'\?"),
    ({"normaliser": None}, r"the key 'normaliser' is unknown in a tokenizer.json; did you mean 'normalizer'\?"),
    ({"model__vocab": []}, r"the 'vocab' of its model is list, expected a dict"),
    ({"model__merges": None}, r"the 'merges' of its model is NoneType, expected a list"),
    ({"model__merges": ["a b c"]}, r"merge 0: 'a b c': expected two tokens"),
    ({"model__merges": [["a", 3]]}, r"merge 0: \['a', 3\]: expected two tokens"),
    (
        {"model__merges": ["a b", "a \u2581"]},
        r"merge 1: the token '\u2581' holds '\u2581' \(U\+2581\), which stands for",
    ),
    ({"model__merges": [["", "b"]]}, r"merge 0: a token is empty"),
    ({"model__merges": [["aq", "zz"]]}, r"merge 0 names '(aq|zz)', which is no token"),
    ({"model__merges": [["\u0100", "\u0100"]]}, r"merge 0 makes '\u0100\u0100', which is no token"),
    ({"model__vocab__a": "1"}, r"the token 'a' has the id '1': expected one in \[0, 4194303\]"),
    ({"model__vocab__a": -1}, r"the token 'a' has the id -1: expected one in \[0, 4194303\]"),
    ({"model__vocab__a": 1000000000}, r"the token 'a' has the id 1000000000: expected one in \[0, 4194303\]"),
    ({"model__vocab__a": 3}, r"the tokens '.' and '.' both have the id 3"),
    ({"model__vocab__\u2581the": 900}, r"the token '\u2581the' holds '\u2581' \(U\+2581\), which stands for no byte"),
    ({"added_tokens": {}}, r"there is no special token end_of_text='<\|endoftext\|>': expected one of nothing"),
    ({"added_tokens": 3}, r"its added_tokens are no list of objects"),
    ({"pre_tokenizer": None}, r"its pre_tokenizer is None: expected ByteLevel, or Split and then ByteLevel"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_would_change_ids_is_refused(gpt2: Path, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = changed(gpt2, tmp_path / "x.json", **changes)
    with pytest.raises(ValueError, match=f"^{path}: {message}") as caught:
        read_huggingface(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("byte", ["a", "\u0100", "\u00ff"])
def test_a_missing_byte_is_refused(gpt2: Path, tmp_path: Path, byte: str) -> None:
    body = json.loads(gpt2.read_text(encoding="utf-8"))
    del body["model"]["vocab"][byte]
    body["model"]["merges"] = []
    (tmp_path / "x.json").write_text(json.dumps(body))
    value = {character: value for value, character in CHARACTER_OF.items()}[byte]
    with pytest.raises(
        ValueError, match=f"1 of the 256 bytes have no token, 0x{value:02x} first: expected a byte-level"
    ):
        read_huggingface(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (
            {"special": False},
            r"the added token '<x>' is special=false: expected a plain special token, or allow=\['add",
        ),
        ({"lstrip": True, "rstrip": True}, r"the added token '<x>' is lstrip and rstrip: expected a plain special"),
        ({"single_word": True}, r"the added token '<x>' is single_word: expected a plain special token"),
        ({"id": 900}, r"the added token '<x>' has the id 900, and `tokenizers` would give it 700"),
        ({"id": "7"}, r"the added token '<x>' has the id '7', and `tokenizers` would give it 700"),
        ({"content": ""}, r"an added token has the content '': expected text"),
        ({"content": None}, r"an added token has the content None: expected text"),
        ({"content": "<|end|>"}, r"the added token '<\|end\|>' comes twice"),
        (
            {"content": "d|>x", "normalized": True},
            r"the added tokens '<\|end\|>' and 'd\|>x' can overlap, and differ in",
        ),
        ({"content": "x<|", "normalized": True}, r"the added tokens '<\|endoftext\|>' and 'x<\|' can overlap, and dif"),
        ({"content": "><", "normalized": True}, r"the added tokens '<\|endoftext\|>' and '><' can overlap, and differ"),
        (
            {"content": "oft", "normalized": True},
            r"the added tokens '<\|endoftext\|>' and 'oft' can overlap, and differ",
        ),
        (
            {"content": ">>", "normalized": True},
            r"the added tokens '<\|endoftext\|>' and '>>' can overlap, and differ in",
        ),
    ],
)
def test_added_tokens_that_are_not_plain_are_refused(
    gpt2: Path, token: dict[str, Any], message: str, tmp_path: Path
) -> None:
    added = json.loads(gpt2.read_text(encoding="utf-8"))["added_tokens"]
    path = changed(gpt2, tmp_path / "x.json", added_tokens=[*added, {"id": 700, "content": "<x>"} | ADDED | token])
    with pytest.raises(ValueError, match=f"^{path}: {message}"):
        read_huggingface(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not JSON \("),
        (b'{"model": ', r"not JSON \("),
        (b"\xff\xfe\xfa", r"not JSON \("),
        (b"[" * 100_000, r"not JSON \("),
        (b"[1, 2]", r"it holds a JSON list, expected an object"),
        (b"{}", r"its model is None: expected 'BPE'"),
        (b'{"model": {"vocab": {"a": 1, "a": 2}}}', r"the key 'a' comes twice"),
    ],
)
def test_damaged_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{path}: {message}") as caught:
        read_huggingface(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_refused(gpt2: Path, tmp_path: Path) -> None:
    content = gpt2.read_bytes()
    for length in range(0, len(content) - 1, 997):
        (tmp_path / "x.json").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"x.json: not JSON \("):
            read_huggingface(tmp_path / "x.json")


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    special_text = BPETokenizer(vocab_size=300, pattern=None, specials=SPECIALS)
    special_text.train(["<|end|>" * 50])
    own = next(token for token in special_text.model.tokens if token == b"<|end|>")
    with pytest.raises(
        ValueError, match=r"cannot be written: '<\|end\|>' is a special token, of id 1, and an ordinary"
    ):
        write_huggingface(special_text, tmp_path / "x.json")
    assert own and not (tmp_path / "x.json").exists()
    possessive = BPETokenizer(vocab_size=300, pattern=r"\p{L}{1,3}+")
    possessive.train(["some text"])
    with pytest.raises(ValueError, match=r"holds '\{1,3\}\+', which repeats in Oniguruma and is possessive"):
        write_huggingface(possessive, tmp_path / "x.json")
    with pytest.raises(ValueError, match="WordTokenizer is no byte-pair encoding: expected a BPETokenizer or a Pretr"):
        write_huggingface(WordTokenizer(), tmp_path / "x.json")
    with pytest.raises(ValueError, match="this BPETokenizer is not trained"):
        write_huggingface(BPETokenizer(), tmp_path / "x.json")
    with pytest.raises(ValueError, match="this PretrainedTokenizer is not trained"):
        write_huggingface(PretrainedTokenizer(path="x.json"), tmp_path / "x.json")
    twice = BPETokenizer(vocab_size=300)
    twice.load_state({"pattern": "gpt2", "merges": [[97, 97], [97, 256], [256, 97]], "ran_out": False})
    with pytest.raises(ValueError, match="two of its merges make the same token"):
        write_huggingface(twice, tmp_path / "x.json")


def test_a_failed_write_leaves_the_old_file(gpt2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, path = read_huggingface(gpt2), tmp_path / "x.json"
    path.write_text("old")

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_huggingface(ours, path)
    assert path.read_text() == "old"


def test_their_model_alone_has_no_bytes(tmp_path: Path) -> None:
    """Not byte-level: whole characters, cut at white space."""
    theirs = tokenizers.Tokenizer(models.BPE())
    theirs.pre_tokenizer = pre_tokenizers.Whitespace()
    theirs.train_from_iterator(["some text"])
    theirs.save(str(tmp_path / "x.json"))
    with pytest.raises(
        ValueError, match=r"its pre_tokenizer is Whitespace: expected ByteLevel, or Split and then Byte"
    ):
        read_huggingface(tmp_path / "x.json")


def test_what_is_allowed_to_differ(gpt2: Path, tmp_path: Path) -> None:
    added = json.loads(gpt2.read_text(encoding="utf-8"))["added_tokens"]
    added.append({"id": 700, "content": "<tool>"} | ADDED | {"special": False})
    path = changed(gpt2, tmp_path / "x.json", normalizer={"type": "NFC"}, added_tokens=added)
    with pytest.raises(ValueError, match="normalizer NFC"):
        read_huggingface(path, allow=["added_tokens"])
    with pytest.raises(ValueError, match="the added token '<tool>' is special=false"):
        read_huggingface(path, allow=["normalizer"])
    ours, theirs = (
        read_huggingface(path, allow=["normalizer", "added_tokens"]),
        tokenizers.Tokenizer.from_file(str(path)),
    )
    text = "call <tool>caf\u00e9<|end|>"
    assert ours.encode(text, allowed_special="all") == ids_with_specials(theirs, text)
    assert ours.encode("<tool>", allowed_special="all") == [700]
    assert ours.decode(ours.encode("cafe\u0301")) == "cafe\u0301"  # theirs gives caf\u00e9
    with pytest.raises(ValueError, match=r"allow='normaliser': expected a list of some of normalizer, added_tokens"):
        PretrainedTokenizer(path="x.json", allow=["normaliser"])
    with pytest.raises(ValueError, match=r"allow='normalizer': expected a list of some of normalizer, added_tokens"):
        PretrainedTokenizer(path="x.json", allow="normalizer")
