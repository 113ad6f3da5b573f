"""Scales the learning rate over a run."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Schedule(ABC):
    """A pure function of the step; a variant is an immutable set of options.

    Lengths are shares of the run, so that they mean the same under any budget.
    """

    @abstractmethod
    def factor(self, step: int, num_steps: int) -> float:
        """What the peak learning rate is multiplied by at optimizer step `step` (from 0) of `num_steps`: in [0, 1].

        The end value is reached at `num_steps` and held: were it reached at the last step that is made, num_steps - 1,
        a schedule that ends at 0 would waste that step.
        """


def warmup_factor(step: int, num_steps: int, warmup: float) -> float | None:
    """Linear warm-up over the first `warmup` share of the run, (step + 1) / warmup_steps; None once it is over.

    The first step is not wasted on a rate of 0.
    """
    warmup_steps = round(warmup * num_steps)
    return (step + 1) / warmup_steps if step < warmup_steps else None


def decay_progress(step: int, num_steps: int, start_step: int) -> float:
    """How far the decay has gone: 0 up to `start_step`, 1 at `num_steps` and after."""
    if step >= num_steps:
        return 1.0
    return 0.0 if step <= start_step else (step - start_step) / (num_steps - start_step)


def check_share(name: str, value: float) -> float:
    """Refuse what is not a share.

    Raises:
        ValueError: the value is outside [0, 1].
    """
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{name}={value} must be in [0, 1]: it is a share")
    return value
