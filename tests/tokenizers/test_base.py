"""What the base does for every tokenizer, held against definitions: special tokens, files, ids, saved state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.tokenizers import base
from zoo.tokenizers._files import read_text
from zoo.tokenizers.base import END_OF_TEXT, Ids, Tokenizer


class Thirds(Tokenizer):
    """Ids of three characters at a time: what stands before decides how text is cut, so special tokens show. It writes
    no constructor, and tells no place to cut."""

    lossless: ClassVar[bool] = False

    def __init__(self) -> None:  # does not call the base's: a user's class may know of no special tokens
        self.documents: list[str] = []

    @property
    def vocab_size(self) -> int:
        return 1 + 2**20

    def train(self, texts: Iterable[str]) -> None:
        self.documents = list(texts)

    def encode_array(self, text: str) -> Ids:
        parts = [text[i : i + 3] for i in range(0, len(text), 3)]
        return np.array([1 + hash(part) % 2**20 for part in parts], dtype=np.uint32)

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        return {"documents": self.documents}

    def load_state(self, state: dict[str, Any]) -> None:
        if state != {"documents": ["fine"]}:
            raise ValueError("not fine")
        self.documents = state["documents"]


class Cutting(Thirds):
    """As `Thirds`, and says where."""

    def cut(self, text: str) -> int:
        return len(text) // 3 * 3


def test_defaults_of_a_small_class() -> None:
    tokenizer = Thirds()
    assert tokenizer.specials == (END_OF_TEXT,) and tokenizer.end_of_text == 0 and tokenizer.options == {}
    assert tokenizer.cut("abc") == 0 and tokenizer.notes() == []
    assert len(tokenizer.encode(f"abc{END_OF_TEXT}abcd", allowed_special="all")) == 1 + 1 + 2


def test_a_lossy_class_must_say_what_it_loses() -> None:
    with pytest.raises(NotImplementedError, match=r"Thirds is lossy: it must say what it loses, in lost\(text\)"):
        Thirds().lost("abc")


@pytest.mark.parametrize(
    ("specials", "message"),
    [
        (END_OF_TEXT, r"specials='<\|endoftext\|>': expected a list of strings"),
        ([END_OF_TEXT, ""], "specials: '' is no special token: expected printable text"),
        ([END_OF_TEXT, "a\nb"], r"specials: 'a\\nb' is no special token: expected printable text"),
        ([END_OF_TEXT, "\ud800"], r"specials: '\\ud800' is no special token: expected printable text"),
        ([END_OF_TEXT, 3], "specials: 3 is no special token: expected printable text"),
        ([END_OF_TEXT, "<a>", "<a>"], "specials: '<a>' is given twice"),
        (["<a>"], r"specials=\['<a>'\]: expected '<\|endoftext\|>' among them, which stands between documents"),
        ([], r"specials=\[\]: expected '<\|endoftext\|>' among them"),
    ],
)
def test_useless_specials_are_refused(specials: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        base.Tokenizer.__init__(Thirds(), specials=specials)


@pytest.mark.parametrize("name", ["allowed_special", "disallowed_special"])
def test_a_str_for_a_set_of_specials_is_refused(name: str) -> None:
    """Else its letters would be taken for special tokens."""
    expected = rf"{name}='<\|endoftext\|>': expected 'all' or a set of special tokens"
    with pytest.raises(ValueError, match=expected):
        Thirds().encode("a", **{name: END_OF_TEXT})


def test_nearest_special_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"allowed_special names '<\|endofline\|>': .*did you mean '<\|endoftext\|>'\?"
    ):
        Thirds().encode("a", allowed_special=["<|endofline|>"])


@settings(max_examples=300, deadline=None)
@given(
    chunks=st.lists(st.text(alphabet="<ab>", max_size=6), max_size=12),
    specials=st.lists(st.text(alphabet="<ab>", min_size=1, max_size=4), max_size=4, unique=True),
    num_refused=st.integers(0, 2),
    stream_chars=st.integers(1, 9),
    cls=st.sampled_from([Thirds, Cutting]),
)
def test_streams_of_text_full_of_special_strings(
    chunks: list[str], specials: list[str], num_refused: int, stream_chars: int, cls: type[Tokenizer]
) -> None:
    """A special token begins the text anew: thirds are counted from it, wherever the chunks are cut."""
    tokenizer = cls()
    tokenizer.specials = (END_OF_TEXT, *specials)
    refused = set(specials[:num_refused])
    rules = {"allowed_special": set(specials) - refused, "disallowed_special": refused}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "_STREAM_CHARS", stream_chars)
        if any(special in "".join(chunks) for special in refused):
            for run in (
                lambda: tokenizer.encode("".join(chunks), **rules),
                lambda: [*stream(tokenizer, chunks, rules)],
            ):
                with pytest.raises(ValueError, match="the text holds the special token"):
                    run()
        else:
            assert [*stream(tokenizer, chunks, rules)] == tokenizer.encode("".join(chunks), **rules)


def stream(tokenizer: Tokenizer, chunks: list[str], rules: dict[str, Any]) -> Iterable[int]:
    return tokenizer.encode_iterable(iter(chunks), **rules)


def test_special_ids_match_their_order_wherever_end_of_text_stands() -> None:
    tokenizer = Thirds()
    tokenizer.specials = ("<a>", END_OF_TEXT)
    assert tokenizer.end_of_text == 1
    assert tokenizer.encode(f"<a>{END_OF_TEXT}", allowed_special="all")[:2] != tokenizer.encode_ordinary("<a><|")


BROKEN = [  # bytes, place and value of the first that is no UTF-8
    (b"\xff", 0, 0xFF),
    (b"fine \xc3\xa9 and \xc3(", 12, 0xC3),
    (b"cut at the end \xf0\x9f\x99", 15, 0xF0),
    (b"\xf0\x9f\x99\x82\xed\xa0\x80", 4, 0xED),  # a surrogate in UTF-8's clothes
    (b"a" * 1_000 + b"\x80" + b"b" * 1_000, 1_000, 0x80),
    (b"\xef\xbf\xbd\xc0\xaf", 3, 0xC0),
]


@pytest.mark.parametrize("read_bytes", [1, 2, 3, 5, 1024, 2**20])
@pytest.mark.parametrize(("content", "place", "byte"), BROKEN)
def test_invalid_bytes_in_a_file(
    content: bytes, place: int, byte: int, read_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_READ_BYTES", read_bytes)
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("a\ufffdb", encoding="utf-8")
    bad.write_bytes(content)
    tokenizer = Thirds()
    with pytest.raises(ValueError, match=rf"bad\.txt: not UTF-8 at byte {place} \(0x{byte:02x}\)$"):
        tokenizer.train_on_files([good, bad])
    text = content.decode("utf-8", errors="replace")
    own = content.count("\ufffd".encode())
    assert tokenizer.train_on_files([str(good), bad], errors="replace") == {bad: text.count("\ufffd") - own}
    assert tokenizer.documents == ["a\ufffdb", text]


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=60) | st.text(max_size=30).map(str.encode), read_bytes=st.integers(1, 9))
def test_a_file_read_in_chunks_is_its_text(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, read_bytes: int
) -> None:
    from collections import Counter

    path = tmp_path_factory.mktemp("read") / "text"
    path.write_bytes(content)
    replaced: Counter[Path] = Counter()
    text = content.decode("utf-8", errors="replace")
    assert "".join(read_text(path, "replace", read_bytes, replaced)) == text
    assert replaced[path] == text.count("\ufffd") - content.count("\ufffd".encode())
    try:
        content.decode()
    except UnicodeDecodeError as error:
        with pytest.raises(ValueError, match=rf"not UTF-8 at byte {error.start} "):
            list(read_text(path, "strict", read_bytes, replaced))
    else:
        assert "".join(read_text(path, "strict", read_bytes, replaced)) == text


def test_line_ends_and_marks_of_byte_order_stay(tmp_path: Path) -> None:
    (tmp_path / "dos.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    tokenizer = Thirds()
    tokenizer.train_on_files([tmp_path / "dos.txt"])
    assert tokenizer.documents == ["\ufeffone\r\ntwo\rthree\n"]


def test_files_are_cut_where_the_tokenizer_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_STREAM_CHARS", 10)
    monkeypatch.setattr(base, "_READ_BYTES", 5)
    (tmp_path / "a.txt").write_text("x" * 100)
    tokenizer = Cutting()
    tokenizer.train_on_files([tmp_path / "a.txt"])
    assert len(tokenizer.documents) > 5 and "".join(tokenizer.documents) == "x" * 100


def test_one_path_and_unknown_errors_are_refused(tmp_path: Path) -> None:
    for path in ("a.txt", Path("a.txt")):
        with pytest.raises(ValueError, match=r"train_on_files got one path: expected an iterable of .* \['a\.txt'\]"):
            Thirds().train_on_files(path)
    with pytest.raises(ValueError, match="errors='ignore': expected one of strict, replace"):
        Thirds().train_on_files([], errors="ignore")
    with pytest.raises(FileNotFoundError):
        Thirds().train_on_files([tmp_path / "missing.txt"])


def test_an_unusable_state_names_the_file(tmp_path: Path) -> None:
    Thirds().save(tmp_path / "mine.json")
    with pytest.raises(ValueError, match=r"mine\.json: not fine$"):
        Thirds().load(tmp_path / "mine.json")


def test_wrong_arguments_of_a_constructor_are_named() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'vocab'"):
        Thirds(vocab=3)
