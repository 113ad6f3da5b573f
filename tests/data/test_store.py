from __future__ import annotations

import errno
import json
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_doubles import HALVES, Bytes, ListCorpus, Pairs, sample_texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.data import SPLITS, TokenStore, split_of
from zoo.data.fingerprint import store_fingerprint
from zoo.data.store import DamagedStoreError
from zoo.data.stream import StreamWriter, TokenStream, dtype_for
from zoo.families import variants

TEXTS = sample_texts()


def build(home: Path, tokenizer: Bytes | None = None, **options: object) -> TokenStore:
    return TokenStore.build_or_open(ListCorpus(TEXTS), tokenizer or Pairs(), HALVES, home=home, **options)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    build(home, max_shard_tokens=10_000)
    return home


@pytest.fixture
def copied(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home, tmp_path / "home"))


def test_every_split_holds_its_documents_between_end_of_text(home: Path) -> None:
    store = build(home)
    tokenizer = store.tokenizer
    for split in SPLITS:
        texts = [text for text in TEXTS if split_of(text, HALVES) == split]
        expected, ends = [tokenizer.end_of_text], []
        for text in texts:
            expected += [*tokenizer.encode_ordinary(text), tokenizer.end_of_text]
            ends.append(len(expected))
        assert store.num_tokens(split) == len(expected)
        assert store.tokens(split, 0, len(expected)).tolist() == expected
        assert store.document_ends(split).tolist() == ends
        assert store.document_bytes(split).tolist() == [len(text.encode()) for text in texts]
        assert store.num_documents(split) == len(texts)
        assert store.num_bytes(split) == sum(len(text.encode()) for text in texts)
        start = 1
        for text, end in zip(texts, ends, strict=True):
            assert tokenizer.decode(store.tokens(split, start, end - 1).tolist()) == text
            start = end
    assert store.bytes_per_token == store.num_bytes("train") / store.num_tokens("train")
    assert len(list(store.folder.glob("train-*.bin"))) == -(-store.num_tokens("train") // 10_000) > 2


def test_the_tokenizer_learns_from_the_train_split_alone(home: Path) -> None:
    expected = Pairs()
    expected.train([text for text in TEXTS if split_of(text, HALVES) == "train"])
    tokenizer = Pairs()
    assert build(home, tokenizer).tokenizer is tokenizer
    assert tokenizer.state() == expected.state()
    everything = Pairs()
    everything.train(TEXTS)
    assert everything.state() != expected.state()


def test_an_open_store_is_read_not_built(home: Path) -> None:
    lines: list[str] = []
    first = build(home, progress=lines.append)
    assert not lines and first.vocab_size == first.tokenizer.vocab_size > 257
    assert build(home).fingerprint == first.fingerprint
    assert first.folder.name == first.fingerprint[:12] and len(first.fingerprint) == 64


def test_progress_names_each_stage(tmp_path: Path) -> None:
    lines: list[str] = []
    store = build(tmp_path, progress=lines.append)
    kept = store.num_documents("test"), store.num_bytes("test")
    assert lines[0] == "reading ListCorpus"
    assert lines[1] == f"training Pairs on {store.num_bytes('train'):,} bytes"
    assert f"encoding test: {kept[0]:,} documents, {kept[1]:,} bytes" in lines


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 70_000), max_size=9), max_size=12),
    st.integers(1, 7),
    st.integers(1, 9),
    st.integers(0, 40),
    st.integers(0, 40),
)
def test_reads_span_shards(
    tmp_path_factory: pytest.TempPathFactory,
    appended: list[list[int]],
    max_shard_tokens: int,
    buffer_tokens: int,
    start: int,
    length: int,
) -> None:
    folder, expected = tmp_path_factory.mktemp("stream"), [7, *(i for ids in appended for i in ids)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.data.stream._BUFFER_TOKENS", buffer_tokens)
        writer = StreamWriter(folder, "s", dtype_for(70_001), max_shard_tokens)
        for ids in [[7], *appended]:
            writer.append(np.array(ids, dtype=np.int64))
        writer.close()
    assert all(shard["num_tokens"] == max_shard_tokens for shard in writer.shards[:-1])
    stream = TokenStream(folder, [(s["name"], s["num_tokens"]) for s in writer.shards], dtype_for(70_001))
    start = min(start, len(expected))
    stop = min(start + length, len(expected))
    assert len(stream) == writer.num_tokens == len(expected)
    assert stream.read(start, stop).tolist() == expected[start:stop]


@pytest.mark.parametrize(("vocab_size", "bytes_each"), [(2**16, 2), (2**16 + 1, 4)])
def test_the_files_hold_little_endian_integers_as_wide_as_the_vocabulary_needs(
    tmp_path: Path, vocab_size: int, bytes_each: int
) -> None:
    store = build(tmp_path, Bytes(shift=vocab_size - 257))
    raw = (store.folder / "validation-00000.bin").read_bytes()
    assert len(raw) == bytes_each * store.num_tokens("validation")
    ids = [int.from_bytes(raw[i : i + bytes_each], "little") for i in range(0, len(raw), bytes_each)]
    assert store.tokens("validation", 0, len(ids)).tolist() == ids
    assert max(ids) > vocab_size - 257


def test_out_of_the_stream(home: Path) -> None:
    store = build(home)
    n = store.num_tokens("test")
    for start, stop in ((-1, 3), (0, n + 1), (5, 4)):
        with pytest.raises(ValueError, match=re.escape(f"tokens [{start}, {stop}) are not within [0, {n})")):
            store.tokens("test", start, stop)


def test_a_store_travels_to_another_process_without_its_tokens(home: Path) -> None:
    store = build(home)
    expected = store.tokens("train", 0, 50).tolist()
    message = pickle.dumps(store)
    assert len(message) < len(pickle.dumps(store.tokenizer)) + 5_000
    assert pickle.loads(message).tokens("train", 0, 50).tolist() == expected


# What a store's name depends on


def test_another_corpus_tokenizer_option_or_split_is_another_store() -> None:
    class OtherCorpus(ListCorpus):
        pass

    class OtherBytes(Bytes):
        pass

    cases = [
        (ListCorpus(TEXTS), Bytes(), HALVES),
        (ListCorpus(TEXTS, version="2"), Bytes(), HALVES),
        (OtherCorpus(TEXTS), Bytes(), HALVES),
        (ListCorpus(TEXTS), OtherBytes(), HALVES),
        (ListCorpus(TEXTS), Bytes(shift=1), HALVES),
        (ListCorpus(TEXTS), Pairs(), HALVES),
        (ListCorpus(TEXTS), Bytes(), (0.5, 0.2, 0.3)),
    ]
    assert len({store_fingerprint(*case) for case in cases}) == len(cases)
    assert store_fingerprint(ListCorpus([]), Bytes(shift=0), HALVES) == store_fingerprint(*cases[0])


def test_what_a_tokenizer_has_learned_is_no_part_of_the_name() -> None:
    tokenizer = Pairs()
    before = store_fingerprint(ListCorpus(TEXTS), tokenizer, HALVES)
    tokenizer.train(TEXTS)
    assert store_fingerprint(ListCorpus(TEXTS), tokenizer, HALVES) == before


def test_editing_a_class_outside_zoo_is_another_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = "from data_doubles import Bytes\nclass Mine(Bytes): pass\n"
    (tmp_path / "my_tokenizer_module.py").write_text(source)
    from my_tokenizer_module import Mine

    before = store_fingerprint(ListCorpus([]), Mine(), HALVES)
    (tmp_path / "my_tokenizer_module.py").write_text(source + "# edited\n")
    assert store_fingerprint(ListCorpus([]), Mine(), HALVES) != before


def test_a_class_without_a_source_is_refused() -> None:
    made: type = type("Made", (Bytes,), {"__module__": "nowhere_at_all"})
    with pytest.raises(
        ValueError, match=r"^nowhere_at_all.Made has no source file, so a store could not tell its versions$"
    ):
        store_fingerprint(ListCorpus([]), made(), HALVES)


def test_an_option_without_a_lasting_form_is_refused() -> None:
    text = "Bytes: shift=<object object at 0x[0-9a-f]+> is neither text, number, list nor mapping, so a store could not"
    with pytest.raises(ValueError, match=text):
        store_fingerprint(ListCorpus([]), Bytes(shift=object()), HALVES)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(variants("tokenizers")))
def test_every_tokenizer_knows_its_options(name: str) -> None:
    tokenizer = variants("tokenizers")[name]()
    assert store_fingerprint(ListCorpus([]), tokenizer, HALVES)
    assert pickle.loads(pickle.dumps(tokenizer)).options == tokenizer.options


# Damage


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-12])


def _extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"xy")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("name", "harm", "what"),
    [
        ("train-00000.bin", _truncate, "train-00000.bin: 12 bytes short"),
        ("test-00000.bin", _extend, "test-00000.bin: 2 bytes too long"),
        ("train-00001.bin", _flip, "train-00001.bin is altered"),
        ("train-00001.bin", Path.unlink, "train-00001.bin is missing"),
        ("validation-document-ends.npy", _flip, "validation-document-ends.npy is altered"),
        ("tokenizer.json", _flip, "tokenizer.json is altered"),
        ("meta.json", _truncate, "meta.json is missing or unreadable"),
        ("meta.json", Path.unlink, "meta.json is missing or unreadable"),
        ("meta.json", lambda path: path.write_text("[1]"), "meta.json is missing or unreadable"),
        (
            "meta.json",
            lambda path: path.write_text(path.read_text().replace('"vocab_size": ', '"vocab_size": 1')),
            "meta.json is altered",
        ),
    ],
)
def test_a_damaged_store_is_refused_and_rebuilt_on_request(copied: Path, name: str, harm: object, what: str) -> None:
    (folder,) = [path for path in (copied / "stores").iterdir() if path.is_dir()]
    expected = (folder / "train-00001.bin").read_bytes()
    harm(folder / name)  # type: ignore[operator]
    text = f"store {folder} is damaged ({what}): rebuild it with `zoo data build RECIPE --rebuild`"
    with pytest.raises(DamagedStoreError, match=f"^{re.escape(text)}$"):
        build(copied)
    build(copied, rebuild=True, max_shard_tokens=10_000)
    assert (folder / "train-00001.bin").read_bytes() == expected
    build(copied)
    assert sorted(path.name for path in (copied / "stores").iterdir()) == [folder.name, f"{folder.name}.lock"]


def test_meta_tells_people_what_it_is(home: Path) -> None:
    meta = json.loads((build(home).folder / "meta.json").read_text())
    assert meta["corpus"] == "ListCorpus" and meta["tokenizer"] == {"class": "Pairs", "options": {"spare": 0}}
    assert set(meta["versions"]) == {"zoo", "python", "numpy"}


# What is refused before anything is left behind


@pytest.mark.parametrize(
    ("texts", "tokenizer", "text"),
    [
        (sample_texts(40), Bytes(), "too little text: "),
        ([*TEXTS, "half \ud800"], Bytes(), "ListCorpus: document 301 cannot be written as UTF-8: "),
    ],
)
def test_a_corpus_that_cannot_be_a_store(tmp_path: Path, texts: list[str], tokenizer: Bytes, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        TokenStore.build_or_open(ListCorpus(texts), tokenizer, HALVES, home=tmp_path)
    assert list((tmp_path / "stores").iterdir()) == []


def test_a_tokenizer_that_gives_ids_it_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^Pairs gave the id \d+, expected ids in \[0, \d+\)$"):
        build(tmp_path, Pairs(spare=-20))


class Typed(Bytes):
    """Gives ids of another type or range than those that it has."""

    def __init__(self, *, kind: str, vocab_size: int = 257):
        super().__init__(shift=vocab_size - 257)
        self._kind = kind

    def encode_array(self, text: str) -> Any:
        ids = super().encode_array(text)
        if self._kind == "float":
            return ids.astype(np.float64)
        if self._kind == "list":
            return ids.tolist()
        if self._kind == "negative":
            return ids.astype(np.int64) - 2 * self.vocab_size
        return ids + 2**16 - 1 if self._kind == "wraps" else ids


@pytest.mark.parametrize(
    ("kind", "vocab_size", "text"),
    [
        ("float", 257, "Typed gave ids of type float64, expected uint32"),
        ("negative", 257, r"Typed gave the id -\d+, expected ids in \[0, 257\)"),
        ("wraps", 2**16, r"Typed gave the id 1\d+, expected ids in \[0, 65536\)"),
        ("wraps", 2**16 - 1, r"Typed gave the id 1\d+, expected ids in \[0, 65535\)"),
    ],
)
def test_ids_that_a_narrower_type_would_wrap_round_are_refused(
    tmp_path: Path, kind: str, vocab_size: int, text: str
) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        build(tmp_path, Typed(kind=kind, vocab_size=vocab_size))


def test_ids_in_a_list_are_ids(tmp_path: Path) -> None:
    assert build(tmp_path, Typed(kind="list")).num_tokens("test") > 1000


@pytest.mark.parametrize("vocab_size", [2**16, 2**16 + 1])
def test_the_largest_ids_come_back(tmp_path: Path, vocab_size: int) -> None:
    store = build(tmp_path, Bytes(shift=vocab_size - 257))
    assert store.vocab_size == vocab_size
    ids = store.tokens("train", 0, store.num_tokens("train"))
    assert ids.max() == vocab_size - 257 + 1 + max(byte for text in TEXTS for byte in text.encode()) > 2**16 - 20
    assert store.tokenizer.decode(ids[1 : int(store.document_ends("train")[0]) - 1]) in TEXTS


def test_num_jobs_is_checked_before_the_corpus_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^num_jobs=0 must be at least 1$"):
        build(tmp_path, num_jobs=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["spool-train.utf8", "train-00000.bin"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    really_open = Path.open

    def full(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return really_open(Path("/dev/full") if path.name == name and "w" in mode else path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    where = re.escape(str(tmp_path / "stores"))
    text = rf"no room left for the token store in {where} \([\d,]+ bytes free\): make room, or set ZOO_HOME elsewhere"
    with pytest.raises(OSError, match=text) as caught:
        build(tmp_path)
    assert caught.value.errno == errno.ENOSPC and "\n" not in str(caught.value)
    assert list((tmp_path / "stores").iterdir()) == []


def test_shares_are_checked_before_the_corpus_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the shares of train and validation must be above 0"):
        TokenStore.build_or_open(ListCorpus([]), Bytes(), (1.0, 0.0, 0.0), home=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_home_is_zoo_home_by_default(own_zoo_home: Path) -> None:
    assert build(None).folder.parent == own_zoo_home / "stores"  # type: ignore[arg-type]
