"""`vocab.json` and `merges.txt`: the ids of the `tokenizers` package, both ways; damaged files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from tokenizers import models, pre_tokenizers

from tests.interop.interop_cases import SOURCES, SPECIALS, ids_of_plain_text, ids_with_specials, theirs_trained
from tests.tokenizers.tokenizer_cases import TEXTS
from zoo.interop import PretrainedTokenizer, read_gpt2, read_tiktoken, write_gpt2, write_tiktoken
from zoo.interop._alphabet import CHARACTER_OF
from zoo.tokenizers import BPETokenizer

SPECIAL_IDS = {special: i for i, special in enumerate(SPECIALS)}


@pytest.fixture(scope="module")
def theirs() -> tokenizers.Tokenizer:
    return theirs_trained()


@pytest.fixture(scope="module")
def folder(theirs: tokenizers.Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written by the `tokenizers` package."""
    folder = tmp_path_factory.mktemp("gpt2")
    assert [Path(path).name for path in theirs.model.save(str(folder))] == ["vocab.json", "merges.txt"]
    return folder


@pytest.fixture(scope="module")
def read(folder: Path) -> PretrainedTokenizer:
    return read_gpt2(folder, special_tokens=SPECIAL_IDS)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_what_they_write_we_read_with_the_same_ids(
    theirs: tokenizers.Tokenizer, read: PretrainedTokenizer, text: str
) -> None:
    ids = ids_with_specials(theirs, text)
    assert read.encode(text, allowed_special="all") == ids
    assert read.encode_ordinary(text) == ids_of_plain_text(theirs, text)
    assert read.decode(ids) == text


@pytest.fixture(scope="module")
def trained() -> BPETokenizer:
    tokenizer = BPETokenizer(vocab_size=700, specials=SPECIALS)
    tokenizer.train(SOURCES)
    return tokenizer


@pytest.fixture(scope="module")
def their_reading(trained: BPETokenizer, tmp_path_factory: pytest.TempPathFactory) -> tokenizers.Tokenizer:
    folder = tmp_path_factory.mktemp("written") / "new"
    write_gpt2(trained, folder)
    model = models.BPE.from_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
    theirs = tokenizers.Tokenizer(model)
    theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.add_special_tokens(SPECIALS)
    return theirs


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_what_we_write_they_read_with_the_same_ids(
    trained: BPETokenizer, their_reading: tokenizers.Tokenizer, text: str
) -> None:
    assert ids_with_specials(their_reading, text) == trained.encode(text, allowed_special="all")
    assert ids_of_plain_text(their_reading, text) == trained.encode_ordinary(text)


def test_the_way_back(theirs: tokenizers.Tokenizer, read: PretrainedTokenizer, folder: Path, tmp_path: Path) -> None:
    write_gpt2(read, tmp_path)
    assert json.loads((tmp_path / "vocab.json").read_text()) == json.loads((folder / "vocab.json").read_text())
    lines = (tmp_path / "merges.txt").read_text(encoding="utf-8").split("\n")
    assert lines == (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    assert lines[0] == "#version: 0.2" and lines[-1] == ""
    again = read_gpt2(tmp_path / "vocab.json", special_tokens=SPECIAL_IDS)
    for text in SOURCES:
        assert again.encode(text) == read.encode(text) == ids_with_specials(theirs, text)


def test_by_default_one_token_is_special(folder: Path) -> None:
    """The files do not say which are: "<|end|>" is then a token that nothing makes."""
    tokenizer = read_gpt2(folder)
    assert tokenizer.special_ids == {"<|endoftext|>": 0} and tokenizer.end_of_text == 0
    assert tokenizer.decode([1]) == "<|end|>" and 1 not in tokenizer.encode("<|end|>")
    assert read_gpt2(folder, end_of_text="<|end|>").end_of_text == 1
    with pytest.raises(ValueError, match=r"there is no special token end_of_text='</s>': expected one of nothing"):
        read_gpt2(folder, end_of_text="</s>")


def test_a_special_token_beside_the_vocabulary(folder: Path) -> None:
    tokenizer = read_gpt2(folder, special_tokens={"<|endoftext|>": 0, "<|pad|>": 1000})
    assert tokenizer.encode("<|pad|>", allowed_special="all") == [1000] and tokenizer.vocab_size == 1001


def test_names_of_files(folder: Path, tmp_path: Path) -> None:
    """GPT-2's own names, those of `transformers`' first releases, and any."""
    vocab, merges = (folder / "vocab.json").read_bytes(), (folder / "merges.txt").read_bytes()
    names = [("encoder.json", "vocab.bpe"), ("gpt2-vocab.json", "gpt2-merges.txt"), ("a", "b")]
    for vocab_name, merges_name in names:
        (tmp_path / vocab_name).write_bytes(vocab)
        (tmp_path / merges_name).write_bytes(merges)
        assert read_gpt2(tmp_path / vocab_name, tmp_path / merges_name).state() == read_gpt2(folder).state()
    assert read_gpt2(tmp_path / "gpt2-vocab.json").state() == read_gpt2(folder).state()
    with pytest.raises(ValueError, match=r"encoder.json: which file holds its merges\? expected merges_path="):
        read_gpt2(tmp_path / "encoder.json")
    (tmp_path / "vocab.json").write_bytes(vocab)
    with pytest.raises(ValueError, match=r"merges.txt: no such file; did you mean '.*'\?"):
        read_gpt2(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: a folder without vocab.json"):
        read_gpt2(tmp_path / "empty")


def test_windows_line_ends_and_no_header(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "merges.txt").read_bytes().split(b"\n")
    (tmp_path / "vocab.json").write_bytes((folder / "vocab.json").read_bytes())
    for content in (b"\r\n".join(lines), b"\n".join(lines[1:]), b"\n".join(lines[:-1])):
        (tmp_path / "merges.txt").write_bytes(content)
        assert read_gpt2(tmp_path).state() == read_gpt2(folder).state()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("#version: 0.2\na b\na b c\n", r"merges.txt: line 3: 'a b c': expected two tokens"),
        ("#version: 0.2\nab\n", r"merges.txt: line 2: 'ab': expected two tokens"),
        ("i n\ni n\n", r"merges.txt: line 2: the merge 'i n' comes twice"),
        ("i n\n#version: 0.2\n", r"merges.txt: line 2: '#version: 0.2' looks like the header: expected it in line 1"),
        ("i \u2581\n", r"merges.txt: line 1: the token '\u2581' holds '\u2581' \(U\+2581\), which stands for no byte"),
        ("i  n\n", r"merges.txt: line 1: 'i  n': expected two tokens"),
        ("i \n", r"merges.txt: line 1: a token is empty"),
        ("zqx y\n", r"vocab.json: merge 0 names 'zqx', which is no token"),
        ("# \u0100\n", r"vocab.json: merge 0 makes '#\u0100', which is no token"),
    ],
)
def test_damaged_merges_are_refused(folder: Path, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_bytes((folder / "vocab.json").read_bytes())
    (tmp_path / "merges.txt").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=f"^{tmp_path}/{message}") as caught:
        read_gpt2(tmp_path)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_refused(folder: Path, tmp_path: Path) -> None:
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    (tmp_path / "merges.txt").write_bytes(b"\xff\n")
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    with pytest.raises(ValueError, match=r"merges.txt: not UTF-8 at byte 0"):
        read_gpt2(tmp_path)
    (tmp_path / "merges.txt").write_text("")
    for content, message in [
        ("[]", "it holds a JSON list, expected an object"),
        ('{"a": 1', r"not JSON \("),
        (json.dumps(vocab | {"a b": 5}), r"the token 'a b' holds ' ' \(U\+0020\), which stands for no byte"),
        (
            json.dumps(vocab | {"<|endoftext|>": "0"}),
            r"the special token '<\|endoftext\|>' has the id '0': expected one",
        ),
        (json.dumps(vocab | {"a": None}), r"the token 'a' has the id None: expected one in \[0, 4194303\]"),
        (json.dumps({"<|endoftext|>": 0}), r"256 of the 256 bytes have no token, 0x00 first: expected a byte-level"),
    ]:
        (tmp_path / "vocab.json").write_text(content)
        with pytest.raises(ValueError, match=f"vocab.json: {message}"):
            read_gpt2(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    with pytest.raises(ValueError, match=r"the token '<\|endoftext\|>' has the id 0, and special_tokens says 5"):
        read_gpt2(tmp_path, special_tokens={"<|endoftext|>": 5})


def test_what_cannot_be_written(trained: BPETokenizer, tmp_path: Path) -> None:
    other = BPETokenizer(vocab_size=300, pattern="cl100k")
    other.train(SOURCES)
    with pytest.raises(
        ValueError, match=r"cannot be written: vocab.json and merges.txt mean the pattern 'gpt2', and here"
    ):
        write_gpt2(other, tmp_path / "x")
    write_tiktoken(trained, tmp_path / "x.tiktoken")
    with (tmp_path / "x.tiktoken").open("a") as file:
        file.write("enF4enF4 9000\n")  # zqxzqx, which nothing makes
    whole = read_tiktoken(tmp_path / "x.tiktoken", pattern="gpt2", special_tokens=SPECIAL_IDS)
    with pytest.raises(
        ValueError, match=r"merges.txt has nothing but merges, and here 'zqxzqx' is a token that none mak"
    ):
        write_gpt2(whole, tmp_path / "x")
    header = BPETokenizer(vocab_size=300)
    merges = [[ord("#"), ord("v")], [256, ord("e")], [257, ord("r")], [258, ord("s")], [259, ord("i")]]
    merges += [[260, ord("o")], [261, ord("n")], [262, ord("!")]]
    header.load_state({"pattern": "gpt2", "merges": merges, "ran_out": False})
    with pytest.raises(ValueError, match=r"the merge '#version !' would be read as the header of merges.txt"):
        write_gpt2(header, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_alphabet_is_that_of_gpt2() -> None:
    """As GPT-2's encoder.py builds it, and as `tokenizers` lists it."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    characters, n = {byte: chr(byte) for byte in printable}, 0
    for byte in range(256):
        if byte not in characters:
            characters[byte] = chr(256 + n)
            n += 1
    assert characters == CHARACTER_OF
    assert set(CHARACTER_OF.values()) == set(pre_tokenizers.ByteLevel.alphabet())
    assert CHARACTER_OF[ord(" ")] == "Ġ" and CHARACTER_OF[ord("\n")] == "Ċ"
