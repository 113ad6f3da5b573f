"""What holds for every schedule, built with its default arguments."""

from __future__ import annotations

import dataclasses
import itertools
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.families import variants
from zoo.schedules.base import Schedule, check_share, decay_progress, warmup_factor

every_variant = pytest.mark.parametrize("cls", variants("schedules").values(), ids=lambda cls: cls.__name__)


@every_variant
@given(step=st.integers(0, 20_000), num_steps=st.integers(1, 10_000))
def test_is_a_pure_function_into_the_unit_interval(cls: type[Schedule], step: int, num_steps: int) -> None:
    schedule = cls()
    factor = schedule.factor(step, num_steps)
    assert isinstance(factor, float)
    assert 0.0 <= factor <= 1.0
    schedule.factor(step // 2, num_steps + 1)
    assert schedule.factor(step, num_steps) == factor == cls().factor(step, num_steps)


@every_variant
@given(num_steps=st.integers(1, 100_000))
def test_no_step_is_wasted_on_a_rate_of_zero(cls: type[Schedule], num_steps: int) -> None:
    schedule = cls()
    assert schedule.factor(0, num_steps) > 0.0
    assert schedule.factor(num_steps - 1, num_steps) > 0.0


@every_variant
@given(num_steps=st.integers(1, 100_000), past=st.integers(0, 100_000))
def test_holds_its_end_value(cls: type[Schedule], num_steps: int, past: int) -> None:
    schedule = cls()
    assert schedule.factor(num_steps + past, num_steps) == schedule.factor(num_steps, num_steps)


@every_variant
def test_reaches_the_peak(cls: type[Schedule]) -> None:
    assert max(cls().factor(step, 1000) for step in range(1000)) == 1.0


@every_variant
@pytest.mark.parametrize("num_steps", [100, 1_000, 20_000])
def test_is_continuous_after_warmup(cls: type[Schedule], num_steps: int) -> None:
    """Jumps vanish as the run gets longer, with 1 / sqrt(num_steps) at the slowest: the cooldown of a root."""
    schedule = cls()
    first = round(getattr(schedule, "warmup", 0.0) * num_steps)
    factors = [schedule.factor(step, num_steps) for step in range(first, num_steps + 2)]
    largest = max(abs(a - b) for a, b in itertools.pairwise(factors))
    assert largest < 3 / math.sqrt(num_steps)


@every_variant
def test_means_the_same_in_runs_of_any_length(cls: type[Schedule]) -> None:
    schedule = cls()
    for percent in range(10, 101, 5):
        short, long = (schedule.factor(percent * n // 100, n) for n in (1_000, 100_000))
        assert short == pytest.approx(long, abs=1e-3)


@every_variant
def test_is_immutable_and_travels_between_processes(cls: type[Schedule]) -> None:
    schedule = cls()
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    with pytest.raises(dataclasses.FrozenInstanceError):
        schedule.warmup = 0.5  # type: ignore[attr-defined]


@every_variant
def test_resumes_where_it_stopped(cls: type[Schedule]) -> None:
    """Under torch's LambdaLR, as a run has it: a scheduler loaded at step 7 goes on with the rate of step 7."""

    def scheduler() -> torch.optim.lr_scheduler.LambdaLR:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cls().factor(step, 10))

    whole, resumed = scheduler(), scheduler()
    rates = []
    for _ in range(10):
        rates.append(whole.get_last_lr()[0])
        whole.optimizer.step()
        whole.step()
        if len(rates) == 7:
            resumed.load_state_dict(whole.state_dict())
    assert rates == [0.5 * cls().factor(step, 10) for step in range(10)]
    assert resumed.get_last_lr() == [rates[7]]


@every_variant
def test_refuses_what_is_not_a_share(cls: type[Schedule]) -> None:
    for field in dataclasses.fields(cls):
        if isinstance(field.default, float):
            for wrong in (-0.1, 1.5, float("nan")):
                with pytest.raises(ValueError, match=rf"^{field.name}={wrong} must be in \[0, 1\]: it is a share$"):
                    cls(**{field.name: wrong})


def test_warmup_by_hand() -> None:
    assert [warmup_factor(step, 10, 0.4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, None, None]
    assert warmup_factor(0, 10, 0.0) is None


def test_decay_progress_by_hand() -> None:
    assert [decay_progress(step, 10, 6) for step in (0, 6, 7, 8, 9, 10, 11)] == [0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert decay_progress(0, 1, 0) == 0.0
    assert decay_progress(10, 10, 10) == 1.0


def test_share_is_handed_through() -> None:
    assert check_share("warmup", 1.0) == 1.0
