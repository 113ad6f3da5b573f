"""Mixes channels: each token alone."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

from torch import Tensor

from zoo.component import Component, Context


class Ffn(Component):
    @abstractmethod
    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        """Each token alone: x_BTD -> x_BTD."""


class FfnFactory(Protocol):
    def __call__(self, *, d_model: int, layer: int) -> Ffn: ...


def matched_width(d_model: int, num_matrices: int, multiple_of: int = 8) -> int:
    """The d_ff at which `num_matrices` matrices of d_model x d_ff hold about 8 d_model^2 parameters, so that rows
    of a table compare: 4 d_model for a plain MLP, 8/3 d_model for a gated one (Shazeer 2020, arXiv 2002.05202).
    Rounded to the nearest `multiple_of`, at least one multiple.
    """
    if multiple_of < 1:
        raise ValueError(f"multiple_of={multiple_of} must be at least 1")
    exact = 8 * d_model / num_matrices
    return max(1, round(exact / multiple_of)) * multiple_of


def check_width(d_ff: int) -> int:
    """An inner width that was given.

    Raises:
        ValueError: it is below 1.
    """
    if d_ff < 1:
        raise ValueError(f"d_ff={d_ff} must be at least 1")
    return d_ff
