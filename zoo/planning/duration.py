"""How long training takes, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

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
        mfu: and who says so.
        flops: that it counts: exact ones, or PaLM's where the MFU does.
        bandwidth_limit: share of the peak at which the memory feeds the largest product; None: not known, or no limit.
        device_hours, cost: at the middle; no cost without a price.
    """

    seconds: tuple[float, float, float]
    mfu: MfuEstimate
    flops: float
    bandwidth_limit: float | None
    device_hours: float
    cost: float | None


def duration(
    question: Question, target: Target, *, params: float, exact: float, palm: float, intensity: float | None = None
) -> Duration:
    """How long so much work takes.

    Args:
        params: of the model: whose published MFU is taken where none is asked for.
        exact, palm: training FLOPs of the whole run in either convention.
        intensity: FLOPs per byte of the run's largest product; None: not known.
    """
    mfu = question.mfu or published_mfu(target.name, params)
    flops = palm if mfu.palm else exact
    limit = None
    if intensity is not None and target.bytes_per_second is not None:
        share = intensity * target.bytes_per_second / target.flops_per_second
        limit = share if share < mfu.high else None
    shares = [min(share, limit or 1.0) for share in (mfu.low, mfu.middle, mfu.high)]
    slow, middle, quick = (
        seconds_needed(flops, flops_per_second=target.flops_per_second, mfu=share, num_devices=question.num_devices)
        for share in shares
    )
    hours = question.num_devices * middle / SECONDS_PER_HOUR
    cost = None if question.price_per_hour is None else hours * question.price_per_hour
    return Duration((quick, middle, slow), mfu, flops, limit, hours, cost)
