"""Stores while processes race, die or look on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data_doubles import HALVES, Bytes, ListCorpus, sample_texts

from zoo.data import TokenStore, build, store_folder

TEXTS = sample_texts()
fork = multiprocessing.get_context("fork")


class LoggedCorpus(ListCorpus):
    """Notes that it is read, and waits until another process has said that it waits for this one."""

    def __init__(self, folder: Path):
        super().__init__(TEXTS)
        self.folder = folder

    def documents(self) -> Iterator[str]:
        (self.folder / f"read-{os.getpid()}").touch()
        deadline = time.monotonic() + 20
        while not (self.folder / "waiting").exists():
            assert time.monotonic() < deadline, "the other process never waited"
            time.sleep(0.01)
        yield from super().documents()


def in_process(work: Callable[..., Any], *args: Any) -> multiprocessing.Process:
    process = fork.Process(target=work, args=args)
    process.start()
    return process


def test_two_at_once_build_one_store(tmp_path: Path) -> None:
    def say(line: str) -> None:
        if line.endswith("waiting"):
            (tmp_path / "waiting").touch()

    def work(number: int) -> None:
        opened = TokenStore.build_or_open(LoggedCorpus(tmp_path), Bytes(), HALVES, home=tmp_path / "home", progress=say)
        (tmp_path / f"result-{number}").write_text(str(opened.tokens("train", 0, 999).tolist()))

    processes = [in_process(work, number) for number in (0, 1)]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(list(tmp_path.glob("read-*"))) == 1
    assert (tmp_path / "result-0").read_text() == (tmp_path / "result-1").read_text()
    assert len([path for path in (tmp_path / "home" / "stores").iterdir() if path.is_dir()]) == 1


def _die(*args: Any, **kwargs: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


class DeadlyCorpus(ListCorpus):
    def documents(self) -> Iterator[str]:
        yield from self.texts[:100]
        _die()


@pytest.mark.parametrize(
    "moment", ["reading", "training", "encoding", "before fsync", "before the rename", "after the rename"]
)
def test_a_killed_build_leaves_a_usable_home(tmp_path: Path, moment: str) -> None:
    def work() -> None:
        corpus, tokenizer = ListCorpus(TEXTS), Bytes()
        if moment == "reading":
            ListCorpus.documents = DeadlyCorpus.documents  # type: ignore[method-assign]
        elif moment == "training":
            Bytes.train = _die  # type: ignore[method-assign]
        elif moment == "encoding":
            build.np.save = _die
        elif moment == "before fsync":
            build._sync = _die
        elif moment == "before the rename":
            os.rename = _die  # type: ignore[assignment]
        else:
            store_folder.sync_path = _die
        TokenStore.build_or_open(corpus, tokenizer, HALVES, home=tmp_path)

    process = in_process(work)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    stores = tmp_path / "stores"
    left = [path for path in stores.iterdir() if path.is_dir()]
    assert [path.name.endswith(".tmp") for path in left] == [moment != "after the rename"]
    lines: list[str] = []
    opened = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path, progress=lines.append)
    assert bool(lines) == (moment != "after the rename")
    assert opened.num_documents("train") > 100
    assert [path for path in stores.iterdir() if path.is_dir()] == [opened.folder]


def test_killed_between_the_two_renames_of_a_rebuild(tmp_path: Path) -> None:
    opened = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)

    def work() -> None:
        rename, calls = os.rename, []

        def once(*args: Any) -> None:
            if calls:
                _die()
            calls.append(args)
            rename(*args)

        os.rename = once  # type: ignore[assignment]
        TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path, rebuild=True)

    process = in_process(work)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL and not opened.folder.exists()
    again = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)
    assert [path for path in (tmp_path / "stores").iterdir() if path.is_dir()] == [again.folder]


def test_a_reader_goes_on_while_its_store_is_rebuilt(tmp_path: Path) -> None:
    reader = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)
    expected = reader.tokens("train", 0, 100).tolist()
    TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path, rebuild=True)
    assert reader.tokens("train", 0, 100).tolist() == expected


def test_leftovers_of_other_stores_go_unless_they_are_being_built(tmp_path: Path) -> None:
    stores = tmp_path / "stores"
    for name in ("0123456789ab", "ba9876543210"):
        (stores / f".{name}.new.tmp").mkdir(parents=True)
    with store_folder.locked(stores, "ba9876543210", print):
        TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)
        assert [path.name for path in stores.glob(".*.tmp")] == [".ba9876543210.new.tmp"]


def test_who_waited_for_a_build_that_failed_builds_alone(tmp_path: Path) -> None:
    """The lock's file goes with the failure: whoever waited for it must not go on beside one who locks the next."""
    stores, done = tmp_path / "stores", tmp_path / "done"
    stores.mkdir()
    done.mkdir()

    def work(number: int) -> None:
        for turn in range(40):
            try:
                with store_folder.locked(stores, "0123456789ab", lambda line: None):
                    (stores / "inside").mkdir()  # fails where another is inside
                    (stores / "inside").rmdir()
                    (done / f"{number}-{turn}").touch()
                    raise ValueError("the corpus is too small")
            except ValueError:
                pass

    processes = [in_process(work, number) for number in range(3)]
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(list(done.iterdir())) == 120 and list(stores.iterdir()) == []


def test_a_build_that_failed_leaves_no_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^too small$"), store_folder.locked(tmp_path, "0123456789ab", print):
        raise ValueError("too small")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rebuild_keeps_the_store_and_its_lock(tmp_path: Path) -> None:
    opened = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)
    with (
        pytest.raises(ValueError, match=r"^no more$"),
        store_folder.locked(opened.folder.parent, opened.folder.name, print),
    ):
        raise ValueError("no more")
    assert {path.suffix for path in opened.folder.parent.iterdir()} == {"", ".lock"}


def test_a_store_opens_from_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(store_folder, "FileLock", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    assert TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path).num_documents("train") > 100
