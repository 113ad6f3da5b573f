"""What MFU is held against: FLOPs and peaks by the dtype that multiplies, and the peak that is found by itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.precision import (
    DoublePrecision,
    FSDPPrecision,
    HalfPrecision,
    MixedPrecision,
    Precision,
)
from torch import Tensor

from tests.callbacks.timed import PEAK, Clock, Monitor, Timed, fit
from zoo.accounting.devices import Peak
from zoo.callbacks import _ideal_time
from zoo.callbacks._ideal_time import compute_dtype
from zoo.callbacks.throughput import ThroughputMonitor
from zoo.precision import FP32, BF16Mixed

BF16, FP8 = torch.bfloat16, torch.float8_e4m3fn
PEAKS = {BF16: Peak(1000.0, "published", BF16, "a device"), FP8: Peak(2000.0, "published", FP8, "a device")}


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_mixed_products_are_a_sum_of_ideal_times(clock: Clock) -> None:
    """400 in bfloat16 take 0.4 s at their peak, 600 in float8 0.3 s; a step takes 1 s, and 10 for its batch."""
    flops = {"flops_per_step": {BF16: 400, FP8: 600}, "palm_flops_per_step": {BF16: 500, FP8: 600}}
    monitor = Monitor(clock, **flops, hardware_flops_per_step={BF16: 400, FP8: 1000}, peak=PEAKS)
    fit(monitor, Timed(clock), 10)
    summary = monitor.summary()
    assert (summary["mfu"], summary["mfu_palm"], summary["hfu"]) == pytest.approx((0.7, 0.8, 0.9))
    assert summary["goodput"] == pytest.approx(0.7 / 11)
    assert summary["flops_per_second"] == 1000
    assert summary["flops"] == 10_000


def test_with_one_dtype_it_is_the_usual_mfu(clock: Clock) -> None:
    for flops, peak in [
        ({torch.float32: 600}, PEAK),
        (600, {torch.float32: PEAK}),
        ({torch.float32: 600}, {torch.float32: PEAK} | PEAKS),
    ]:
        works = {"palm_flops_per_step": None, "hardware_flops_per_step": None}
        monitor = Monitor(clock, flops_per_step=flops, peak=peak, **works)
        fit(monitor, Timed(clock), 5)
        assert monitor.latest["mfu"] == pytest.approx(0.6)
        assert math.isnan(monitor.latest["mfu_palm"])


def test_a_module_may_say_by_dtype(clock: Clock) -> None:
    class Mixed(Timed):
        def step_flops(self) -> dict[torch.dtype, float]:
            return {BF16: 400, FP8: 600}

        def hardware_step_flops(self) -> dict[torch.dtype, float]:
            return {BF16: 500, FP8: 600}

    given = dict.fromkeys(("flops_per_step", "palm_flops_per_step", "hardware_flops_per_step"))
    monitor = Monitor(clock, **given, peak=PEAKS)
    fit(monitor, Mixed(clock), 5)
    assert (monitor.latest["mfu"], monitor.latest["hfu"]) == pytest.approx((0.7, 0.8))


def test_hfu_is_unknown_where_nobody_says(clock: Clock) -> None:
    monitor = Monitor(clock, hardware_flops_per_step=None)
    fit(monitor, Timed(clock), 5)
    assert math.isnan(monitor.latest["hfu"])
    assert monitor.latest["mfu"] == pytest.approx(0.6)


def test_without_a_peak_mixed_flops_count_all_the_same(clock: Clock) -> None:
    monitor = Monitor(clock, flops_per_step={BF16: 400, FP8: 600}, peak=None)
    fit(monitor, Timed(clock), 5)
    assert math.isnan(monitor.latest["mfu"])
    assert math.isnan(monitor.latest["goodput"])
    assert monitor.latest["flops"] == 5000


@pytest.mark.parametrize("argument", ["flops_per_step", "palm_flops_per_step", "hardware_flops_per_step"])
def test_refuses_flops_in_a_dtype_without_a_peak(clock: Clock, argument: str) -> None:
    expected = rf"^{argument} has FLOPs in float8_e4m3fn, and peak is of float32: give its peak too$"
    with pytest.raises(ValueError, match=expected):
        fit(Monitor(clock, **{argument: {torch.float32: 1, FP8: 1}}), Timed(clock), 1)


def test_refuses_one_number_for_several_peaks(clock: Clock) -> None:
    expected = r"^flops_per_step is one number, and peak is of bfloat16, float8_e4m3fn: give FLOPs as a mapping"
    with pytest.raises(ValueError, match=expected):
        fit(Monitor(clock, peak=PEAKS), Timed(clock), 1)


@pytest.mark.parametrize("peak", ["h100", 989.4e12])
def test_refuses_what_is_no_peak(peak: Any) -> None:
    expected = r'^peak=.*: expected a Peak, a mapping of torch\.dtype to Peak, "auto" or None$'
    with pytest.raises(ValueError, match=expected):
        ThroughputMonitor(peak=peak)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.device, torch.dtype]]:
    """What peaks were looked for; each is 1000, float8's 2000."""
    asked = []

    def peak_of(device: torch.device, dtype: torch.dtype) -> Peak:
        asked.append((device, dtype))
        return Peak(2000.0 if dtype == FP8 else 1000.0, "published", dtype, "a device")

    monkeypatch.setattr(_ideal_time, "peak_of", peak_of)
    return asked


@pytest.mark.parametrize(
    ("precision", "dtype"), [("32-true", torch.float32), ("bf16-true", BF16), ("bf16-mixed", BF16), (64, torch.float64)]
)
def test_finds_the_peak_of_the_trainers_precision(
    clock: Clock, asked: list[Any], precision: Any, dtype: torch.dtype
) -> None:
    class Casts(Timed):
        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            return super().training_step(batch.to(self.weight.dtype), batch_idx)

    monitor = Monitor(clock, peak="auto")
    fit(monitor, Casts(clock), 5, precision=precision)
    assert asked == [(torch.device("cpu"), dtype)]
    assert monitor.latest["mfu"] == pytest.approx(0.6)


def test_finds_the_peaks_of_the_dtypes_that_flops_are_in(clock: Clock, asked: list[Any]) -> None:
    works = {"palm_flops_per_step": None, "hardware_flops_per_step": {FP8: 1800.0}}
    monitor = Monitor(clock, flops_per_step={BF16: 400, FP8: 600}, peak="auto", **works)
    fit(monitor, Timed(clock), 5)
    assert asked == [(torch.device("cpu"), BF16), (torch.device("cpu"), FP8)]
    assert (monitor.latest["mfu"], monitor.latest["hfu"]) == pytest.approx((0.7, 0.9))


class Changes(Precision):
    """Computes in something else, and does not say in what."""

    def convert_input(self, data: Any) -> Any:
        return data


class OwnWord(Precision):
    precision = "fp4-mixed"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (Precision, torch.float32),
        (DoublePrecision, torch.float64),
        (lambda: HalfPrecision("bf16-true"), BF16),
        (lambda: HalfPrecision("16-true"), torch.float16),
        (lambda: MixedPrecision("16-mixed", "cpu"), torch.float16),
        (lambda: MixedPrecision("bf16-mixed", "cpu"), BF16),
        (lambda: FSDPPrecision("bf16-mixed"), BF16),
        (lambda: FSDPPrecision("32-true"), torch.float32),
        (FP32().plugin, torch.float32),
        (BF16Mixed().plugin, BF16),
    ],
)
def test_knows_what_a_plugin_multiplies_in(make: Callable[[], Any], dtype: torch.dtype) -> None:
    assert compute_dtype(make()) == dtype


@pytest.mark.parametrize(("plugin", "what"), [(Changes(), "Changes"), (OwnWord(), r"precision='fp4-mixed'")])
def test_refuses_a_precision_that_does_not_tell(clock: Clock, plugin: Precision, what: str) -> None:
    expected = rf'^peak="auto" does not know what {what} multiplies in: give a peak, as zoo\.accounting\.peak\.peak_of'
    with pytest.raises(ValueError, match=expected):
        fit(Monitor(clock, peak="auto"), Timed(clock), 1, plugins=[plugin])


@pytest.mark.slow
def test_a_cpu_is_measured(clock: Clock) -> None:
    monitor = Monitor(clock, peak="auto", flops_per_step=1e9)
    fit(monitor, Timed(clock), 5)
    assert 1e-4 < monitor.latest["mfu"] < 1  # 1e9 a second: a CPU does 1e9 to 1e13


def test_tokens_alone_give_tokens_per_second(clock: Clock) -> None:
    """Without a peak nobody needs FLOPs: they are NaN, and no error."""
    monitor = Monitor(clock, peak=None, flops_per_step=None, palm_flops_per_step=None)
    fit(monitor, Timed(clock), 5)
    figures = monitor.summary()
    assert figures["tokens_per_second"] == 30.0
    assert math.isnan(figures["flops_per_second"]) and math.isnan(figures["mfu"]) and math.isnan(figures["flops"])


@pytest.mark.parametrize("amount", [0, -3.0, float("nan"), float("inf")])
@pytest.mark.parametrize("argument", ["flops_per_step", "hardware_flops_per_step", "tokens_per_step"])
def test_what_is_no_amount_is_refused(argument: str, amount: float) -> None:
    with pytest.raises(ValueError, match=f"^{argument}={amount}: expected a finite number above 0$"):
        ThroughputMonitor(**{argument: amount})
    with pytest.raises(ValueError, match="flops_per_step="):
        ThroughputMonitor(flops_per_step={torch.bfloat16: amount})
