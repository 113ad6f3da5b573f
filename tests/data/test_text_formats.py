"""Every format of `TextFiles`, plain and compressed: what is written comes back, and what is damaged is named."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import re
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data import TextFiles
from zoo.data.corpora import _text_readers


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd,
}
compressions = st.sampled_from(sorted(COMPRESS))
texts = st.lists(st.text(max_size=12) | st.text('",\r\n\t\0\ufeff é', max_size=6), max_size=8)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(content: bytes, name: str, **options: Any) -> tuple[list[str], list[str]]:
    """(documents, notes) of one file with this content, written in the current folder."""
    Path(name).write_bytes(COMPRESS[Path(name).suffix if Path(name).suffix in COMPRESS else ""](content))
    corpus = TextFiles(paths=[name], **options)
    return list(corpus.documents()), corpus.notes()


def empties(found: list[str]) -> int:
    return sum(not text for text in found)


def counted_empties(notes: list[str]) -> int:
    """What the notes say of empty documents, when they say nothing else."""
    if not notes:
        return 0
    (note,) = notes
    found = re.match(r"(\d+) empty documents? left out \(first: ", note)
    assert found
    return int(found[1])


@given(texts, compressions, st.booleans(), st.sampled_from([".jsonl", ".ndjson"]))
def test_json_lines_round_trip(found: list[str], compression: str, escape: bool, suffix: str) -> None:
    lines = "".join(json.dumps({"id": 1, "body": text}, ensure_ascii=escape) + "\n\n" for text in found)
    documents, notes = read(lines.encode(), f"a{suffix}{compression}", text_field="body")
    assert documents == [text for text in found if text]
    assert counted_empties(notes) == empties(found)


@given(texts, compressions, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from([(".csv", ","), (".tsv", "\t")]))
def test_tables_round_trip(found: list[str], compression: str, line_end: str, kind: tuple[str, str]) -> None:
    suffix, delimiter = kind
    written = io.StringIO(newline="")
    rows = csv.writer(written, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    rows.writerows([["id", "the text"], *([text[::-1], text] for text in found)])
    documents, notes = read(written.getvalue().encode(), f"a{suffix}{compression}", text_field="the text")
    assert documents == [text for text in found if text]
    assert counted_empties(notes) == empties(found)


KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]


@given(texts, compressions, st.sampled_from(KINDS), st.sampled_from(["none", "snappy", "zstd"]), st.integers(1, 9))
def test_parquet_round_trip(found: list[str], compression: str, kind: pa.DataType, codec: str, group: int) -> None:
    column = pa.array(found, pa.string())
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    sink = io.BytesIO()
    table = pa.table({"id": list(range(len(found))), "body": column})
    pa.parquet.write_table(table, sink, compression=codec, row_group_size=group)
    documents, notes = read(sink.getvalue(), f"a.parquet{compression}", text_field="body")
    assert documents == [text for text in found if text]
    assert counted_empties(notes) == empties(found)


@given(st.text(), compressions, st.sampled_from([".txt", ".md"]))
def test_plain_text_round_trip(text: str, compression: str, suffix: str) -> None:
    documents, notes = read(text.encode(), f"a{suffix}{compression}")
    text = text.removeprefix("\ufeff")
    assert documents == ([text] if text else [])
    assert counted_empties(notes) == (not text)


LONG = "é" * 5_000_000  # 10 MB
TRAPS = {"NUL": "a\0b", "byte order mark": "a\ufeff", "line ends": "a\r\nb\rc\n", "10 MB": LONG}


def csv_of(text: str) -> bytes:
    return b'text\r\n"' + text.replace('"', '""').encode() + b'"\r\n'


def parquet_of(column: Any, name: str = "text") -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table({name: column}), sink)
    return sink.getvalue()


@pytest.mark.parametrize("trap", TRAPS)
def test_text_is_taken_as_it_is_in_every_format(trap: str) -> None:
    text = TRAPS[trap]
    assert read(text.encode(), "a.txt")[0] == [text]
    assert read(json.dumps({"text": text}).encode(), "a.jsonl")[0] == [text]
    assert read(csv_of(text), "a.csv")[0] == [text]
    assert read(parquet_of([text]), "a.parquet")[0] == [text]


def test_a_byte_order_mark_before_records_is_no_part_of_any() -> None:
    assert read(b"\xef\xbb\xbfa", "a.txt")[0] == read(b"\xef\xbb\xbfa", "a.md.gz")[0] == ["a"]
    assert read(json.dumps({"text": "\ufeffa"}).encode(), "a.jsonl")[0] == ["\ufeffa"]
    assert read(b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b"}\r\n', "a.jsonl")[0] == ["a", "b"]
    assert read(b"\xef\xbb\xbftext,id\r\na,1\r\n", "a.csv")[0] == ["a"]


def test_compressed_files_of_several_parts_are_read_to_the_end() -> None:
    for compression, compress in COMPRESS.items():
        Path(f"a.txt{compression}").write_bytes(compress(b"one ") + compress(b"two"))
        assert list(TextFiles(paths=[f"a.txt{compression}"]).documents()) == ["one two"]


def test_a_long_field_also_passes_in_a_thread_of_its_own_limit() -> None:
    """The csv module's limit is the process's: whoever lowers it between two readings does not cut the second."""
    before = csv.field_size_limit(1000)
    try:
        found: list[list[str]] = []
        thread = threading.Thread(target=lambda: found.append(read(csv_of("a" * 200_000), "a.csv")[0]))
        thread.start()
        thread.join()
        assert found == [["a" * 200_000]]
    finally:
        csv.field_size_limit(max(before, 2**31 - 1))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.xz", "a.txt"])
def test_memory_does_not_grow_with_the_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_text_readers, "_CHUNK_BYTES", 2**20)
    lines = {
        "jsonl": b'{"text": "' + b"a" * 990 + b'"}\n',
        "csv": b"a" * 1000 + b"\n",
        "txt": b"a" * 997 + b"---",
    }[name.split(".")[1]]
    num_lines = 20_000
    content = (b"text\n" if ".csv" in name else b"") + lines * num_lines
    Path(name).write_bytes(COMPRESS[Path(name).suffix if Path(name).suffix in COMPRESS else ""](content))
    del content
    tracemalloc.start()
    count = sum(1 for _ in TextFiles(paths=[name], separator="---").documents())
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == num_lines
    assert peak_bytes < 13e6  # of 20 MB; xz holds a window of 8 MiB


def test_a_row_group_of_parquet_is_not_held_as_a_whole() -> None:
    Path("a.parquet").write_bytes(
        parquet_of([f"{i} " + "ab" * 1000 for i in range(20_000)])  # 40 MB in one group of rows
    )
    pool = pa.default_memory_pool()
    most_bytes, before = 0, pool.bytes_allocated()
    for _ in TextFiles(paths=["a.parquet"]).documents():
        most_bytes = max(most_bytes, pool.bytes_allocated() - before)
    assert 0 < most_bytes < 20e6


@pytest.mark.parametrize("compression", [name for name in COMPRESS if name])
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv", ".parquet"])
def test_a_truncated_compressed_file_is_named(suffix: str, compression: str) -> None:
    name = f"a{suffix}{compression}"
    content = COMPRESS[compression](bytes(range(32, 127)) * 50)
    for length in (0, 5, len(content) // 2, len(content) - 3):
        Path(name).write_bytes(content[:length])
        with pytest.raises(ValueError, match=rf"^{re.escape(name)}: cannot be decompressed: \S.*$") as caught:
            list(TextFiles(paths=[name], bad_lines="skip", text_field=content_header(suffix)).documents())
        assert "\n" not in str(caught.value)


def content_header(suffix: str) -> str:
    """A column that the file's first row has, so that reading goes on to where it is cut."""
    row = bytes(range(32, 127)).decode() * 50
    return next(csv.reader([row]))[0] if suffix == ".csv" else "text"


@pytest.mark.parametrize("compression", [".gz", ".bz2", ".xz", ".zst"])
def test_a_file_that_is_not_compressed_is_named(compression: str) -> None:
    Path(f"a.txt{compression}").write_bytes(b"plain text, whatever its name says")
    with pytest.raises(ValueError, match=rf"^a\.txt\{compression}: cannot be decompressed: \S.*$"):
        list(TextFiles(paths=[f"a.txt{compression}"]).documents())


def test_a_damaged_parquet_file_is_named() -> None:
    content = parquet_of(["some text"] * 1000)
    middle = len(content) // 3
    for damaged in (
        b"",
        b"PAR1",
        content[:-9],
        content[: len(content) // 2],
        b"x" * 200,
        content[:4] + content[middle:],
    ):
        with pytest.raises(ValueError, match=r"^a\.parquet: not Parquet, or damaged: \S.*$") as caught:
            read(damaged, "a.parquet")
        assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_opened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.txt").write_text("a")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with (
        monkeypatch.context() as patch,
        pytest.raises(ValueError, match=r"^a\.txt: cannot be read: Permission denied$"),
    ):
        patch.setattr(Path, "open", refuse)
        list(TextFiles(paths=["a.txt"]).documents())


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.csv", b"Text,id\na,1\n", "a.csv: no column 'text'; columns there: Text, id; did you mean 'Text'?"),
        ("a.csv", b"", "a.csv: no column 'text'; columns there: none"),
        ("a.csv", b"text,text\na,b\n", "a.csv: expected one column 'text', got 2"),
        ("a.csv", b'"te"xt\na\n', "a.csv: the first row, which names the columns, is not CSV: "),
        ("a.csv", b'text,id\n"a\nb",1\nc\n', "a.csv:4: columns: expected 2 as in the first row, got 1"),
        ("a.csv", b"text\n\na,1\n", "a.csv:3: columns: expected 1 as in the first row, got 2"),
        ("a.csv", b'text\n"a" b\n', "a.csv:2: not CSV: "),
        ("a.csv", b'text\nb\n"a\n\n', "a.csv:3: not CSV: unexpected end of data"),
        ("a.csv", b"text\na\n\xff", "a.csv:3: not UTF-8 at byte 7 (0xff); `errors: replace` puts U+FFFD"),
        ("a.csv.gz", b"text\na\n\xff", "a.csv.gz:3: not UTF-8 at byte 7 of the decompressed text (0xff)"),
        ("a.txt.xz", b"ab\xff", "a.txt.xz: not UTF-8 at byte 2 of the decompressed text (0xff)"),
        ("a.tsv", b"text\tid\na\n", "a.tsv:2: columns: expected 2 as in the first row, got 1"),
        ("a.parquet", parquet_of(["a"], "texts"), "a.parquet: no column 'text'; columns there: texts; did you mean"),
        ("a.parquet", parquet_of([1]), "a.parquet: expected text in the column 'text', got int64"),
        ("a.parquet", parquet_of([["a"]]), "a.parquet: expected text in the column 'text', got list<"),
        ("a.parquet", parquet_of(["a", None]), "a.parquet, row 2: null in the column 'text'"),
        (
            "a.parquet",
            parquet_of(pa.array([b"a", b"a\xe9"])),
            "a.parquet, row 2: not UTF-8 at byte 1 of the text (0xe9); `errors: replace` puts",
        ),
    ],
)
def test_a_table_that_cannot_be_read_is_named_with_the_place(name: str, content: bytes, error: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(error)}") as caught:
        read(content, name)
    assert "\n" not in str(caught.value)


def test_invalid_bytes_are_replaced_and_counted_by_file() -> None:
    # U+FFFD that was there is no replacement; by the Unicode standard's practice a cut sequence is replaced once
    Path("a.txt").write_bytes(b"a\xffb\xf0\xef\xbf\xbdc\xe2\x82")
    Path("b.jsonl").write_bytes(b'{"text": "\xe9"}\n{"text": "fine"}\n')
    Path("c.parquet").write_bytes(parquet_of(pa.array([b"a\xe9", b"\xff"])))
    corpus = TextFiles(paths=["a.txt", "b.jsonl", "c.parquet"], errors="replace")
    assert list(corpus.documents()) == ["a�b��c�", "�", "fine", "a�", "�"]
    assert corpus.notes() == [
        "a.txt: U+FFFD in 3 places that were not UTF-8",
        "b.jsonl: U+FFFD in 1 place that were not UTF-8",
        "c.parquet: U+FFFD in 2 places that were not UTF-8",
    ]


@given(st.binary(max_size=40))
def test_replacing_is_what_python_calls_replace(data: bytes) -> None:
    documents, notes = read(data, "a.txt", errors="replace")
    data = data.removeprefix(codecs.BOM_UTF8)
    assert documents == ([data.decode(errors="replace")] if data else [])
    try:
        data.decode()
        assert not any("U+FFFD" in note for note in notes)
    except UnicodeDecodeError:
        assert any("U+FFFD" in note for note in notes)


def test_bad_lines_are_skipped_and_counted_by_reason_with_the_first_place() -> None:
    lines = ['{"text": "one"}', "{", "", '{"text": 1}', "[]", '{"t": ""}', '{"text": ""}', '{"text": "\\udc00"}']
    lines += ["[" * 100_000, '{"text": null}', '{"text": "two"}']
    Path("a.jsonl").write_text("\n".join(lines))
    Path("b.csv").write_text('id,text\n1,three\n2\n"a" b,4\n5,\n6,four\n7,"open\n')
    Path("c.parquet").write_bytes(parquet_of(["five", None, "", None]))
    corpus = TextFiles(paths=["a.jsonl", "b.csv", "c.parquet"], bad_lines="skip")
    assert list(corpus.documents()) == ["one", "two", "three", "four", "five"]
    assert corpus.notes() == [
        "2 records skipped: not JSON (first: a.jsonl:2)",
        "2 records skipped: no text in the field 'text' (first: a.jsonl:4)",
        "1 record skipped: not a JSON object (first: a.jsonl:5)",
        "1 record skipped: no field 'text' (first: a.jsonl:6)",
        "1 record skipped: half of a surrogate pair, which UTF-8 cannot encode (first: a.jsonl:8)",
        "1 record skipped: wrong number of columns (first: b.csv:3)",
        "2 records skipped: not CSV (first: b.csv:4)",
        "2 records skipped: null in the column 'text' (first: c.parquet, row 2)",
        "3 empty documents left out (first: a.jsonl:7)",
    ]


def test_notes_are_of_the_last_complete_reading() -> None:
    Path("a.txt").write_text("a----b")
    corpus = TextFiles(paths=["a.txt"], separator="--")
    assert corpus.notes() == []
    assert list(corpus.documents()) == ["a", "b"]
    assert corpus.notes() == ["1 empty document left out (first: a.txt, byte 3)"]
    next(corpus.documents())
    assert len(corpus.notes()) == 1  # one that breaks off says nothing yet
    Path("a.txt").write_text("a--b--")  # a separator may also end the last document
    assert list(corpus.documents()) == ["a", "b"]
    assert corpus.notes() == []
