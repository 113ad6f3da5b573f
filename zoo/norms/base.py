"""Keeps the scale of activations: each token (last axis) alone, statistics in fp32."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from torch import Tensor

from zoo.component import Component


class Norm(Component):
    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Normalised over the last axis, whatever the leading axes: (..., d_model) -> (..., d_model), same dtype."""


class NormFactory(Protocol):
    """Builds a norm over a last axis of `d_model` (an attention that norms its queries passes head_dim here)."""

    def __call__(self, *, d_model: int) -> Norm: ...


def check_eps(eps: float) -> float:
    """What is added under the root.

    Raises:
        ValueError: it is not above 0, so that zeros would become NaN.
    """
    if eps <= 0:
        raise ValueError(f"eps={eps} must be above 0: it keeps a row of zeros finite")
    return eps
