"""The initialisation of GPT-2: one normal distribution, narrower where a branch adds to the residual stream.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2), section 2.3.
Equation: W ~ N(0, std²); W of a residual output ~ N(0, std² / (2 num_layers)), because each layer adds two of them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zoo.component import RoleKind
from zoo.inits._constants import constant_value
from zoo.inits.base import Init


class GPT2Init(Init):
    """Normal with one width, whatever the fan-in; gains 1, biases and scalars 0.

    Args:
        std: standard deviation of matrices, embeddings and head.

    Raises:
        ValueError: std is not above 0.
    """

    def __init__(self, *, std: float = 0.02):
        if std <= 0:
            raise ValueError(f"std={std} must be above 0")
        self.std = std

    def value(
        self, role: RoleKind, shape: torch.Size, fan_in: int, num_layers: int, generator: torch.Generator
    ) -> Tensor:
        constant = constant_value(role, shape)
        if constant is not None:
            return constant
        std = self.std / math.sqrt(2 * num_layers) if role == "residual_out" else self.std
        return std * torch.randn(shape, generator=generator, device="cpu")
