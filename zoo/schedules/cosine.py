"""Half a cosine down to a share of the peak rate, after a linear warm-up.

Loshchilov and Hutter 2016 (SGDR, arXiv 1608.03983), one cycle without restarts; N steps of which w warm up, t from 0:

    factor(t) = (t + 1) / w                                                      for t < w
    factor(t) = end + (1 - end) * (1 + cos(pi * (t - w) / (N - w))) / 2          for w <= t < N, then end
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from zoo.schedules.base import Schedule, check_share, decay_progress, warmup_factor


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Decays over the whole run. A run that is cut short has not decayed: its length must be known.

    Args:
        warmup: share of the run that warms up.
        end: share of the peak rate that is left at the end.

    Raises:
        ValueError: an option is not a share.
    """

    warmup: float = 0.02
    end: float = 0.1

    def __post_init__(self) -> None:
        check_share("warmup", self.warmup)
        check_share("end", self.end)

    def factor(self, step: int, num_steps: int) -> float:
        warming = warmup_factor(step, num_steps, self.warmup)
        if warming is not None:
            return warming
        progress = decay_progress(step, num_steps, start_step=round(self.warmup * num_steps))
        return self.end + (1.0 - self.end) * 0.5 * (1.0 + math.cos(math.pi * progress))
