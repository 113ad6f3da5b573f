"""How long training takes, and what it costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from zoo.accounting.estimate import seconds_needed
from zoo.accounting.published_mfu import MfuEstimate, published_mfu
from zoo.planning.question import Question
from zoo.planning.target import Target

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Duration:
    """Validation and checkpoints apart.

    Attributes:
        seconds: at the highest, the middle and the lowest MFU.
        mfu: that the times are at, and who says so.
        flops: that it counts: exact ones, or PaLM's where the MFU does.
        bandwidth_limit: share of the peak at which the memory feeds the largest product, where that lowered the MFU.
        device_hours, cost: at the middle; no cost without a price.
    """

    seconds: tuple[float, float, float]
    mfu: MfuEstimate
    flops: float
    bandwidth_limit: float | None
    device_hours: float
    cost: float | None


def duration(
    question: Question,
    target: Target,
    *,
    params: float,
    dtype: torch.dtype,
    exact: float,
    palm: float,
    intensity: float = math.inf,
    recomputed: float = 0.0,
) -> Duration:
    """How long so much work takes.

    Args:
        params: of the model: whose published MFU is taken where none is asked for.
        dtype: that it multiplies in.
        exact, palm: training FLOPs of the whole run in either convention.
        intensity: FLOPs per byte of the run's largest product; infinite: not known.
        recomputed: share of the FLOPs that are computed twice, which published runs did not.
    """
    mfu, limit = question.mfu, None
    if mfu is None:
        mfu = published_mfu(target.name, params, dtype)
        if recomputed:
            mfu = _scaled(mfu, 1 / (1 + recomputed), math.inf, f", less {recomputed:.0%} that is computed twice")
        share = intensity * (target.bytes_per_second or math.inf) / target.flops_per_second
        if share < mfu.high:
            limit = share
            mfu = _scaled(mfu, 1.0, share, "")
    flops = palm if mfu.palm else exact
    slow, middle, quick = (
        seconds_needed(flops, flops_per_second=target.flops_per_second, mfu=share, num_devices=question.num_devices)
        for share in (mfu.low, mfu.middle, mfu.high)
    )
    hours = question.num_devices * middle / SECONDS_PER_HOUR
    cost = None if question.price_per_hour is None else hours * question.price_per_hour
    return Duration((quick, middle, slow), mfu, flops, limit, hours, cost)


def _scaled(mfu: MfuEstimate, factor: float, limit: float, why: str) -> MfuEstimate:
    low, middle, high = (min(limit, factor * share) for share in (mfu.low, mfu.middle, mfu.high))
    return MfuEstimate(low, middle, high, mfu.source + why, mfu.palm)
