"""Processes that apply one function to many arguments and give the results in order.

Not `concurrent.futures`, whose processes live on when their parent is killed, cannot be stopped at once, and run the
caller's main module again. Here a worker reads tasks from a pipe that only its parent holds the other end of: when the
parent dies, however it dies, the pipe closes and the worker goes too. Each stands in a session of its own, so that
Ctrl-C reaches the parent only, which then stops them.
"""

from __future__ import annotations

import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from zoo.data.workers import serve; serve()"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_AHEAD = 3  # tasks per worker that may be under way or done before their turn: bounds memory


class Workers:
    """A context manager: `map` works within, and no process is left after.

    Args:
        function: of one argument, picklable; is unpickled once in each process, where imports find what they find here.
        num_workers: processes.
    """

    def __init__(self, function: Callable[[Any], Any], num_workers: int):
        self._function = _framed(function)
        self._num_workers = num_workers
        self._processes: list[subprocess.Popen[bytes]] = []
        self._free: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._own = threading.local()
        # One thread per process: it waits for its process, so no result can be late and no pipe full.
        self._threads = ThreadPoolExecutor(num_workers, initializer=self._take_one)

    def __enter__(self) -> Workers:
        try:
            for _ in range(self._num_workers):
                self._processes.append(self._start())
                self._free.put(self._processes[-1])
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()

    def map(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """The function's results, in the order of the tasks.

        Raises:
            ChildProcessError: a worker died.
            Exception: what the function raised.
        """
        waiting: deque[Future[Any]] = deque()
        for task in tasks:
            waiting.append(self._threads.submit(self._ask, task))
            if len(waiting) > _AHEAD * self._num_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,
        )

    def _take_one(self) -> None:
        self._own.process = self._free.get()
        self._own.greeted = False

    def _ask(self, task: Any) -> Any:
        process = self._own.process
        try:
            if not self._own.greeted:
                process.stdin.write(self._function)
                self._own.greeted = True
            process.stdin.write(_framed(task))
            process.stdin.flush()
            fine, value = pickle.load(process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise ChildProcessError(_death(process)) from error
        if fine:
            return value
        raise value

    def _stop(self) -> None:
        for process in self._processes:
            _kill(process)
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):  # what stands unsent in a buffer has nobody to go to
                    if pipe is not None:
                        pipe.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # with whatever it started


def _death(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(timeout=5)
    except subprocess.TimeoutExpired:  # it lives, and what it says is no answer
        _kill(process)
        code = process.wait()
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    hint = ": there may be too little memory for so many" if code == -signal.SIGKILL else ""
    return f"a worker process {how}{hint}; try fewer jobs"


def _framed(value: Any) -> bytes:
    """A pickle in a pickle: what fails to load leaves the stream at its end."""
    return pickle.dumps(pickle.dumps(value))


def serve() -> None:
    """What a worker does: answers tasks until its parent closes the pipe."""
    tasks, results = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a function prints is no result
    function: Callable[[Any], Any] | None = None
    failure: Exception | None = None
    try:
        frame = pickle.load(tasks)
        try:
            function = pickle.loads(frame)
        except Exception as error:
            failure = _portable(error)
        while True:
            results.write(_answer(function, failure, pickle.load(tasks)))
            results.flush()
    except (EOFError, BrokenPipeError):
        os._exit(0)


def _answer(function: Callable[[Any], Any] | None, failure: Exception | None, frame: bytes) -> bytes:
    """(True, result) or (False, what was raised), pickled."""
    if function is not None:
        try:
            return pickle.dumps((True, function(pickle.loads(frame))), protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:
            failure = _portable(error)
    return pickle.dumps((False, failure))


def _portable(error: Exception) -> Exception:
    """An exception that can be rebuilt in another process, whatever its class asks for."""
    if type(error).__module__ != "builtins":
        kind = ValueError if isinstance(error, ValueError) else RuntimeError
        portable: Exception = kind(f"{type(error).__name__}: {error}")
    else:
        portable = error
    portable.add_note("in a worker process:\n" + "".join(traceback.format_exception(error)))
    portable.__cause__ = portable.__context__ = None
    return portable
