"""What a plan says."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.accounting.memory import StepMemory
from zoo.planning.duration import Duration
from zoo.planning.fit import Fit
from zoo.planning.question import Question
from zoo.planning.target import Target


@dataclass(frozen=True)
class Plan:
    """What a run will take.

    Attributes:
        name: of the recipe, or of the size.
        question, target: what was asked, and for which device.
        params: `total`; from a recipe also `active` (that one token passes through) and `embedding`.
        tokens, num_steps: of the run; None: nothing says how long it is.
        flops: `total`, with the optimizer's; and per token those of training, `exact`, `palm` and `hardware`, and
            `optimizer`.
        shares: family -> share of the exact forward FLOPs.
        compute_optimal_tokens: for this number of parameters, by Chinchilla's rule.
        phases: phase -> category -> bytes on one device.
        saved: part of the model -> bytes of saved activations.
        fit: whether that fits.
        duration: None where nothing says how long the run is.
        checkpoint_bytes: weights and the optimizer's state.
        cache_bytes: of the key-value cache of one sequence of the training length; None without a recipe.
        by_context: context length -> family -> exact forward FLOPs per token.
        notes: what a reader must know.
    """

    name: str
    question: Question
    target: Target
    params: dict[str, float]
    tokens: float | None
    num_steps: int | None
    flops: dict[str, float]
    shares: dict[str, float]
    compute_optimal_tokens: float
    phases: dict[str, dict[str, int]]
    saved: dict[str, int]
    fit: Fit
    duration: Duration | None
    checkpoint_bytes: float
    cache_bytes: int | None
    by_context: dict[int, dict[str, float]]
    notes: list[str]

    @property
    def peak_phase(self) -> str:
        return StepMemory(self.phases, self.saved).peak_phase

    @property
    def peak_bytes(self) -> int:
        return StepMemory(self.phases, self.saved).peak_bytes
