"""ThroughputMonitor's rates and totals under real Trainer runs; its clock: `tests.callbacks.timed`."""

from __future__ import annotations

import math
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.profilers import PassThroughProfiler
from torch.utils.data import DataLoader

from tests.callbacks.timed import PEAK, Clock, Loader, Memory, Monitor, Timed, fit
from zoo.callbacks.throughput import ThroughputMonitor


class TimedWithWork(Timed):
    """Says itself what a step does."""

    def step_flops(self) -> int:
        return 60

    def palm_step_flops(self) -> int:
        return 90

    def tokens_per_step(self) -> int:
        return 7


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
        "hfu": 0.9,
        "step_seconds_median": 1.0,
        "step_seconds_iqr": 0.0,
        "tokens": 300,
        "flops": 6000,
        "training_seconds": 10.0,
        "wall_seconds": 110.0,
        "data_share": 100 / 110,
        "step_share": 10 / 110,
        "validation_share": 0.0,
        "checkpoint_share": 0.0,
        "other_share": 0.0,
        "goodput": 6 / 110,
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
    rates = ("tokens_per_second", "flops_per_second", "mfu", "mfu_palm", "hfu", "step_seconds_median")
    assert all(math.isnan(summary[name]) for name in rates)
    assert summary["tokens"] == 90


def test_latest_is_of_the_last_steps_and_summary_of_all(clock: Clock) -> None:
    slow = dict.fromkeys(range(14, 20), 1.0)
    monitor = Monitor(clock, log_every=5)
    fit(monitor, Timed(clock, slow), 20)
    assert monitor.latest["step_seconds_median"] == 2.0
    assert monitor.summary()["step_seconds_median"] == 1.0


def test_a_checkpoint_from_before_there_were_shares_is_read(clock: Clock, tmp_path: Path) -> None:
    first = Monitor(clock)
    fit(first, Timed(clock), 6).save_checkpoint(tmp_path / "six.ckpt")
    checkpoint = torch.load(tmp_path / "six.ckpt", weights_only=False)
    for state in checkpoint["callbacks"].values():
        for name in ("wall_seconds", "ideal_seconds"):
            state.pop(name, None)
    torch.save(checkpoint, tmp_path / "old.ckpt")
    second = Monitor(clock)
    fit(second, Timed(clock), 8, tmp_path / "old.ckpt")
    summary = second.summary()
    assert (summary["tokens"], summary["training_seconds"]) == (240, 8.0)
    assert summary["wall_seconds"] == 22.0  # of this process
    assert summary["goodput"] == pytest.approx(2 * 0.6 / 22)


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
    monitor, module = Monitor(clock), Timed(clock)
    trainer = SimpleNamespace(global_step=0, world_size=4, max_steps=-1, loggers=[], callbacks=[])
    trainer.profiler, trainer.precision_plugin = PassThroughProfiler(), None
    monitor.setup(trainer, module, "fit")
    monitor.on_fit_start(trainer, module)
    monitor.on_train_start(trainer, module)
    for step in range(1, 11):
        with trainer.profiler.profile("run_training_batch"):
            clock.now += 1.0
        trainer.global_step = step
        monitor.on_train_batch_end(trainer, module, None, None, 0)
    assert monitor.summary()["mfu"] == pytest.approx(0.6 / 4)
    assert monitor.summary()["goodput"] == pytest.approx(0.6 / 4)
    assert monitor.summary()["tokens_per_second"] == 30.0


def test_loggers_get_what_is_known_at_log_boundaries(clock: Clock) -> None:
    logger = Memory()
    monitor = Monitor(clock, log_every=4, palm_flops_per_step=None)
    fit(monitor, Timed(clock), 9, logger=logger, log_every_n_steps=100)
    rows = [(step, row) for step, row in logger.rows if any(name.startswith("throughput/") for name in row)]
    assert [step for step, _ in rows] == [1, 4, 8, 9]
    totals = ("tokens", "flops", "training_seconds", "wall_seconds", "goodput", "peak_memory_bytes")
    shares = [f"{bucket}_share" for bucket in ("data", "step", "validation", "checkpoint", "other")]
    assert set(rows[0][1]) == {f"throughput/{name}" for name in (*totals, *shares)}
    assert rows[-1][1]["throughput/mfu"] == pytest.approx(0.6)
    assert "throughput/mfu_palm" not in rows[-1][1]


def test_real_time_passes(clock: Clock) -> None:
    """The monitor's own clock, once: seconds are positive, and no more than the run took."""
    monitor = ThroughputMonitor(flops_per_step=1, tokens_per_step=1, peak=PEAK)
    began = time.perf_counter()
    fit(monitor, Timed(clock), 8)
    summary = monitor.summary()
    assert 0 < 5 * summary["step_seconds_median"] < time.perf_counter() - began
    assert 0 < summary["training_seconds"] < time.perf_counter() - began
    assert summary["mfu"] > 0


def test_summary_before_a_run_knows_nothing() -> None:
    assert math.isnan(ThroughputMonitor().summary()["tokens_per_second"])


def test_refuses_an_interval_below_one() -> None:
    with pytest.raises(ValueError, match=r"^log_every=0 must be at least 1$"):
        ThroughputMonitor(log_every=0)
