"""A constant learning rate after a linear warm-up, the control that every decay is compared with.

Warm-up: Goyal et al. 2017 (arXiv 1706.02677), here over w steps, counted from t = 0:

    factor(t) = (t + 1) / w   for t < w,   else 1
"""

from __future__ import annotations

from dataclasses import dataclass

from zoo.schedules.base import Schedule, check_share, warmup_factor


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The peak rate throughout.

    Args:
        warmup: share of the run that warms up.

    Raises:
        ValueError: warmup is not a share.
    """

    warmup: float = 0.0

    def __post_init__(self) -> None:
        check_share("warmup", self.warmup)

    def factor(self, step: int, num_steps: int) -> float:
        warming = warmup_factor(step, num_steps, self.warmup)
        return 1.0 if warming is None else warming
