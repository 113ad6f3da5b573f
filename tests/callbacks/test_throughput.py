"""ThroughputMonitor under real Trainer runs. The clock is one that the run itself advances, so that every figure is
exact: a micro-batch takes 1 second of it, loading one 10, a validation batch 1000."""

from __future__ import annotations

import ast
import inspect
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from zoo.accounting.devices import Peak
from zoo.callbacks import throughput
from zoo.callbacks.throughput import ThroughputMonitor

PEAK = Peak(1000.0, "measured_gemm", torch.float32, "a device", 0.0)


class Clock:
    now = 0.0


class Monitor(ThroughputMonitor):
    """On the run's own clock."""

    def __init__(self, clock: Clock, **options: Any):
        given = {"flops_per_step": 600.0, "palm_flops_per_step": 800.0, "tokens_per_step": 30, "peak": PEAK}
        super().__init__(**(given | options))
        self.clock = clock

    def _now(self) -> float:
        return self.clock.now


class Loader(IterableDataset):
    def __init__(self, clock: Clock, seconds: float):
        self.clock, self.seconds = clock, seconds

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            self.clock.now += self.seconds
            yield torch.ones(2)


class Timed(LightningModule):
    """`slow` gives seconds that some optimizer steps take on top, by their number from 0."""

    def __init__(self, clock: Clock, slow: dict[int, float] | None = None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.clock, self.slow = clock, slow or {}

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.clock.now += 1.0 + self.slow.get(self.global_step, 0.0)
        return (self.weight * batch).sum()

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.clock.now += 1000.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


class TimedWithWork(Timed):
    """Says itself what a step does."""

    def step_flops(self) -> int:
        return 60

    def palm_step_flops(self) -> int:
        return 90

    def tokens_per_step(self) -> int:
        return 7


class Memory(Logger):
    """A logger that keeps what it is given."""

    name, version = "memory", "0"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        self.rows.append((step, metrics))


def fit(monitor: ThroughputMonitor, module: Timed, num_steps: int, ckpt: Path | None = None, **options: Any) -> Trainer:
    validates = "val_check_interval" in options
    quiet = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    silent = {"accelerator": "cpu", "logger": False, "num_sanity_val_steps": 0, "limit_val_batches": 2}
    trainer = Trainer(
        max_steps=num_steps,
        check_val_every_n_epoch=None if validates else 1,
        callbacks=[monitor],
        **(quiet | silent | options),
    )
    loaders = [DataLoader(Loader(module.clock, s), batch_size=None) for s in (10.0, 0.0)]
    trainer.fit(module, loaders[0], loaders[1] if validates else None, ckpt_path=ckpt, weights_only=False)
    return trainer


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_every_figure_follows_from_the_steps(clock: Clock) -> None:
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 10)
    expected = {
        "tokens_per_second": 30.0,
        "flops_per_second": 600.0,
        "mfu": 0.6,
        "mfu_palm": 0.8,
        "step_seconds_median": 1.0,
        "tokens": 300,
        "flops": 6000,
        "training_seconds": 10.0,
    }
    for figures in (monitor.summary(), monitor.latest):
        assert figures.pop("peak_memory_bytes") > 1e6
        assert figures == pytest.approx(expected)


def test_a_step_is_the_sum_of_its_micro_batches(clock: Clock) -> None:
    """And the 10 seconds that loading takes between them are not in it."""
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 6, accumulate_grad_batches=4)
    summary = monitor.summary()
    assert summary["step_seconds_median"] == 4.0
    assert summary["training_seconds"] == 24.0
    assert summary["tokens"] == 180
    assert summary["mfu"] == pytest.approx(600 / 4 / 1000)


def test_validation_is_outside(clock: Clock) -> None:
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 9, val_check_interval=3, num_sanity_val_steps=2)
    assert monitor.summary()["training_seconds"] == 9.0
    assert clock.now > 3 * 2 * 1000


def test_validation_in_the_middle_of_an_accumulation_is_outside(clock: Clock) -> None:
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 6, val_check_interval=3, accumulate_grad_batches=2)
    assert monitor.summary()["training_seconds"] == 12.0
    assert monitor.summary()["step_seconds_median"] == 2.0


def test_first_steps_and_those_after_a_validation_count_in_totals_alone(clock: Clock) -> None:
    slow = {0: 50.0, 1: 50.0, 2: 50.0, 5: 70.0, 8: 0.5}  # a validation after every 5 steps
    monitor = Monitor(clock)
    fit(monitor, Timed(clock, slow), 10, val_check_interval=5)
    assert sorted(monitor._step_seconds) == [1.0, 1.0, 1.0, 1.0, 1.0, 1.5]  # steps 3, 4, 6, 7, 8, 9
    summary = monitor.summary()
    assert summary["step_seconds_median"] == 1.0
    assert summary["training_seconds"] == 10 + 150 + 70 + 0.5
    assert summary["tokens"] == 300


def test_rates_are_unknown_before_a_step_is_measured(clock: Clock) -> None:
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 3)
    summary = monitor.summary()
    rates = ("tokens_per_second", "flops_per_second", "mfu", "mfu_palm", "step_seconds_median")
    assert all(math.isnan(summary[name]) for name in rates)
    assert summary["tokens"] == 90


def test_latest_is_of_the_last_steps_and_summary_of_all(clock: Clock) -> None:
    slow = dict.fromkeys(range(14, 20), 1.0)
    monitor = Monitor(clock, log_every=5)
    fit(monitor, Timed(clock, slow), 20)
    assert monitor.latest["step_seconds_median"] == 2.0
    assert monitor.summary()["step_seconds_median"] == 1.0


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

    before = throughput._compilations()
    compiled = torch.compile(lambda x: x + 1, backend="eager")
    compiled(torch.ones(3))
    after = throughput._compilations()
    compiled(torch.ones(3))
    assert after == before + 1 == throughput._compilations()


def test_totals_and_rates_go_on_after_a_resume(clock: Clock, tmp_path: Path) -> None:
    first = Monitor(clock)
    trainer = fit(first, Timed(clock), 6)
    trainer.save_checkpoint(tmp_path / "six.ckpt")
    for weights_only in (True, False):
        torch.load(tmp_path / "six.ckpt", weights_only=weights_only)

    second = Monitor(clock)
    fit(second, Timed(clock, {6: 90.0}), 8, tmp_path / "six.ckpt")
    summary = second.summary()
    assert summary["tokens"] == 8 * 30
    assert summary["flops"] == 8 * 600
    assert summary["training_seconds"] == 8 + 90
    assert list(second._step_seconds) == [1.0, 1.0, 1.0]  # of the first process: the second only warmed up
    assert summary["step_seconds_median"] == 1.0


def test_a_new_run_begins_at_nothing(clock: Clock) -> None:
    monitor = Monitor(clock)
    for _ in range(2):
        fit(monitor, Timed(clock), 5)
    assert monitor.summary()["tokens"] == 150
    assert monitor.summary()["training_seconds"] == 5.0


def test_a_later_evaluation_changes_nothing(clock: Clock) -> None:
    monitor = Monitor(clock)
    module = Timed(clock)
    trainer = fit(monitor, module, 5)
    before = monitor.summary()
    trainer.validate(module, DataLoader(Loader(clock, 0.0), batch_size=None), verbose=False)
    assert monitor.summary() | {"peak_memory_bytes": 0} == before | {"peak_memory_bytes": 0}


def test_the_module_may_say_what_a_step_does(clock: Clock) -> None:
    monitor = Monitor(clock, flops_per_step=None, palm_flops_per_step=None, tokens_per_step=None)
    fit(monitor, TimedWithWork(clock), 10)
    summary = monitor.summary()
    assert (summary["tokens"], summary["flops"]) == (70, 600)
    assert (summary["mfu"], summary["mfu_palm"]) == pytest.approx((0.06, 0.09))


def test_what_is_given_goes_before_what_the_module_says(clock: Clock) -> None:
    monitor = Monitor(clock)
    fit(monitor, TimedWithWork(clock), 5)
    assert (monitor.latest["tokens"], monitor.latest["flops"]) == (150, 3000)


@pytest.mark.parametrize(
    ("argument", "method"), [("flops_per_step", "step_flops"), ("tokens_per_step", "tokens_per_step")]
)
def test_refuses_a_module_that_does_not_say(clock: Clock, argument: str, method: str) -> None:
    expected = rf"^ThroughputMonitor has no {argument}: give it, or write a method {method}\(\) in Timed$"
    with pytest.raises(ValueError, match=expected):
        fit(Monitor(clock, **{argument: None}), Timed(clock), 1)


def test_mfu_is_unknown_without_its_peak_or_its_count(clock: Clock) -> None:
    monitor = Monitor(clock, peak=None)
    fit(monitor, Timed(clock), 6)
    assert math.isnan(monitor.latest["mfu"])
    assert math.isnan(monitor.latest["mfu_palm"])
    assert monitor.latest["flops_per_second"] == 600.0
    monitor = Monitor(clock, palm_flops_per_step=None)
    fit(monitor, Timed(clock), 6)
    assert math.isnan(monitor.latest["mfu_palm"])
    assert monitor.latest["mfu"] == pytest.approx(0.6)


def test_many_devices_share_the_work(clock: Clock) -> None:
    """Counts are over all devices, the peak is of one."""
    monitor = Monitor(clock)
    trainer = SimpleNamespace(global_step=0, world_size=4, max_steps=-1, loggers=[])
    monitor.on_fit_start(trainer, Timed(clock))
    monitor.on_train_start(trainer, Timed(clock))
    for step in range(1, 11):
        monitor.on_train_batch_start(trainer, None, None, 0)
        clock.now += 1.0
        trainer.global_step = step
        monitor.on_train_batch_end(trainer, None, None, None, 0)
    assert monitor.summary()["mfu"] == pytest.approx(0.6 / 4)
    assert monitor.summary()["tokens_per_second"] == 30.0


def test_loggers_get_what_is_known_at_log_boundaries(clock: Clock) -> None:
    logger = Memory()
    monitor = Monitor(clock, log_every=4, palm_flops_per_step=None)
    fit(monitor, Timed(clock), 9, logger=logger, log_every_n_steps=100)
    rows = [(step, row) for step, row in logger.rows if any(name.startswith("throughput/") for name in row)]
    assert [step for step, _ in rows] == [1, 4, 8, 9]
    assert set(rows[0][1]) == {f"throughput/{n}" for n in ("tokens", "flops", "training_seconds", "peak_memory_bytes")}
    assert rows[-1][1]["throughput/mfu"] == pytest.approx(0.6)
    assert "throughput/mfu_palm" not in rows[-1][1]


def test_real_time_passes(clock: Clock) -> None:
    """The monitor's own clock, once: seconds are positive, and no more than the run took."""
    monitor = ThroughputMonitor(flops_per_step=1, tokens_per_step=1, peak=PEAK)
    began = throughput.time.perf_counter()
    fit(monitor, Timed(clock), 8)
    summary = monitor.summary()
    assert 0 < 5 * summary["step_seconds_median"] < throughput.time.perf_counter() - began
    assert 0 < summary["training_seconds"] < throughput.time.perf_counter() - began
    assert summary["mfu"] > 0


def test_the_host_never_waits_for_the_whole_device() -> None:
    """Events are waited for at log boundaries; a synchronisation of the device would stand in every step's time."""
    calls = [ast.unparse(n.func) for n in ast.walk(ast.parse(inspect.getsource(throughput))) if isinstance(n, ast.Call)]
    assert "torch.cuda.Event" in calls
    assert "torch.cuda.synchronize" not in calls


def test_summary_before_a_run_knows_nothing() -> None:
    assert math.isnan(ThroughputMonitor().summary()["tokens_per_second"])


def test_refuses_an_interval_below_one() -> None:
    with pytest.raises(ValueError, match=r"^log_every=0 must be at least 1$"):
        ThroughputMonitor(log_every=0)


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
