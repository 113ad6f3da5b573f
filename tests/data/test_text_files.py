from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data import TextFiles
from zoo.data.corpora import _text_readers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def documents(*paths: str, **options: str) -> list[str]:
    return list(TextFiles(paths=paths, **options).documents())


def test_files_come_in_the_order_asked_the_matches_of_a_glob_sorted_and_each_once(folder: Path) -> None:
    for name in ("b.txt", "a.txt", "deep/er/c.txt", "[x].txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    assert documents("b.txt", "?.txt", "deep/**/*.txt", "./a.txt") == ["b.txt", "a.txt", "deep/er/c.txt"]
    assert documents("[x].txt") == ["[x].txt"]  # a name that is there is no glob


def test_text_is_taken_as_it_is(folder: Path) -> None:
    (folder / "a.txt").write_bytes("é\ufeff\r\nb\r".encode())
    assert documents("a.txt") == ["é\ufeff\r\nb\r"]


def test_a_byte_order_mark_before_plain_text_is_no_text(folder: Path) -> None:
    for name in ("a.txt", "a.md"):
        (folder / name).write_bytes(b"\xef\xbb\xbfone--\xef\xbb\xbftwo")
        assert documents(name) == ["one--\ufefftwo"]
        assert documents(name, separator="--") == ["one", "\ufefftwo"], "only where a file starts"
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbf")
    corpus = TextFiles(paths=["a.txt"])
    assert list(corpus.documents()) == [] and corpus.notes() == ["1 empty document left out (first: a.txt)"]
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfa\xff")
    with pytest.raises(ValueError, match=r"^a\.txt: not UTF-8 at byte 4 \(0xff\)"):  # of the file
        documents("a.txt")
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfa\xffb")
    assert documents("a.txt", errors="replace") == ["a\ufffdb"]


def test_a_store_that_still_holds_a_byte_order_mark_is_not_taken_for_one_without(folder: Path) -> None:
    """Of files that have none, the fingerprint is what it was."""
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfa")
    options = repr(("text", None, "strict", "error")).encode()
    before = hashlib.sha256(options + b".txt\0" + hashlib.sha256(b"\xef\xbb\xbfa").digest()).hexdigest()
    assert TextFiles(paths=["a.txt"]).fingerprint() != before
    (folder / "a.txt").write_bytes(b"a")
    before = hashlib.sha256(options + b".txt\0" + hashlib.sha256(b"a").digest()).hexdigest()
    assert TextFiles(paths=["a.txt"]).fingerprint() == before


def test_the_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    (folder / "home" / "texts").mkdir(parents=True)
    (folder / "home" / "texts" / "a.txt").write_text("a")
    assert documents("~/texts/*.txt") == documents("~/texts/a.txt") == ["a"]
    (folder / "~b.txt").write_text("b")
    assert documents("~b.txt") == ["b"], "a name that is there is itself"


def test_a_hint_for_one_large_file(folder: Path) -> None:
    (folder / "input.txt").write_text("a\n\nb")
    (folder / "a.jsonl").write_text("{}")
    (hint,) = TextFiles(paths=["input.txt"]).hints()
    assert hint.endswith("""'--data.corpus.separator="\\n\\n"' (the quotes too)""")
    assert TextFiles(paths=["input.txt"], separator="\n\n").hints() == TextFiles(paths=["a.jsonl"]).hints() == []


@given(
    st.lists(st.text("ab-é\n", max_size=6), max_size=8),
    st.sampled_from(["--", "\n\n", "é", "<|e|>"]),
    st.integers(1, 9),
)
def test_separated_documents_are_those_of_split(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], separator: str, chunk_bytes: int
) -> None:
    text = separator.join(pieces)
    path = tmp_path_factory.mktemp("split") / "a.txt"
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_text_readers, "_CHUNK_BYTES", chunk_bytes)
        found = documents(str(path), separator=separator)
    assert found == [piece for piece in text.split(separator) if piece]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.txt", "aé".encode() + b"\xff", "a.txt: not UTF-8 at byte 3 (0xff); `errors: replace` puts U+FFFD in"),
        ("a.txt", b"ab--c\xe9d", "a.txt: not UTF-8 at byte 5 (0xe9)"),
        (
            "a.jsonl",
            b'{"text": "a"}\n{"text": "\xff"}',
            "a.jsonl:2: not UTF-8 at byte 24 (0xff); `errors: replace` puts ",
        ),
        ("a.jsonl", b'{"text": "a"}\n\n{"text": "a}\n', "a.jsonl:3: not JSON: Unterminated string"),
        ("a.jsonl", b'{"Text": "a", "id": 3}', "a.jsonl:1: no field 'text'; fields there: Text, id"),
        (
            "a.jsonl",
            b'{"texts": "a", "id": 3}',
            "a.jsonl:1: no field 'text'; fields there: texts, id; did you mean 'texts'?",
        ),
        ("a.jsonl", b"{}", "a.jsonl:1: no field 'text'; fields there: none"),
        ("a.jsonl", b'["a"]', "a.jsonl:1: expected a JSON object with a field 'text', got ['a']"),
        ("a.jsonl", b'{"text": 3}', "a.jsonl:1: expected text in the field 'text', got 3"),
        ("a.jsonl", b'{"text": "\\ud800"}', "a.jsonl:1: '\\ud800' is no character that UTF-8 can encode"),
        ("a.TXT", b"\xff", "a.TXT: not UTF-8 at byte 0 (0xff)"),
        (
            "a.doc",
            b"a",
            "a.doc: expected a file of .txt, .md, .jsonl, .ndjson, .csv, .tsv, .parquet, also with .gz, .bz2, .xz, "
            ".zst, got '.doc'",
        ),
        ("a.gz", b"a", "a.gz: expected a file of .txt, "),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place(
    folder: Path, name: str, content: bytes, error: str
) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(error)}") as caught:
        documents(name, separator="--")
    assert "\n" not in str(caught.value)


def test_no_file(folder: Path) -> None:
    (folder / "sub").mkdir()
    with pytest.raises(ValueError, match=re.escape(f"no file matches 'a*.txt' in {folder}")):
        TextFiles(paths=["a*.txt"]).fingerprint()
    with pytest.raises(ValueError, match=r"no file matches 'sub/' in .*: it is a folder, as a glob sub/\*\*/\*\.txt$"):
        documents("sub/")


def test_arguments_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^paths='a.txt': expected a list of files or globs$"):
        TextFiles(paths="a.txt")
    with pytest.raises(ValueError, match=r"^paths=\[\]: expected a list of files or globs$"):
        TextFiles(paths=[])
    with pytest.raises(ValueError, match=r"^separator='' separates nothing: expected text, or null"):
        TextFiles(paths=["a.txt"], separator="")
    with pytest.raises(ValueError, match=r"^errors='replce': expected strict or replace; did you mean 'replace'\?$"):
        TextFiles(paths=["a.txt"], errors="replce")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^bad_lines='ignore': expected error or skip$"):
        TextFiles(paths=["a.txt"], bad_lines="ignore")  # type: ignore[arg-type]


def test_the_fingerprint_is_of_contents_and_options_not_of_places(folder: Path) -> None:
    for name, text in {
        "a.txt": "one",
        "b.txt": "two",
        "copy.txt": "one",
        "a.jsonl": "one",
        "a.jsonl.gz": "one",
    }.items():
        (folder / name).write_text(text)
    assert TextFiles(paths=["a.txt"]).fingerprint() == TextFiles(paths=["copy.txt"]).fingerprint()
    different = [
        TextFiles(paths=["a.txt"]),
        TextFiles(paths=["b.txt"]),
        TextFiles(paths=["a.txt", "b.txt"]),
        TextFiles(paths=["b.txt", "a.txt"]),
        TextFiles(paths=["a.jsonl"]),
        TextFiles(paths=["a.txt"], separator="n"),
        TextFiles(paths=["a.txt"], text_field="body"),
        TextFiles(paths=["a.txt"], errors="replace"),
        TextFiles(paths=["a.txt"], bad_lines="skip"),
        TextFiles(paths=["a.jsonl.gz"]),  # the same bytes, and other documents
    ]
    assert len({corpus.fingerprint() for corpus in different}) == len(different)
