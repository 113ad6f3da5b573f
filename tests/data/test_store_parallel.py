"""A store built by several processes: the same files, and nothing and nobody left behind when something goes wrong."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from data_doubles import HALVES, Bytes, ListCorpus, Pairs, Words, sample_texts

from zoo.data import TokenStore, encode, spool, workers
from zoo.data.workers import Workers
from zoo.tokenizers.base import Ids, Tokenizer

TEXTS = sample_texts()
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes for the little text of a test, and several chunks of it for each."""
    monkeypatch.setattr(encode, "TRIAL_SECONDS", 0)
    monkeypatch.setattr(encode, "TRIAL_CHUNKS", 0)
    monkeypatch.setattr(encode, "WORTH_SECONDS", -1)
    monkeypatch.setattr(spool, "CHUNK_BYTES", 10_000)


class Told(Bytes):
    """Notes which process encodes, and prints, as a tokenizer may."""

    def __init__(self, *, folder: str):
        super().__init__()
        self._folder = folder

    def encode_array(self, text: str) -> Ids:
        print("encoding", text[:3])
        (Path(self._folder) / str(os.getpid())).touch()
        return super().encode_array(text)


class Threaded(Told):
    def encode_arrays(self, texts: Iterable[str], *, num_threads: int = 1) -> list[Ids]:
        (Path(self._folder) / f"{num_threads} threads").touch()
        return [self.encode_array(text) for text in texts]


class Deadly(Told):
    """Its process is killed, as for want of memory, when it meets document 150."""

    def encode_array(self, text: str) -> Ids:
        if text.startswith("150 "):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_array(text)


class Wrong(Told):
    def encode_array(self, text: str) -> Ids:
        if text.startswith("150 "):
            raise UserMistakeError("no such letter", 150)
        return super().encode_array(text)


class UserMistakeError(ValueError):
    """Cannot be rebuilt from its text alone."""

    def __init__(self, what: str, where: int):
        super().__init__(f"{what} at {where}")


class Unloadable(Bytes):
    def __init__(self, *, here: int):
        super().__init__()
        if here != os.getpid():
            raise ValueError("made in another process")


def build(home: Path, tokenizer: Tokenizer, num_jobs: int, **options: object) -> TokenStore:
    return TokenStore.build_or_open(ListCorpus(TEXTS), tokenizer, HALVES, home=home, num_jobs=num_jobs, **options)


def files(store: TokenStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.folder.iterdir()}


def gone(pids: Iterable[int], seconds: float = 20.0) -> bool:
    """Whether the processes have ended, or do within some seconds; one that nobody has waited for is ended too."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(folder: Path) -> set[int]:
    return {int(path.name) for path in folder.iterdir() if path.name.isdecimal()}


@pytest.mark.parametrize("tokenizer", [Pairs, Words], ids=["lossless", "lossy"])
def test_the_files_are_the_same_for_every_number_of_jobs(tmp_path: Path, tokenizer: type[Tokenizer]) -> None:
    stores = [build(tmp_path / str(n), tokenizer(), n, max_shard_tokens=10_000) for n in (1, 2, 3)]
    assert files(stores[0]) == files(stores[1]) == files(stores[2])
    assert len(files(stores[0])) > 12


def test_the_work_is_done_in_other_processes_and_what_they_print_is_no_result(tmp_path: Path) -> None:
    log, home = tmp_path / "log", tmp_path / "home"
    log.mkdir()
    store = build(home, Told(folder=str(log)), 2)
    assert len(pids(log)) == 2 and os.getpid() not in pids(log)
    assert gone(pids(log))
    assert store.tokenizer.decode(store.tokens("test", 1, int(store.document_ends("test")[0]) - 1)) in TEXTS


@pytest.mark.parametrize(
    ("num_jobs", "trial", "worth"), [(1, 0.0, -1.0), (2, 3600.0, -1.0), (2, 0.0, 3600.0)], ids=["one", "soon", "short"]
)
def test_one_job_and_little_work_stay_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_jobs: int, trial: float, worth: float
) -> None:
    monkeypatch.setattr(encode, "TRIAL_SECONDS", trial)
    monkeypatch.setattr(encode, "WORTH_SECONDS", worth)
    monkeypatch.setattr(encode, "TRIAL_CHUNKS", 1)
    log = tmp_path / "log"
    log.mkdir()
    build(tmp_path / "home", Told(folder=str(log)), num_jobs)
    assert pids(log) == {os.getpid()}


def test_work_that_turns_out_long_goes_on_in_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first chunks are encoded here, at a pace that tells; the files do not show where the others were."""
    monkeypatch.setattr(encode, "TRIAL_CHUNKS", 2)
    log = tmp_path / "log"
    log.mkdir()
    store = build(tmp_path / "home", Told(folder=str(log)), 2)
    assert os.getpid() in pids(log) and len(pids(log)) == 3
    alone = build(tmp_path / "other", Told(folder=str(log)), 1)
    assert files(store) == files(alone)


def test_a_tokenizer_with_threads_of_its_own_uses_them_here_and_one_in_each_process(tmp_path: Path) -> None:
    build(tmp_path / "home", Threaded(folder=str(tmp_path)), 1)
    assert [path.name for path in tmp_path.iterdir() if "threads" in path.name] == ["1 threads"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "TRIAL_SECONDS", 3600)
        build(tmp_path / "another", Threaded(folder=str(tmp_path)), 3)
    assert sorted(path.name for path in tmp_path.iterdir() if "threads" in path.name) == ["1 threads", "3 threads"]
    assert pids(tmp_path) == {os.getpid()}
    (tmp_path / "1 threads").unlink()
    build(tmp_path / "third", Threaded(folder=str(tmp_path)), 2)
    assert sorted(path.name for path in tmp_path.iterdir() if "threads" in path.name) == ["1 threads", "3 threads"]
    assert len(pids(tmp_path)) == 3


def test_a_class_that_others_cannot_import_works_here_and_says_so(tmp_path: Path) -> None:
    class Local(Told):
        pass

    lines: list[str] = []
    build(tmp_path / "home", Local(folder=str(tmp_path)), 2, progress=lines.append)
    assert pids(tmp_path) == {os.getpid()}
    (said,) = [line for line in lines if "alone" in line]
    assert re.fullmatch(
        r"encoding in this process alone: another one cannot import \S+Local: move it to a file of its own", said
    )


def test_a_killed_worker_ends_the_build_and_leaves_nothing(tmp_path: Path) -> None:
    log, home = tmp_path / "log", tmp_path / "home"
    log.mkdir()
    text = "a worker process was killed by SIGKILL: there may be too little memory for so many; try fewer jobs"
    with pytest.raises(ChildProcessError, match=f"^{re.escape(text)}$"):
        build(home, Deadly(folder=str(log)), 2)
    assert list((home / "stores").iterdir()) == []
    assert pids(log) and gone(pids(log))


def test_a_mistake_in_a_worker_is_the_same_one_line_as_here(tmp_path: Path) -> None:
    for num_jobs, text in ((1, "no such letter at 150"), (2, "UserMistakeError: no such letter at 150")):
        log = tmp_path / str(num_jobs)
        log.mkdir()
        with pytest.raises(ValueError) as caught:
            build(tmp_path / "home", Wrong(folder=str(log)), num_jobs)
        assert str(caught.value) == text
        assert list((tmp_path / "home" / "stores").iterdir()) == []
        assert gone(pids(log) - {os.getpid()})
    with pytest.raises(ValueError, match=r"^made in another process"):
        build(tmp_path / "home", Unloadable(here=os.getpid()), 2)


SCRIPT = f"""
import sys, time
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from data_doubles import HALVES, Bytes, ListCorpus, sample_texts
from zoo.data import TokenStore, encode, spool
from my_slow_tokenizer import Slow
encode.TRIAL_SECONDS = encode.TRIAL_CHUNKS = 0
encode.WORTH_SECONDS, spool.CHUNK_BYTES = -1, 10_000
TokenStore.build_or_open(ListCorpus(sample_texts()), Slow(), HALVES, home=Path("home"), num_jobs=2)
"""
SLOW = """
import os, time
from pathlib import Path
from data_doubles import Bytes

class Slow(Bytes):
    def encode_array(self, text):
        Path("log", str(os.getpid())).touch()
        time.sleep(0.2)
        return super().encode_array(text)
"""


def slow_build(folder: Path) -> subprocess.Popen[str]:
    """A build as a user's own script starts it, with a class from the current folder; without the usual guard of
    `__main__`, which other ways to start processes ask for. Returns when two workers are at it."""
    (folder / "log").mkdir()
    (folder / "my_slow_tokenizer.py").write_text(SLOW)
    (folder / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(pids(folder / "log")) < 2:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < deadline, "the workers never began"
        time.sleep(0.05)
    return process


def test_ctrl_c_stops_everybody_and_leaves_nothing(tmp_path: Path) -> None:
    process = slow_build(tmp_path)
    assert process.pid not in pids(tmp_path / "log")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all that are in the foreground
    _, said = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT and said.count("Traceback") == said.count("KeyboardInterrupt") == 1
    assert gone(pids(tmp_path / "log"))
    assert list((tmp_path / "home" / "stores").iterdir()) == []


def test_workers_go_when_their_parent_is_killed(tmp_path: Path) -> None:
    process = slow_build(tmp_path)
    process.kill()
    process.communicate(timeout=30)
    assert gone(pids(tmp_path / "log"))


# The workers alone


def _late_if_even(number: int) -> int:
    time.sleep(0.05 if number % 2 == 0 else 0)
    return number * number


def test_results_come_in_order_and_no_more_tasks_are_drawn_than_are_needed_soon() -> None:
    drawn: list[int] = []

    def tasks() -> Iterable[int]:
        for number in range(40):
            drawn.append(number)
            yield number

    with Workers(_late_if_even, 2) as team:
        results = team.map(tasks())
        assert next(results) == 0
        assert len(drawn) <= workers._AHEAD * 2 + 1
        assert list(results) == [number * number for number in range(1, 40)]
        assert list(team.map([7])) == [49] and list(team.map([])) == []


def test_results_of_many_megabytes_pass() -> None:
    with Workers(np.arange, 2) as team:
        assert [len(result) for result in team.map([3_000_000] * 4)] == [3_000_000] * 4


def _unpicklable(number: int) -> object:
    return (lambda: number) if number == 3 else number


def test_a_result_that_does_not_travel_is_an_error_of_its_task_alone() -> None:
    with Workers(_unpicklable, 1) as team:
        results = team.map([1, 2, 3])
        assert [next(results), next(results)] == [1, 2]
        with pytest.raises(Exception, match="_unpicklable"):
            next(results)
        assert list(team.map([4])) == [4]


def _leave(code: int) -> None:
    os._exit(code)


def test_a_worker_that_ends_by_itself_is_named_with_its_exit_code() -> None:
    with (
        Workers(_leave, 2) as team,
        pytest.raises(ChildProcessError, match=r"^a worker process ended with exit code 3;"),
    ):
        list(team.map([3] * 9))
