"""The cosine against torch's own, and against known points of the curve."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from zoo.schedules import Cosine


def test_equals_torch() -> None:
    """CosineAnnealingLR has the published formula for one cycle of T_max steps, by another route (a recursion)."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200, eta_min=0.1)
    ours = Cosine(warmup=0.0, end=0.1)
    for step in range(201):
        assert ours.factor(step, 200) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_known_points() -> None:
    cosine = Cosine(warmup=0.1, end=0.2)  # decays over steps 10 to 100 of 100
    assert cosine.factor(9, 100) == cosine.factor(10, 100) == 1.0
    assert cosine.factor(55, 100) == pytest.approx(0.6)  # half way: the middle of 1 and 0.2
    assert cosine.factor(40, 100) == pytest.approx(0.2 + 0.8 * 0.75)  # a third of the way: cos 60 degrees = 1/2
    assert cosine.factor(100, 100) == cosine.factor(500, 100) == 0.2


def test_falls_all_the_way_and_never_faster_than_its_steepest_slope() -> None:
    cosine = Cosine(warmup=0.0, end=0.0)
    factors = [cosine.factor(step, 1000) for step in range(1001)]
    drops = [a - b for a, b in itertools.pairwise(factors)]
    assert min(drops) > 0
    assert max(drops) <= math.pi / 2 / 1000


def test_a_short_run_is_not_a_piece_of_a_long_one() -> None:
    assert Cosine().factor(50, 100) < Cosine().factor(50, 1000)
