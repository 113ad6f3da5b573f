"""Warm-up, stable, decay: against the published cooldowns, and by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.schedules import WarmupStableDecay


def published(step: int, num_steps: int, decay_steps: int, shape: str) -> float:
    """f of section 3.1 of Hägele et al. 2024, for n past N - N_decay; N_decay counted in steps as there."""
    n, big_n, n_decay = step, num_steps, decay_steps
    if n < big_n - n_decay:
        return 1.0
    if shape == "linear":
        return 1 - (n - (big_n - n_decay)) / n_decay
    return 1 - math.sqrt((n - (big_n - n_decay)) / n_decay)


@pytest.mark.parametrize("shape", ["sqrt", "linear"])
def test_equals_the_published_cooldown(shape: Any) -> None:
    wsd = WarmupStableDecay(warmup=0.0, decay=0.2, shape=shape)
    for step in range(1001):
        assert wsd.factor(step, 1000) == pytest.approx(published(step, 1000, 200, shape), abs=1e-12)


def test_by_hand() -> None:
    wsd = WarmupStableDecay(warmup=0.2, decay=0.4, end=0.2)  # of 10 steps: 2 warm up, 4 stay, 4 cool down
    factors = [wsd.factor(step, 10) for step in range(12)]
    left = [1 - math.sqrt(p) for p in (0, 0.25, 0.5, 0.75)]
    assert factors == pytest.approx([0.5, 1, 1, 1, 1, 1, *(0.2 + 0.8 * x for x in left), 0.2, 0.2])


def test_linear_cooldown_has_no_jump() -> None:
    wsd = WarmupStableDecay(warmup=0.0, decay=0.2, shape="linear")
    factors = [wsd.factor(step, 1000) for step in range(1002)]
    assert max(a - b for a, b in itertools.pairwise(factors)) == pytest.approx(1 / 200)


def test_sqrt_lies_below_linear() -> None:
    sqrt, linear = WarmupStableDecay(), WarmupStableDecay(shape="linear")
    assert all(sqrt.factor(step, 100) < linear.factor(step, 100) for step in range(81, 100))


@given(warmup=st.floats(0, 1), num_steps=st.integers(1, 200))
def test_warmup_and_decay_that_fill_the_run_meet(warmup: float, num_steps: int) -> None:
    """Rounded to whole steps they may overlap by one: the curve rises, then falls, and nothing else."""
    wsd = WarmupStableDecay(warmup=warmup, decay=1.0 - warmup, end=0.1)
    factors = [wsd.factor(step, num_steps) for step in range(num_steps + 1)]
    top = factors.index(max(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)
    assert factors[-1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup": 0.5, "decay": 0.6}, r"^warmup=0\.5 and decay=0\.6 must not be over 1 together: shares of a run$"),
        ({"shape": "cosine"}, r"^shape='cosine' must be 'sqrt' or 'linear'$"),
    ],
)
def test_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WarmupStableDecay(**options)
