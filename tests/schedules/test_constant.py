"""The constant rate with its warm-up."""

from __future__ import annotations

from zoo.schedules import Constant


def test_is_one_without_warmup() -> None:
    assert {Constant().factor(step, 50) for step in range(60)} == {1.0}


def test_warms_up_by_hand() -> None:
    factors = [Constant(warmup=0.5).factor(step, 8) for step in range(10)]
    assert factors == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def test_warms_up_the_whole_run_if_asked() -> None:
    assert [Constant(warmup=1.0).factor(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
