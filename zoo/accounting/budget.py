"""How many optimizer steps a budget buys: each arm's own, from its own FLOPs."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class StepWork:
    """What one optimizer step of a run does.

    Attributes:
        training_flops: forward and backward over the whole batch, exact convention.
        palm_training_flops: the same in PaLM's convention (all query-key pairs).
        hardware_flops: the exact ones, and what is computed a second time.
        optimizer_flops: of the update; None where the optimizer does not state them.
        tokens: training targets.
        text_bytes: raw text behind those targets, at the corpus's mean.
    """

    training_flops: int
    palm_training_flops: int
    hardware_flops: int
    optimizer_flops: int | None
    tokens: int
    text_bytes: float

    @property
    def flops(self) -> int:
        """Training and optimizer FLOPs together: what a FLOP budget pays for."""
        return self.training_flops + (self.optimizer_flops or 0)


def steps_for(unit: str, amount: float, work: StepWork) -> int | None:
    """Whole optimizer steps within a budget, never more than it pays for; None for a budget of seconds.

    Raises:
        ValueError: the budget does not pay for one step.
    """
    if unit == "seconds":
        return None
    per_step = {"flops": work.flops, "tokens": work.tokens, "bytes": work.text_bytes}[unit]
    num_steps = math.floor(amount / per_step)
    if num_steps < 1:
        raise ValueError(f"a budget of {amount:g} {unit} does not pay for one step of {per_step:g} {unit}")
    return num_steps
