"""Scales the learning rate over a run."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Schedule(ABC):
    """A pure function of the step; a variant is an immutable set of options."""

    @abstractmethod
    def factor(self, step: int, num_steps: int) -> float:
        """What the peak learning rate is multiplied by at optimizer step `step` (from 0) of `num_steps`: in [0, 1].
        Past the end it holds its end value."""


def warmup_factor(step: int, num_steps: int, warmup: float) -> float | None:
    """Linear warm-up over the first `warmup` share of the run, (step + 1) / warmup_steps; None once it is over.

    The first step is not wasted on a rate of 0.
    """
    warmup_steps = round(warmup * num_steps)
    return (step + 1) / warmup_steps if step < warmup_steps else None


def decay_progress(step: int, num_steps: int, start_step: int) -> float:
    """How far the decay has gone: 0 at `start_step`, 1 at the last step and after."""
    last = num_steps - 1
    if step >= last:
        return 1.0
    return max(0.0, (step - start_step) / max(1, last - start_step))


def check_share(name: str, value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}={value} must be in [0, 1]: it is a share")
    return value
