"""Rank files: the ids of tiktoken for any ranks, and back; damaged files."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import tiktoken.load
import tiktoken_ext.openai_public as published
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interop.interop_cases import SOURCES, SPECIALS, theirs_trained, tiktoken_encoding
from tests.tokenizers.tokenizer_cases import TEXTS
from zoo.interop import ENCODINGS, PretrainedTokenizer, read_huggingface, read_tiktoken, write_tiktoken
from zoo.interop._alphabet import spelled
from zoo.tokenizers import BPETokenizer, ByteTokenizer
from zoo.tokenizers._pretokens import PATTERNS

BYTES = [bytes([byte]) for byte in range(256)]
END = {"<|endoftext|>": 5000}


def write_ranks(path: Path, ranks: dict[bytes, int]) -> Path:
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items()))
    return path


@pytest.fixture(autouse=True)
def no_download_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")  # tiktoken keeps a copy of every file that it reads, under its name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


@st.composite
def random_ranks(draw: st.DrawFn) -> dict[bytes, int]:
    """Any tokens over few bytes, some of them no UTF-8, with any ranks."""
    tokens = draw(st.lists(st.lists(st.sampled_from(list("ab é".encode())), min_size=2, max_size=6), max_size=30))
    all_tokens = list(dict.fromkeys([*BYTES, *map(bytes, tokens)]))
    ranks = draw(st.permutations(range(len(all_tokens)))) if draw(st.booleans()) else list(range(len(all_tokens)))
    step, first = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    return {token: first + step * rank for token, rank in zip(all_tokens, ranks, strict=True)}


@settings(max_examples=150, deadline=None)
@given(ranks=random_ranks(), pattern=st.sampled_from([None, *PATTERNS]), texts=st.lists(st.text("ab é"), min_size=1))
def test_any_ranks_give_the_ids_of_tiktoken(
    folder: Path, ranks: dict[bytes, int], pattern: str | None, texts: list[str]
) -> None:
    path = write_ranks(folder / "random.tiktoken", ranks)
    ours = read_tiktoken(path, pattern=pattern or "none", special_tokens=END)
    theirs = tiktoken_encoding(ranks, pattern)
    for text in [*texts, "".join(texts), "abé" * 50]:  # the last is longer than what is merged by looking at all
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)
    write_tiktoken(ours, folder / "again.tiktoken")
    assert tiktoken.load.load_tiktoken_bpe(str(folder / "again.tiktoken")) == ranks


@pytest.fixture(scope="module", params=PATTERNS)
def trained(request: pytest.FixtureRequest) -> BPETokenizer:
    tokenizer = BPETokenizer(vocab_size=900, pattern=request.param, specials=SPECIALS)
    tokenizer.train(SOURCES)
    return tokenizer


@settings(max_examples=80, deadline=None)
@given(text=TEXTS)
def test_what_we_write_tiktoken_reads_with_the_same_ids(folder: Path, trained: BPETokenizer, text: str) -> None:
    path = folder / f"{trained.pattern}.tiktoken"
    if not path.exists():
        assert write_tiktoken(trained, path) == trained.special_ids
    ranks = tiktoken.load.load_tiktoken_bpe(str(path))
    theirs = tiktoken_encoding(ranks, trained.pattern, trained.special_ids)
    again = read_tiktoken(path, pattern=trained.pattern, special_tokens=trained.special_ids)
    expected = theirs.encode(text, allowed_special="all")
    assert trained.encode(text, allowed_special="all") == expected
    assert again.encode(text, allowed_special="all") == expected
    assert again.decode(expected) == theirs.decode(expected) == text
    assert again.vocab_size == trained.vocab_size == theirs.n_vocab


def test_a_long_run_and_real_sources(folder: Path, trained: BPETokenizer) -> None:
    path = folder / "long.tiktoken"
    write_tiktoken(trained, path)
    again = read_tiktoken(path, pattern=trained.pattern, special_tokens=trained.special_ids)
    theirs = tiktoken_encoding(tiktoken.load.load_tiktoken_bpe(str(path)), trained.pattern, trained.special_ids)
    for text in [*SOURCES, "a" * 10_000, " " * 3000 + "x"]:
        assert again.encode_ordinary(text) == theirs.encode_ordinary(text) == trained.encode_ordinary(text)
    assert again.vocabulary.merges == trained.merges and again.vocabulary.whole == ()


def test_worked_example_of_wikipedia(tmp_path: Path) -> None:
    """https://en.wikipedia.org/wiki/Byte_pair_encoding, with the ids that the README of minbpe gives."""
    ranks = {token: i for i, token in enumerate([*BYTES, b"aa", b"aaa", b"aaab"])}
    path = write_ranks(tmp_path / "wikipedia", ranks)
    ours = read_tiktoken(path, pattern="none", special_tokens={"<|endoftext|>": 100257})
    assert ours.encode("aaabdaaabac") == [258, 100, 258, 97, 99]
    assert ours.end_of_text == 100257 and ours.vocab_size == 100258
    with pytest.raises(ValueError, match="id 300 stands for no token"):
        ours.decode([97, 300])


def test_from_huggingface_to_tiktoken(tmp_path: Path) -> None:
    theirs_trained().save(str(tmp_path / "tokenizer.json"))
    first = read_huggingface(tmp_path / "tokenizer.json")
    special_ids = write_tiktoken(first, tmp_path / "x.tiktoken")
    second = read_tiktoken(tmp_path / "x.tiktoken", pattern="gpt2", special_tokens=special_ids)
    for text in SOURCES:
        assert first.encode(text) == second.encode(text)


def test_encodings_are_those_of_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their ranks are a download; pattern and special tokens stand in the package."""
    monkeypatch.setattr(published, "load_tiktoken_bpe", lambda *args, **kwargs: {})
    monkeypatch.setattr(published, "data_gym_to_mergeable_bpe_ranks", lambda *args, **kwargs: {})
    for name, encoding in ENCODINGS.items():
        theirs = published.ENCODING_CONSTRUCTORS[name]()
        assert encoding.special_ids == theirs["special_tokens"], name
        assert PATTERNS[encoding.pattern] == theirs["pat_str"], name
    assert set(published.ENCODING_CONSTRUCTORS) - set(ENCODINGS) == {"o200k_harmony"}  # gives an id to two names


def test_an_encoding_gives_pattern_and_special_tokens(tmp_path: Path) -> None:
    path = write_ranks(tmp_path / "x.tiktoken", {token: i for i, token in enumerate(BYTES)})
    ours = read_tiktoken(path, encoding="cl100k_base", special_tokens={"<|im_start|>": 100264})
    assert ours.pattern == "cl100k" and ours.end_of_text == 100257
    assert ours.special_ids == ENCODINGS["cl100k_base"].special_ids | {"<|im_start|>": 100264}
    assert list(ours.specials) == sorted(ours.special_ids, key=ours.special_ids.__getitem__)


WRONG_LINES = [
    (b"YQ== 97 1\n", r"line 1: expected a token in base 64, a space and a rank, got 'YQ== 97 1'"),
    (b"\nYQ==\n", r"line 2: expected a token in base 64, a space and a rank, got 'YQ=='"),
    (b"YQ== -1\n", r"line 1: expected a token in base 64, a space and a rank, got 'YQ== -1'"),
    (b"YQ== 1.5\n", r"line 1: expected a token in base 64, a space and a rank, got 'YQ== 1.5'"),
    (b"YQ== 99999999999\n", r"line 1: expected a token in base 64, a space and a rank, got 'YQ== 99999999999'"),
    (b"Y!Q= 1\n", r"line 1: 'Y!Q=' is not base 64 \("),
    (b"==== 1\n", r"line 1: '====' is not base 64 \("),
    (b"YQ= 1\n", r"line 1: 'YQ=' is not base 64 \("),
    (b"YQ== 1\nYQ== 2\n", r"line 2: the token 'a' comes twice"),
    (b"YQ== 1\nYg== 1\n", r"254 of the 256 bytes have no token, 0x00 first: expected a byte-level vocabulary"),
    (b"", r"256 of the 256 bytes have no token, 0x00 first"),
    (b"\x0a\x0b\x08\xff\xfe and a protobuf of SentencePiece", r"line 2: expected a token in base 64, .*, got '"),
]


@pytest.mark.parametrize(("content", "message"), WRONG_LINES)
def test_damaged_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{path}: {message}") as caught:
        read_tiktoken(path, encoding="gpt2")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "specials", "message"),
    [
        ({b"ab": 97}, END, r"the tokens 'a' and 'ab' both have the id 97"),
        ({b"ab": 2**22}, END, r"the token 'ab' has the id 4194304: expected one in \[0, 4194303\]"),
        ({}, {"<|endoftext|>": 97}, r"the special token '<\|endoftext\|>' has the id 97, which is that of 'a'"),
        ({}, END | {"<|pad|>": 5000}, r"the special tokens '<\|endoftext\|>' and '<\|pad\|>' both have the id 5000"),
        ({}, {"<|endoftext|>": -1}, r"the special token '<\|endoftext\|>' has the id -1: expected one in \[0, "),
        ({}, END | {"": 300}, r"a special token is empty"),
        ({}, END | {"\ud800": 300}, r"the special token '\\ud800' holds a lone surrogate"),
        (
            {},
            {"<|end_of_text|>": 300, "<|pad|>": 301},
            r"there is no special token end_of_text='<\|endoftext\|>': expected one of <\|end_of_text\|>, <\|pad\|>"
            r"; did you mean '<\|end_of_text\|>'\?",
        ),
        ({}, None, r"there is no special token end_of_text='<\|endoftext\|>': expected one of nothing"),
    ],
)
def test_ids_that_cannot_be_are_refused(
    changes: dict[bytes, int], specials: dict[str, int] | None, message: str, tmp_path: Path
) -> None:
    path = write_ranks(tmp_path / "x.tiktoken", {token: i for i, token in enumerate(BYTES)} | changes)
    with pytest.raises(ValueError, match=f"^{path}: {message}"):
        read_tiktoken(path, pattern="gpt2", special_tokens=specials)


def test_useless_options_are_refused(tmp_path: Path) -> None:
    path = write_ranks(tmp_path / "x.tiktoken", {token: i for i, token in enumerate(BYTES)})
    with pytest.raises(ValueError, match=r"encoding='cl100k': expected one of gpt2, .*; did you mean 'cl100k_base'\?"):
        read_tiktoken(path, encoding="cl100k")
    with pytest.raises(ValueError, match="pattern='gpt2' and encoding='gpt2' both say how text is cut: expected one"):
        read_tiktoken(path, encoding="gpt2", pattern="gpt2")
    with pytest.raises(ValueError, match=r"x.tiktoken: a rank file does not state how text is cut: expected encoding="):
        read_tiktoken(path, special_tokens=END)
    with pytest.raises(ValueError, match=r"x.tiktoken: pattern='gtp2' is no preset .*; did you mean 'gpt2'\?"):
        read_tiktoken(path, pattern="gtp2", special_tokens=END)
    with pytest.raises(ValueError, match=r"y.tiktoken: no such file; did you mean 'x.tiktoken'\?"):
        read_tiktoken(tmp_path / "y.tiktoken", pattern="gpt2", special_tokens=END)


def test_what_tiktoken_would_merge_otherwise_is_not_written(tmp_path: Path) -> None:
    def pretrained(merges: list[str], whole: list[str], tokens: list[bytes]) -> PretrainedTokenizer:
        tokenizer = PretrainedTokenizer(path="nowhere.json")
        ids = {spelled(token): i for i, token in enumerate([*BYTES, *tokens])}
        state = {"pattern": None, "tokens": ids, "merges": merges, "whole": whole, "special_ids": END}
        tokenizer.load_state(state)
        return tokenizer

    path = tmp_path / "x.tiktoken"
    write_tiktoken(pretrained(["a b", "b c"], [], [b"ab", b"bc"]), path)
    write_tiktoken(pretrained(["a b"], ["xyz"], [b"ab", b"xyz"]), path)
    with pytest.raises(ValueError, match="cannot be written: in a rank file pairs merge by the id of what they make, "):
        write_tiktoken(pretrained(["b c", "a b"], [], [b"ab", b"bc"]), path)
    with pytest.raises(ValueError, match="here 'a' 'bc' merges otherwise"):  # tiktoken makes abc, whatever the merges
        write_tiktoken(pretrained(["b c"], [], [b"bc", b"abc"]), path)
    with pytest.raises(ValueError, match="is taken as it stands, and here 'xyz' is not"):
        write_tiktoken(pretrained(["a b"], [], [b"ab", b"xyz"]), path)
    with pytest.raises(ValueError, match="ByteTokenizer is no byte-pair encoding: expected a BPETokenizer or a Pre"):
        write_tiktoken(ByteTokenizer(), path)
    with pytest.raises(ValueError, match="this BPETokenizer is not trained"):
        write_tiktoken(BPETokenizer(), path)
