"""The local engine on small scripts that stand for workers: they finish, crash, hang, are killed, outlive an engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from zoo.ablation.engines import local
from zoo.ablation.engines.base import Event
from zoo.ablation.engines.deaths import last_words, oom_kills
from zoo.ablation.engines.local import LocalEngine, fit_jobs
from zoo.ablation.engines.machine import usable_cores, usable_gpus

PREAMBLE = """\
import json, os, sys, threading, time
from pathlib import Path
folder = Path(sys.argv[1])
(folder / "pid").write_text(str(os.getpid()))
def end_with_the_engine():
    sys.stdin.read()
    os._exit(143)
def result(**values):
    (folder / "result.json").write_text(json.dumps(values))
if "--watch-stdin" in sys.argv:
    threading.Thread(target=end_with_the_engine, daemon=True).start()
"""
OK = "result(status='ok', validation_bits_per_byte=2.0)"
HANG = "time.sleep(600)"


@pytest.fixture
def command(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    def write(body: str) -> tuple[str, ...]:
        script = tmp_path / "worker.py"
        script.write_text(PREAMBLE + textwrap.dedent(body))
        return sys.executable, "-S", str(script)  # -S: these workers need nothing that is installed

    return write


def folders(root: Path, number: int) -> list[Path]:
    return [root / "store" / "abc" / f"seed-{seed}" for seed in range(number)]


def read(folder: Path) -> dict[str, Any]:
    result = json.loads((folder / "result.json").read_text())
    assert isinstance(result, dict)
    return result


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def pids(runs: list[Path]) -> list[int]:
    files = [folder / "pid" for folder in runs]
    assert wait_until(lambda: all(file.exists() and file.read_text() for file in files))
    return [int(file.read_text()) for file in files]


def test_every_run_starts_and_finishes(command: Callable[[str], tuple[str, ...]], tmp_path: Path) -> None:
    runs = folders(tmp_path, 3)
    events = list(LocalEngine(jobs=2, command=command(OK)).run(runs, {}))
    assert {event.dir for event in events if event.kind == "started"} == set(runs)
    assert {event.dir for event in events if event.kind == "finished"} == set(runs)
    assert len(events) == 6
    for run in runs:
        kinds = [event.kind for event in events if event.dir == run]
        assert kinds == ["started", "finished"]


def test_a_finished_run_is_not_started_again_and_a_failed_one_is(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path
) -> None:
    runs = folders(tmp_path, 3)
    for run, status in zip(runs, ("ok", "diverged", "failed"), strict=True):
        run.mkdir(parents=True)
        (run / "result.json").write_text(json.dumps({"status": status, "reason": "before"}))
    events = list(LocalEngine(jobs=1, command=command(OK)).run(runs, {}))
    assert [(e.kind, e.dir) for e in events] == [
        ("finished", runs[0]),
        ("finished", runs[1]),
        ("started", runs[2]),
        ("finished", runs[2]),
    ]
    assert not (runs[0] / "pid").exists() and read(runs[2])["status"] == "ok"


def test_an_old_failure_is_not_taken_for_a_new_result(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path
) -> None:
    (run,) = folders(tmp_path, 1)
    run.mkdir(parents=True)
    (run / "result.json").write_text(json.dumps({"status": "failed", "reason": "before"}))
    list(LocalEngine(command=command("sys.exit('now')")).run([run], {}))
    assert read(run)["reason"].startswith("now (exit code 1)")


def test_a_truncated_result_is_no_result(command: Callable[[str], tuple[str, ...]], tmp_path: Path) -> None:
    (run,) = folders(tmp_path, 1)
    run.mkdir(parents=True)
    (run / "result.json").write_text('{"status": "ok", "valid')
    assert [e.kind for e in LocalEngine(command=command(OK)).run([run], {})] == ["started", "finished"]


def test_a_folder_that_two_arms_share_runs_once(command: Callable[[str], tuple[str, ...]], tmp_path: Path) -> None:
    (run,) = folders(tmp_path, 1)
    assert len(list(LocalEngine(command=command(OK)).run([run, run], {}))) == 2


def test_what_kills_one_run_does_not_hurt_the_others(command: Callable[[str], tuple[str, ...]], tmp_path: Path) -> None:
    worker = command(
        f"""
        seed = folder.name
        if seed == "seed-0": raise RuntimeError("this layer\\nhas no weights")
        if seed == "seed-1": os.kill(os.getpid(), 11)
        if seed == "seed-2": result(status="failed", reason="ValueError: its own words"); sys.exit(1)
        if seed == "seed-3": sys.exit(0)
        {OK}
        """
    )
    runs = folders(tmp_path, 5)
    events = {e.dir: e for e in LocalEngine(jobs=2, command=worker).run(runs, {}) if e.kind != "started"}
    assert [events[run].kind for run in runs] == ["failed"] * 4 + ["finished"]
    log = runs[0] / "log.txt"
    assert read(runs[0])["reason"] == f"RuntimeError: this layer (exit code 1); log: {log}"
    assert read(runs[1])["reason"] == f"killed by signal 11 (SIGSEGV); log: {runs[1] / 'log.txt'}"
    assert read(runs[2])["reason"] == "ValueError: its own words"
    assert read(runs[3])["reason"] == f"ended without a result; log: {runs[3] / 'log.txt'}"
    assert read(runs[0])["status"] == "failed" and read(runs[0])["seed"] == 0 and "finished_at" in read(runs[0])
    assert events[runs[0]].reason == read(runs[0])["reason"]
    assert "has no weights" in log.read_text()


def test_what_the_worker_says_is_appended_to_its_log(command: Callable[[str], tuple[str, ...]], tmp_path: Path) -> None:
    (run,) = folders(tmp_path, 1)
    for attempt in ("first", "second"):
        worker = command(f"print('{attempt} out'); print('{attempt} err', file=sys.stderr); sys.exit(3)")
        list(LocalEngine(command=worker).run([run], {}))
    text = (run / "log.txt").read_text()
    assert all(f"{attempt} {stream}" in text for attempt in ("first", "second") for stream in ("out", "err"))


@pytest.mark.parametrize(
    ("kills", "status", "reason"),
    [
        ([4, 5], "oom", "killed by the kernel: out of memory"),
        ([4, 4], "failed", "killed by signal 9, not for lack of memory"),
        ([None, None], "failed", r"killed by signal 9 \(out of memory\?\)"),
    ],
)
def test_sigkill_is_oom_only_if_the_kernel_counted_one(
    command: Callable[[str], tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: list[int | None],
    status: str,
    reason: str,
) -> None:
    counter = iter(kills)
    monkeypatch.setattr(local, "oom_kills", lambda: next(counter))
    (run,) = folders(tmp_path, 1)
    events = list(LocalEngine(command=command("os.kill(os.getpid(), 9)")).run([run], {}))
    assert read(run)["status"] == status and events[-1].kind == "failed"
    with pytest.raises(ValueError, match=reason):
        raise ValueError(read(run)["reason"])


def test_a_run_over_its_time_is_stopped_even_if_it_ignores_sigterm(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "GRACE_SECONDS", 0.2)
    worker = command(
        f"""
        import signal
        if folder.name == "seed-1":
            {OK}
            sys.exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        {HANG}
        """
    )
    runs = folders(tmp_path, 2)
    events = [e for e in LocalEngine(jobs=2, timeout_seconds=3, command=worker).run(runs, {}) if e.kind != "started"]
    assert read(runs[0])["status"] == "timeout" and read(runs[0])["reason"] == "stopped after 3 seconds"
    assert read(runs[1])["status"] == "ok"
    assert Event("failed", runs[0], "stopped after 3 seconds") in events
    assert not alive(pids(runs)[0])


def test_a_failure_is_not_written_over_what_another_worker_does(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "LOCK_SECONDS", 0.1)
    (run,) = folders(tmp_path, 1)
    run.mkdir(parents=True)
    with FileLock(run / ".lock"):
        events = list(LocalEngine(command=command("sys.exit('mine')")).run([run], {}))
    assert not (run / "result.json").exists()
    assert events[-1].kind == "failed" and "another process is running this folder" in str(events[-1].reason)


def test_what_a_worker_started_goes_with_it(command: Callable[[str], tuple[str, ...]], tmp_path: Path) -> None:
    worker = command(
        f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        (folder / "child").write_text(str(child.pid))
        {OK}
        """
    )
    (run,) = folders(tmp_path, 1)
    list(LocalEngine(command=worker).run([run], {}))
    child = int((run / "child").read_text())
    assert wait_until(lambda: not alive(child))


def test_an_abandoned_iterator_stops_the_runs_and_leaves_them_unfinished(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path
) -> None:
    runs = folders(tmp_path, 2)
    events = LocalEngine(jobs=2, command=command(HANG)).run(runs, {})
    assert isinstance(events, Iterator)
    assert [next(events).kind, next(events).kind] == ["started", "started"]
    workers = pids(runs)
    events.close()  # type: ignore[attr-defined]
    assert not any(alive(pid) for pid in workers)
    assert not any((run / "result.json").exists() for run in runs)


ENGINE = """\
import sys
from pathlib import Path
from zoo.ablation.engines.local import LocalEngine
runs = [Path(p) for p in sys.argv[2:]]
try:
    for event in LocalEngine(jobs=2, command=(sys.executable, "-S", sys.argv[1])).run(runs, {}):
        print(event.kind, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def engine_process(command: tuple[str, ...], runs: list[Path]) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.Popen(
        [sys.executable, "-c", ENGINE, command[-1], *map(str, runs)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def test_workers_end_when_the_engine_is_killed(command: Callable[[str], tuple[str, ...]], tmp_path: Path) -> None:
    runs = folders(tmp_path, 3)
    engine = engine_process(command(HANG), runs)
    workers = pids(runs[:2])
    assert all(map(alive, workers))
    engine.send_signal(signal.SIGKILL)
    engine.communicate(timeout=60)
    assert wait_until(lambda: not any(map(alive, workers)))
    assert not (runs[2] / "pid").exists()


def test_ctrl_c_reaches_the_engine_which_stops_its_workers(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path
) -> None:
    worker = command(
        f"""
        import signal
        signal.signal(signal.SIGINT, lambda *_: (folder / "interrupted").touch())
        {HANG}
        """
    )
    runs = folders(tmp_path, 3)
    engine = engine_process(worker, runs)
    workers = pids(runs[:2])
    os.killpg(engine.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    out, _ = engine.communicate(timeout=60)
    assert engine.returncode == 130 and out.split() == ["started", "started", "interrupted"]
    assert not any(map(alive, workers))
    assert not any((run / "result.json").exists() or (run / "interrupted").exists() for run in runs)


def test_jobs_limit_what_runs_at_once_and_threads_share_the_cores(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "usable_cores", lambda: 6)
    worker = command(
        f"""
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
        (folder / "threads").write_text(" ".join(os.environ[name] for name in names))
        time.sleep(0.1)
        {OK}
        """
    )
    runs = folders(tmp_path, 5)
    running = most = 0
    for event in LocalEngine(jobs=2, command=worker).run(runs, {}):
        running += 1 if event.kind == "started" else -1
        most = max(most, running)
    assert most == 2
    assert {(run / "threads").read_text() for run in runs} == {"3 3 3 3"}


@pytest.mark.parametrize(
    ("jobs", "cores", "num_runs", "cores_each", "expected"),
    [
        (None, 8, 3, 1, 3),
        (None, 2, 15, 1, 2),
        (None, 8, 15, 4, 2),
        (None, 1, 5, 4, 1),
        (7, 2, 15, 1, 7),
        (None, 4, 0, 1, 1),
    ],
)
def test_as_many_jobs_as_fit(
    monkeypatch: pytest.MonkeyPatch, jobs: int | None, cores: int, num_runs: int, cores_each: int, expected: int
) -> None:
    monkeypatch.setattr(local, "usable_cores", lambda: cores)
    assert fit_jobs(jobs, num_runs, cores_each) == expected


def test_runs_that_need_a_gpu_get_different_ones(
    command: Callable[[str], tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    monkeypatch.setattr(local, "usable_cores", lambda: 16)
    worker = command(f"(folder / 'gpu').write_text(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(0.2); {OK}")
    runs = folders(tmp_path, 4)
    busy: dict[Path, str] = {}
    for event in LocalEngine(command=worker).run(runs, {"gpus": 1}):
        if event.kind == "started":
            assert wait_until(lambda run=event.dir: (run / "gpu").exists() and (run / "gpu").read_text() != "")
            busy[event.dir] = (event.dir / "gpu").read_text()
            assert len(busy) <= 2 and len(set(busy.values())) == len(busy)
        else:
            del busy[event.dir]
    assert {(run / "gpu").read_text() for run in runs} == {"3", "5"}


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        ({"gpus": 3}, "each run needs gpus=3, and this machine offers 2"),
        ({"disks": 1}, "needs disks=1: a local run can need cores and gpus, each 0 or more"),
        ({"cores": -1}, "needs cores=-1: a local run can need cores and gpus"),
    ],
)
def test_needs_that_cannot_be_met_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs: dict[str, int], text: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ValueError, match=text):
        next(LocalEngine().run(folders(tmp_path, 1), needs))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["jobs", "num_threads", "timeout_seconds"])
def test_numbers_that_are_not_above_zero_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0: expected a number above 0"):
        LocalEngine(**{name: 0})  # type: ignore[arg-type]


def test_usable_gpus_are_those_that_the_environment_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, expected in (("", []), ("-1", []), ("1,GPU-abc", ["1", "GPU-abc"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        assert usable_gpus() == expected


def test_a_container_s_cpu_quota_counts(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    assert usable_cores(tmp_path) == cores
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cores(tmp_path) == cores
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert usable_cores(tmp_path) == 1
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    for quota, expected in (("-1", cores), ("50000", 1)):
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
        assert usable_cores(tmp_path) == expected


def test_the_counter_of_the_own_group_is_read_first(tmp_path: Path) -> None:
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    assert oom_kills(proc, cgroups) is None
    (proc / "self").mkdir(parents=True)
    (proc / "vmstat").write_text("nr_free_pages 12\noom_kill 7\n")
    assert oom_kills(proc, cgroups) == 7
    (proc / "self" / "cgroup").write_text("4:memory:/pod/x\n0::/user\n")
    (cgroups / "user").mkdir(parents=True)
    (cgroups / "user" / "memory.events").write_text("low 0\noom 9\noom_kill 3\noom_group_kill 0\n")
    assert oom_kills(proc, cgroups) == 3
    (cgroups / "memory" / "pod" / "x").mkdir(parents=True)
    (cgroups / "memory" / "pod" / "x" / "memory.oom_control").write_text(
        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
    )
    assert oom_kills(proc, cgroups) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("starting\nno space left on device\n\n", "no space left on device"),
        (
            "Traceback (most recent call last):\n  File 'a.py', line 1\nKeyError: 'x'\n\nDuring handling ...:\n\n"
            "Traceback (most recent call last):\n  File 'a.py', line 2\n    f(\n     ^\n"
            "ValueError: first line\nsecond line\nepilogue of a logger\n",
            "ValueError: first line",
        ),
        (
            "Fatal Python error: Aborted\n\nThread 0x1:\n  File 'a.py'\n",
            "Fatal Python error: Aborted",
        ),
        ("Traceback (most recent call last):\n  File 'cut o", "File 'cut o"),
    ],
)
def test_last_words(tmp_path: Path, text: str, expected: str) -> None:
    log = tmp_path / "log.txt"
    log.write_text("Traceback (most recent call last):\n  x\nOSError: of an earlier attempt\n" + text)
    start = log.stat().st_size - len(text)
    assert last_words(log, start) == expected


def test_last_words_of_a_log_that_is_not_there(tmp_path: Path) -> None:
    assert last_words(tmp_path / "log.txt") == ""
