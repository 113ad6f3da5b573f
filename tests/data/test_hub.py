"""`HubDataset` on what this machine holds; what it asks of the hub is tested in test_hub_repository.py."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import HubDataset

TEXTS = [f"document {i} é\n\0" for i in range(150)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    yield tmp_path


def write_parquet(path: str, column: Any, name: str = "text") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pa.parquet.write_table(pa.table({name: column, "id": list(range(len(column)))}), path, row_group_size=40)


def write_json(path: str, texts: list[str | None], field: str = "text") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("".join(json.dumps({"id": i, field: text}) + "\n" for i, text in enumerate(texts)))


def documents(**options: Any) -> list[str]:
    return list(HubDataset(**options).documents())


@pytest.mark.parametrize("streaming", [False, True])
def test_a_folder_of_any_format_gives_its_documents_in_order(streaming: bool) -> None:
    write_parquet("p/train-00000-of-00002.parquet", TEXTS[:90])
    write_parquet("p/train-00001-of-00002.parquet", TEXTS[90:])
    write_json("j/data/train.jsonl", list(TEXTS))
    plain = [text.replace("\0", "") for text in TEXTS]  # pandas, which reads CSV there, ends text at NUL
    Path("c").mkdir()
    Path("c/a.csv").write_text("id,text\n" + "".join(f'{i},"{text}"\n' for i, text in enumerate(plain)))
    assert documents(path="p", streaming=streaming) == TEXTS
    assert documents(path="./j", streaming=streaming) == TEXTS
    assert documents(path="c", streaming=streaming) == plain


@pytest.mark.parametrize("streaming", [False, True])
def test_a_format_reads_data_files(folder: Path, streaming: bool) -> None:
    write_json("b.jsonl", ["one"], "body")
    write_json("a2.json", ["two"], "body")
    write_json("a1.json", ["three"], "body")
    options: dict[str, Any] = {"path": "json", "text_field": "body", "streaming": streaming}
    assert documents(data_files=["b.jsonl", "a?.json"], **options) == ["one", "three", "two"]
    assert documents(data_files=[str(folder / "a2.json")], **options) == ["two"]


@pytest.mark.parametrize("streaming", [False, True])
def test_what_save_to_disk_wrote_is_read(streaming: bool) -> None:
    plain = datasets.Dataset.from_dict({"text": TEXTS, "id": list(range(len(TEXTS)))})
    plain.save_to_disk("plain")
    plain.select([5, 3]).save_to_disk("selected")
    datasets.DatasetDict({"train": plain, "held_out": plain.select(range(3))}).save_to_disk("splits")
    assert documents(path="plain", streaming=streaming) == TEXTS
    assert documents(path="selected", streaming=streaming) == [TEXTS[5], TEXTS[3]]
    assert documents(path="splits", streaming=streaming) == TEXTS
    assert documents(path="splits", split="held_out", streaming=streaming) == TEXTS[:3]
    with pytest.raises(ValueError, match=r"^splits: no split 'heldout'; splits there: .*; did you mean 'held_out'\?$"):
        documents(path="splits", split="heldout", streaming=streaming)
    with pytest.raises(ValueError, match=r"^splits: expected one of its splits, .*, got split='train\+held_out'$"):
        documents(path="splits", split="train+held_out", streaming=streaming)


@settings(max_examples=20, deadline=None)  # the first example imports
@given(st.lists(st.text(max_size=9), min_size=1, max_size=9), st.booleans())
def test_any_text_comes_back(texts: list[str], streaming: bool) -> None:
    shutil.rmtree("any", ignore_errors=True)
    write_parquet("any/train.parquet", pa.array(texts, pa.string()))
    corpus = HubDataset(path="any", streaming=streaming)
    assert list(corpus.documents()) == [text for text in texts if text]
    assert bool(corpus.notes()) == ("" in texts)


def test_splits_add_up_and_slice() -> None:
    write_parquet("p/train.parquet", TEXTS[:100])
    write_parquet("p/validation.parquet", TEXTS[100:])
    assert documents(path="p") == TEXTS[:100]
    for streaming in (False, True):
        assert documents(path="p", split="train+validation", streaming=streaming) == TEXTS
    assert documents(path="p", split="train[:10%]+validation[-3:]") == TEXTS[:10] + TEXTS[-3:]
    for streaming in (False, True):
        with pytest.raises(ValueError, match=r"^p: no split 'valid'; splits there: train, validation; did you mean 'v"):
            documents(path="p", split="train+valid", streaming=streaming)
    with pytest.raises(ValueError, match=r"^p: cannot be read: ValueError: ") as caught:
        documents(path="p", split="train[:a]")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("streaming", [False, True])
def test_rows_without_text_are_refused_or_counted(streaming: bool) -> None:
    write_parquet("p/train.parquet", ["one", None, "", "two", None])
    write_json("j/train.jsonl", [None, "one"])
    corpus = HubDataset(path="p", bad_lines="skip", streaming=streaming)
    assert list(corpus.documents()) == ["one", "two"]
    assert corpus.notes() == [
        "2 records skipped: null in the column 'text' (first: p, train row 2)",
        "1 empty document left out (first: p, train row 3)",
    ]
    assert documents(path="j", bad_lines="skip", streaming=streaming) == ["one"]
    write_json("n/train.jsonl", [None, None])
    assert documents(path="n", bad_lines="skip", streaming=streaming) == []
    with pytest.raises(ValueError, match=r"^p, train row 2: null in the column 'text'$"):
        documents(path="p", streaming=streaming)
    first = HubDataset(path="p", num_documents=1, streaming=streaming)  # that null is beyond the first document
    assert list(first.documents()) == ["one"]
    two = HubDataset(path="p", num_documents=2, bad_lines="skip", streaming=streaming)
    assert list(two.documents()) == ["one", "two"]
    assert len(two.notes()) == 2


def test_the_fingerprint_is_of_contents_and_options_not_of_places_nor_of_streaming() -> None:
    write_parquet("p/train.parquet", TEXTS)
    write_parquet("p/test.parquet", TEXTS[:50])
    write_parquet("q/train.parquet", TEXTS[1:])
    shutil.copytree("p", "copy/of/p2")
    datasets.Dataset.from_dict({"text": TEXTS}).save_to_disk("saved")
    datasets.Dataset.from_dict({"text": TEXTS[1:]}).save_to_disk("saved1")
    same = [HubDataset(path=path, streaming=s) for path in ("p", "copy/of/p2") for s in (False, True)]
    same += [HubDataset(path="parquet", data_files=["copy/of/p2/train.*"])]  # what the folder comes down to
    assert len({corpus.fingerprint() for corpus in same}) == 1
    different = [
        HubDataset(path="p"),
        HubDataset(path="q"),
        HubDataset(path="p", split="test"),
        HubDataset(path="p", split="train+test"),
        HubDataset(path="p", split="train[:10%]"),
        HubDataset(path="p", text_field="id"),
        HubDataset(path="p", num_documents=3),
        HubDataset(path="p", bad_lines="skip"),
        HubDataset(path="parquet", data_files=["p/*.parquet"]),
        HubDataset(path="parquet", data_files=["p/train.parquet", "p/test.parquet"]),  # another order
        HubDataset(path="saved"),
        HubDataset(path="saved1"),
    ]
    found = [corpus.fingerprint() for corpus in different]
    assert len(set(found)) == len(different) and all(len(digest) == 64 for digest in found)


def test_a_file_replaced_within_a_tick_of_the_clock_is_read_anew() -> None:
    """The cache of `datasets` goes by path and time alone."""
    corpus = HubDataset(path="j")
    seen = []
    for text in ("old", "new"):
        write_json("j/train.jsonl", [text])
        os.utime("j/train.jsonl", ns=(10**18, 10**18))
        seen.append((corpus.fingerprint(), list(corpus.documents())))
    assert [found for _, found in seen] == [["old"], ["new"]]
    assert seen[0][0] != seen[1][0]


def test_configs_of_a_folder(folder: Path) -> None:
    write_json("d/en.jsonl", ["hello"])
    write_json("d/de.jsonl", ["hallo"])
    card = "---\nconfigs:\n" + "".join(f"- config_name: {c}\n  data_files: {c}.jsonl\n" for c in ("en", "de")) + "---\n"
    Path("d/README.md").write_text(card)
    assert documents(path="d", name="de") == ["hallo"]
    assert documents(path="d", name="en", streaming=True) == ["hello"]
    assert HubDataset(path="d", name="de").fingerprint() != HubDataset(path="d", name="en").fingerprint()
    with pytest.raises(ValueError, match=r"^d: expected the name of one of its configs: en, de$"):
        HubDataset(path="d").fingerprint()
    with pytest.raises(ValueError, match=r"^d: no config 'dee'; configs there: en, de; did you mean 'de'\?$"):
        documents(path="d", name="dee")


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"path": "p", "text_field": "texts"}, "p: no column 'texts'; columns there: text, id; did you mean 'text'?"),
        ({"path": "c", "text_field": "txt"}, "c: no column 'txt'; columns there: id, text; did you mean 'text'?"),
        ({"path": "p", "text_field": "id"}, "p: expected text in the column 'id', got int64"),
        ({"path": "broken"}, "broken: cannot be read: Arrow"),
        ({"path": "half"}, "half: cannot be read: ArrowInvalid: JSON parse error: "),
        ({"path": "unlike"}, "unlike: cannot be read: CastError: Couldn't cast id: int64 "),
        ({"path": "empty"}, "empty: cannot be read: EmptyDatasetError: The directory at "),
        ({"path": "json"}, "path='json' is a format: expected data_files, the files in it"),
        ({"path": "json", "data_files": ["no*.json"]}, "json: no file matches data_files=['no*.json'] in "),
        ({"path": "json", "data_files": ["no.json"]}, "json: cannot be read: FileNotFoundError: "),
        (
            {"path": "json", "data_files": ["a"], "name": "en"},
            "name='en': json is a format, which has none; it belongs to folders and datasets of the hub",
        ),
        (
            {"path": "p", "revision": "main"},
            "revision='main': p is a folder here, which has none; it belongs to datasets of the hub",
        ),
        (
            {"path": "saved", "name": "en"},
            "name='en': saved is what save_to_disk wrote, which has none; it belongs to folders of files and dat",
        ),
        ({"path": "saved", "split": "test"}, "saved: no split 'test'; splits there: train"),
        ({"path": "torn"}, "torn: cannot be read: FileNotFoundError: "),
        ({"path": "p/train.parquet"}, "p/train.parquet is a file: expected its format as path, one of json, csv, "),
        ({"path": "./none"}, "'./none': no such folder, seen from "),
        ({"path": "a/b/c"}, "'a/b/c': no such folder, seen from "),
        ({"path": "no name!"}, "no name!: neither a folder here nor a name of a dataset: Repo id must "),
    ],
)
def test_mistakes_are_named_in_a_line(options: dict[str, Any], error: str, streaming: bool) -> None:
    write_parquet("p/train.parquet", TEXTS)
    Path("c").mkdir()
    Path("c/a.csv").write_text("id,text\n1,a\n")
    Path("broken").mkdir()
    Path("broken/a.parquet").write_bytes(b"PAR1 and nothing else")
    Path("half").mkdir()
    Path("half/a.jsonl").write_text('{"text": "a"}\n{')
    write_json("unlike/a.jsonl", ["a"])
    write_json("unlike/b.jsonl", ["b"], "name")
    Path("empty").mkdir()
    datasets.Dataset.from_dict({"text": TEXTS}).save_to_disk("saved")
    shutil.copytree("saved", "torn")
    next(Path("torn").glob("*.arrow")).unlink()
    corpus = HubDataset(**options, streaming=streaming)
    with pytest.raises(ValueError, match=f"^{re.escape(error)}") as caught:
        corpus.fingerprint()
        list(corpus.documents())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_folder_of_several_formats_is_refused_not_read_in_part(streaming: bool) -> None:
    write_json("d/a.jsonl", ["a"])
    Path("d/b.csv").write_text("text\nb\n")
    Path("d/README.md").write_text("# A card without configs")
    found = r"^d: its files are JSON \(a\.jsonl\) and CSV \(b\.csv\), and `datasets` would read one format alone: "
    for options in ({}, {"data_files": ["a.*", "b.csv"]}):
        with pytest.raises(
            ValueError, match=found + r"name those to read, of one format, in data_files; or take zoo\."
        ):
            documents(path="d", streaming=streaming, **options)
        with pytest.raises(ValueError, match=found):
            HubDataset(path="d", streaming=streaming, **options).fingerprint()
    assert documents(path="d", data_files=["*.csv"], streaming=streaming) == ["b"]
    Path("d/b.csv").rename("d/b.tsv.gz")
    with pytest.raises(ValueError, match=r"^d: its files are JSON \(a\.jsonl\) and TSV \(b\.tsv\.gz\), "):
        documents(path="d", streaming=streaming)


def test_a_file_that_belongs_to_no_split_is_not_left_out_in_silence() -> None:
    write_json("d/train.jsonl", ["a"])
    write_json("d/more.jsonl", ["b"])
    with pytest.raises(
        ValueError, match=r"^d: more\.jsonl would be left out, being of no split by their names: name th"
    ):
        documents(path="d")
    assert documents(path="d", data_files=["train.jsonl"]) == ["a"]
    card = "---\nconfigs:\n- config_name: default\n  data_files: train.jsonl\n---\n"
    Path("d/README.md").write_text(card)
    assert documents(path="d") == ["a"], "the card says which"


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("name", ["b.jsonl", "b.json", "b.jsonl.gz"])
def test_a_broken_line_is_named_and_nothing_skips_it(
    name: str, streaming: bool, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    write_json("d/a.json", ["fine"])
    content = b'{"text": "one"}\n{"text": "two"}\n{"text": "three}\n{"text": "four"}\n'
    Path("d", name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    text = rf"^d: cannot be read: \w+: .*; d/{re.escape(name)}:3: not JSON: Unterminated string .*; `bad_lines` "
    text += r"skips rows without text, not what `datasets` fails to read: zoo\.data\.TextFiles skips both$"
    with pytest.raises(ValueError, match=text) as caught:
        documents(path="d", bad_lines="skip", streaming=streaming)
    assert "\n" not in str(caught.value)
    said = capsys.readouterr()
    assert "Failed to load" not in said.err + said.out, "it is said once"
    assert documents(path="json", data_files=["d/a.json"], streaming=streaming) == ["fine"]


def test_bytes_that_are_no_text_are_named_by_their_row() -> None:
    write_parquet("p/train.parquet", pa.array([b"a", b"a\xff"]))
    with pytest.raises(
        ValueError, match=r"^p, train row 2: not UTF-8 at byte 1 of the text \(0xff\); zoo\.data\.TextFiles "
    ):
        documents(path="p")


def test_the_home_folder_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    write_json("home/d/a.jsonl", ["a"])
    assert documents(path="~/d") == documents(path="json", data_files=["~/d/*.jsonl"]) == ["a"]


def test_a_folder_that_is_called_as_a_format_needs_its_dot() -> None:
    write_json("json/train.jsonl", ["a"])
    assert documents(path="./json", streaming=True) == ["a"]
    with pytest.raises(ValueError, match=r"^path='json' is a format: .*; the folder is '\./json'$"):
        documents(path="json")


def test_what_cannot_be_named_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^json: https://\S+ may change behind its address, so a token store"):
        HubDataset(path="json", data_files=["https://127.0.0.1:9/a.jsonl"]).fingerprint()


def test_arguments_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^data_files='a': expected a list of files or globs$"):
        HubDataset(path="json", data_files="a")
    with pytest.raises(ValueError, match=r"^data_files=\[\]: expected a list of files or globs$"):
        HubDataset(path="json", data_files=[])
    with pytest.raises(ValueError, match=r"^num_documents=0: expected 1 or more, or null for all$"):
        HubDataset(path="p", num_documents=0)
    with pytest.raises(ValueError, match=r"^split='train\[:9\]': a stream has no slices: take num_documents, or str"):
        HubDataset(path="p", split="train[:9]", streaming=True)
    with pytest.raises(ValueError, match=r"^bad_lines='skp': expected error or skip; did you mean 'skip'\?$"):
        HubDataset(path="p", bad_lines="skp")  # type: ignore[arg-type]


def test_constructing_one_imports_no_datasets() -> None:
    code = "import sys; from zoo.data import HubDataset; HubDataset(path='a/b'); print('datasets' in sys.modules)"
    path = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    assert done.stdout.strip() == "False"
