"""What a recipe says beside its model. No defaults here: recipes/base.yaml writes every key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from zoo.data.corpora.base import Corpus
from zoo.data.filters.base import Filter
from zoo.data.packing import Packing
from zoo.precision.base import Precision
from zoo.tokenizers.base import Tokenizer

BUDGET_UNITS = ("flops", "tokens", "bytes", "seconds")


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The `data` section.

    Attributes:
        corpus: where documents come from.
        filters: what keeps, changes or drops each of them, in this order, before they are split.
        tokenizer: trained on the train split.
        split: shares of train, validation and test, by document.
        seq_len: tokens of one training sequence.
        packing: how documents become training sequences: concat cuts the stream of all of them, best_fit keeps together
            each that fits and pads.
        document_mask: whether attention stays within documents, in training and in scoring.
        batch_size: sequences of one optimizer step, over all devices and micro-batches.
        validation_bytes: text that is scored during training; the table's figure takes the whole split.
        validation_stride: tokens that a scoring window advances by; seq_len scores each window whole.
    """

    corpus: Corpus
    filters: list[Filter]
    tokenizer: Tokenizer
    split: tuple[float, float, float]
    seq_len: int
    packing: Packing
    document_mask: bool
    batch_size: int
    validation_bytes: int
    validation_stride: int

    def __post_init__(self) -> None:
        _at_least_one(self, "seq_len", "batch_size", "validation_bytes", "validation_stride")
        if self.validation_stride > self.seq_len:
            raise ValueError(f"validation_stride={self.validation_stride} must not be over seq_len={self.seq_len}")


@dataclass(frozen=True, kw_only=True)
class TrainerOptions:
    """The `trainer` section.

    Attributes:
        precision: what the run computes in.
        device: where it runs; auto takes CUDA where there is one.
        accumulate: micro-batches of one optimizer step.
        gradient_clip: largest norm of the whole gradient; null: not clipped.
        log_every: optimizer steps between rows of metrics.csv.
        validate_every: optimizer steps between validations; null: ten in a run.
        checkpoint_every: optimizer steps between checkpoints; null: with every validation.
        activation_checkpointing: whether each block keeps its input alone for the backward pass and runs again there:
            less memory, more time.
        compile: whether the decoder goes through torch.compile.
        logger: a Lightning logger (class_path and init_args) or a list of them; metrics.csv is written always.
    """

    precision: Precision
    device: Literal["auto", "cpu", "cuda"]
    accumulate: int
    gradient_clip: float | None
    log_every: int
    validate_every: int | None
    checkpoint_every: int | None
    activation_checkpointing: bool
    compile: bool
    logger: dict[str, Any] | list[dict[str, Any]] | None

    def __post_init__(self) -> None:
        _at_least_one(self, "accumulate", "log_every", "validate_every", "checkpoint_every")
        if self.gradient_clip is not None and self.gradient_clip <= 0:
            raise ValueError(f"gradient_clip={self.gradient_clip} must be above 0, or null")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may spend: exactly one of its units.

    Attributes:
        flops: training FLOPs plus the optimizer's.
        tokens: training targets; padding is none.
        bytes: of raw text, at the corpus's mean bytes per token.
        seconds: of training steps; warm-up, validation and checkpoints are not counted. Not bit-repeatable.
    """

    flops: float | None = None
    tokens: float | None = None
    bytes: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = {unit: getattr(self, unit) for unit in BUDGET_UNITS if getattr(self, unit) is not None}
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(BUDGET_UNITS)}, got {', '.join(given) or 'none'}")
        if not 0 < self.amount < math.inf:
            raise ValueError(f"{self.unit}={self.amount:g} must be above 0, and finite")

    @property
    def unit(self) -> str:
        return next(unit for unit in BUDGET_UNITS if getattr(self, unit) is not None)

    @property
    def amount(self) -> float:
        return getattr(self, self.unit)


def _at_least_one(options: Any, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
