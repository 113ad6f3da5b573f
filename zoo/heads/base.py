"""Predicts the next token from the last hidden state, and gives the loss."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from zoo.component import Component, Embedding, at_least_fp32

IGNORE_INDEX = -100  # a target that is not scored, torch's own convention


@dataclass
class HeadLoss:
    """Summed over the tokens of one call.

    Attributes:
        nats_sum: cross-entropy in nats, summed over the scored targets. Reports use this alone.
        count: number of scored targets.
        extras: further losses that training adds (z-loss, ...), each summed over the scored targets.
    """

    nats_sum: Tensor
    count: Tensor
    extras: dict[str, Tensor] = field(default_factory=dict)


class Head(Component):
    @abstractmethod
    def logits(self, x_BTD: Tensor) -> Tensor:
        """Scores of the next token: x_BTD -> logits_BTV."""

    def loss(self, x_BTD: Tensor, targets_BT: Tensor) -> HeadLoss:
        """Cross-entropy of `targets_BT`, computed in fp32 at least; targets of IGNORE_INDEX are not scored."""
        logits = at_least_fp32(self.logits(x_BTD).flatten(0, 1))
        targets = targets_BT.flatten()
        nats = torch.nn.functional.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction="sum")
        return HeadLoss(nats, (targets != IGNORE_INDEX).sum())


class HeadFactory(Protocol):
    def __call__(self, *, d_model: int, vocab_size: int, embedding: Embedding) -> Head: ...
