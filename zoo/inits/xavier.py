"""Xavier initialisation from a truncated normal, as Stanford's CS336 (assignment 1) asks for it.

Source: Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", AISTATS.
Equation: W ~ N(0, σ²) cut at ±3σ with σ² = 2 / (d_in + d_out); embedding ~ N(0, 1 / fan_in) cut at ±3σ.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from zoo.component import RoleKind
from zoo.inits._constants import constant_value
from zoo.inits.base import Init


class XavierTruncated(Init):
    """Keeps the variance of signals and gradients through matrices; gains 1, biases and scalars 0.

    A pure lookup has a fan-in of 1, so its rows are N(0, 1); a tied embedding sums over d_model when it predicts, so
    it is N(0, 1 / d_model). Cut at 3σ, the standard deviation is 0.9866 σ.
    """

    def value(
        self, role: RoleKind, shape: torch.Size, fan_in: int, num_layers: int, generator: torch.Generator
    ) -> Tensor:
        constant = constant_value(role, shape)
        if constant is not None:
            return constant
        if role == "embedding":
            sigma = 1 / math.sqrt(fan_in)
        else:
            fan_out = shape[-2] if len(shape) > 1 else 1  # matrices are (out, in), stacks of them (..., out, in)
            sigma = math.sqrt(2 / (fan_in + fan_out))
        value = torch.empty(shape, device="cpu")
        return torch.nn.init.trunc_normal_(value, std=sigma, a=-3 * sigma, b=3 * sigma, generator=generator)
