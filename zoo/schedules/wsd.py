"""Warm-up, stable, decay: a constant rate with a short cooldown at the end.

Hu et al. 2024 (MiniCPM, arXiv 2404.06395), with the 1-sqrt cooldown of Hägele et al. 2024 (arXiv 2405.18392);
N steps of which w warm up and d decay, t from 0, p = (t - (N - d)) / d:

    factor(t) = (t + 1) / w                               for t < w
    factor(t) = 1                                         for w <= t < N - d
    factor(t) = end + (1 - end) * (1 - sqrt(p))           for N - d <= t < N, then end; shape="linear": 1 - p
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from zoo.schedules.base import Schedule, check_share, decay_progress, warmup_factor

Shape = Literal["sqrt", "linear"]


@dataclass(frozen=True, kw_only=True)
class WarmupStableDecay(Schedule):
    """Stays at the peak, so that one run can be continued or cooled down at any time.

    Args:
        warmup: share of the run that warms up.
        decay: share of the run that cools down.
        end: share of the peak rate that is left at the end.
        shape: of the cooldown; sqrt is 1-sqrt, which drops fast and levels out.

    Raises:
        ValueError: an option is not a share, warmup and decay are more than the run, or the shape is unknown.
    """

    warmup: float = 0.02
    decay: float = 0.2
    end: float = 0.0
    shape: Shape = "sqrt"

    def __post_init__(self) -> None:
        for name in ("warmup", "decay", "end"):
            check_share(name, getattr(self, name))
        if self.warmup + self.decay > 1.0 + 1e-9:  # sums such as 0.1 + 0.9 round
            raise ValueError(
                f"warmup={self.warmup} and decay={self.decay} must not be over 1 together: shares of a run"
            )
        if self.shape not in get_args(Shape):
            raise ValueError(f"shape={self.shape!r} must be 'sqrt' or 'linear'")

    def factor(self, step: int, num_steps: int) -> float:
        warming = warmup_factor(step, num_steps, self.warmup)
        if warming is not None:
            return warming
        start_step = num_steps - round(self.decay * num_steps)
        progress = decay_progress(step, num_steps, start_step)
        left = 1.0 - (math.sqrt(progress) if self.shape == "sqrt" else progress)
        return self.end + (1.0 - self.end) * left
