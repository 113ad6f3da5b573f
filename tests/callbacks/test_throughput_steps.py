"""What ThroughputMonitor takes for the time of a step, which ones it measures, and when it reads the device's clock."""

from __future__ import annotations

import ast
import inspect
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.callbacks.timed import Clock, Memory, Monitor, Timed, fit
from zoo.callbacks import _ideal_time, _step_time, _wall_time, throughput
from zoo.callbacks.throughput import ThroughputMonitor


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_step_that_compiled_is_not_measured(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stats = {"unique_graphs": 4}
    monkeypatch.setitem(sys.modules, "torch._dynamo.utils", SimpleNamespace(counters={"stats": stats}))

    class Recompiles(Timed):
        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            stats["unique_graphs"] += self.global_step == 6
            return super().training_step(batch, batch_idx)

    monitor = Monitor(clock)
    fit(monitor, Recompiles(clock, {6: 30.0}), 10)
    assert list(monitor._step_seconds) == [1.0] * 6
    assert monitor.summary()["training_seconds"] == 40.0


def test_torch_counts_what_it_compiles() -> None:
    import torch._dynamo

    before = _step_time.compilations()
    compiled = torch.compile(lambda x: x + 1, backend="eager")
    compiled(torch.ones(3))
    after = _step_time.compilations()
    compiled(torch.ones(3))
    assert after == before + 1 == _step_time.compilations()


class Event:
    """Of a device that is `late` events behind the host."""

    made, waited, late = 0, 0, 0

    def __init__(self, clock: Clock):
        self.at, self.number = clock.now, Event.made
        Event.made += 1

    def query(self) -> bool:
        return self.number < Event.made - Event.late

    def synchronize(self) -> None:
        if not self.query():
            Event.waited += 1

    def elapsed_time(self, other: Event) -> float:
        return 1e3 * (other.at - self.at)


class OnDevice(Monitor):
    def _at_step_edge(self, now: float) -> None:
        self._step.edges.append(Event(self.clock))


def test_events_are_read_when_the_device_has_passed_them(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four events are two steps: they come with the next reading, or when the whole run is asked for."""
    for name, value in {"made": 0, "waited": 0, "late": 4}.items():
        monkeypatch.setattr(Event, name, value)
    logger, monitor = Memory(), OnDevice(clock, log_every=5)
    fit(monitor, Timed(clock), 10, logger=logger)
    logged = {step: row["throughput/training_seconds"] for step, row in logger.rows if "throughput/tokens" in row}
    assert logged == {1: 0.0, 5: 3.0, 10: 8.0}
    assert monitor.latest["training_seconds"] == 8.0
    assert Event.waited == 0
    assert monitor.summary()["training_seconds"] == 10.0
    assert Event.waited == 2
    assert monitor.summary()["step_seconds_median"] == monitor.latest["step_seconds_median"] == 1.0


def test_steps_among_which_the_allocator_retried_are_not_measured(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked at log boundaries alone, so all steps since the last one are in doubt."""
    retries = {"num": 7}
    monkeypatch.setattr(throughput, "alloc_retries", lambda device: retries["num"])

    class Retries(Timed):
        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            retries["num"] += self.global_step == 7
            return super().training_step(batch, batch_idx)

    monitor = Monitor(clock, log_every=5)
    fit(monitor, Retries(clock, {7: 40.0}), 20)
    assert list(monitor._step_seconds) == [1.0] * 12  # steps 3 and 4, and 10 to 19
    assert monitor.summary()["training_seconds"] == 60.0


def test_torch_counts_retries_of_cuda_alone() -> None:
    assert _step_time.alloc_retries(torch.device("cpu")) == 0


def test_the_spread_is_that_of_the_middle_half(clock: Clock) -> None:
    slow = {3: 1.0, 4: 2.0, 5: 3.0, 6: 4.0}  # steps 3 to 7 take 2, 3, 4, 5, 1
    monitor = Monitor(clock)
    fit(monitor, Timed(clock, slow), 8)
    assert monitor.summary()["step_seconds_median"] == 3.0
    assert monitor.summary()["step_seconds_iqr"] == 2.0
    assert monitor.step_seconds == [2.0, 3.0, 4.0, 5.0, 1.0]
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 4)
    assert monitor.summary()["step_seconds_median"] == 1.0
    assert math.isnan(monitor.summary()["step_seconds_iqr"])


def test_the_host_waits_for_events_alone() -> None:
    """And that where their times are read; a synchronisation of the device would stand in every step's time."""
    calls: dict[str, list[str]] = {}
    for module in (throughput, _step_time, _wall_time, _ideal_time):
        for function in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call):
                        calls.setdefault(ast.unparse(node.func), []).append(function.name)
    assert calls["torch.cuda.Event"] == ["_at_step_edge"]
    assert [name for name in calls if "synchronize" in name] == ["ended.synchronize"]
    assert calls["ended.synchronize"] == ["_seconds_between"]
    assert not [name for name in calls if name.endswith((".item", ".cpu"))]


RANKS = """
import sys
import torch
import torch.distributed
from tests.callbacks.timed import Clock, Memory, Monitor, Timed, fit

class Uneven(Timed):
    def training_step(self, batch, batch_idx):
        self.clock.now += self.global_rank
        return super().training_step(batch, batch_idx)

clock, logger = Clock(), Memory()
monitor = Monitor(clock, log_every=4)
trainer = fit(monitor, Uneven(clock), 8, strategy="ddp", devices=2, logger=logger, use_distributed_sampler=False)
figures = monitor.summary()
names = ("step_seconds_median", "step_seconds_slowest", "mfu", "tokens", "data_share")
path = f"{sys.argv[1]}/{trainer.global_rank}.txt"
open(path, "w").write(" ".join(str(figures[name]) for name in names))
"""


@pytest.mark.slow
def test_ranks_tell_each_other_the_slowest(tmp_path: Path) -> None:
    """Two real processes: rank 0 takes 1 second a step, rank 1 takes 2."""
    script = tmp_path / "ranks.py"
    script.write_text(RANKS, encoding="utf-8")
    paths = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for rank, own_median in enumerate((1.0, 2.0)):
        figures = [float(word) for word in (tmp_path / f"{rank}.txt").read_text(encoding="utf-8").split()]
        expected = [own_median, 2.0, 600 / own_median / (2 * 1000), 240, 10 / (10 + own_median)]
        assert figures == pytest.approx(expected)


def test_one_rank_has_no_slowest(clock: Clock) -> None:
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 5)
    assert "step_seconds_slowest" not in monitor.latest
    assert math.isnan(_step_time.slowest_of_ranks(1.0, torch.device("cpu")))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_device_tells_the_time(clock: Clock) -> None:
    """A product of 8192 x 8192 in float32 does 1.1e12 FLOPs, which no device does in 1 ms; its launch takes 20 us."""

    class Multiplies(Timed):
        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            big = torch.ones(8192, 8192, device=self.device)
            return (big @ big).mean() * 0 + (self.weight * batch).sum()

    monitor = ThroughputMonitor(flops_per_step=2 * 8192**3, tokens_per_step=1, log_every=4)
    fit(monitor, Multiplies(clock), 12, accelerator="gpu")
    summary = monitor.summary()
    assert summary["step_seconds_median"] > 1e-3
    assert summary["training_seconds"] >= 12 * 1e-3
    assert summary["peak_memory_bytes"] >= 2 * 4 * 8192**2


@given(st.lists(st.floats(0, 1e3), min_size=2, max_size=30))
def test_quartiles_are_those_of_the_statistics_module(seconds: list[float]) -> None:
    lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    assert _step_time.median_and_spread(seconds) == pytest.approx((median, upper - lower), abs=1e-9)
