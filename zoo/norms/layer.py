"""Layer normalisation: each token to mean 0 and variance 1, then a gain and a bias per channel.

Source: Ba, Kiros & Hinton 2016, "Layer Normalization", arXiv 1607.06450.
Equation: y = gain (x - mean(x)) / √(var(x) + eps) + bias, over the channels of one token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.component import Role, at_least_fp32
from zoo.norms.base import Norm, check_eps


class LayerNorm(Norm):
    """Centres and scales.

    Args:
        d_model: length of the last axis.
        eps: added to the variance, under the root.
        bias: whether a bias is added (GPT-2: yes; nanoGPT's recommendation: no).

    Raises:
        ValueError: eps is not above 0.
    """

    def __init__(self, *, d_model: int, eps: float = 1e-5, bias: bool = True):
        super().__init__()
        self.eps = check_eps(eps)
        self.gain = nn.Parameter(torch.empty(d_model))
        self.bias = nn.Parameter(torch.empty(d_model)) if bias else None
        self.roles = {"gain": Role("gain")} | ({"bias": Role("bias")} if bias else {})

    def forward(self, x: Tensor) -> Tensor:
        wide = at_least_fp32(x)
        bias = None if self.bias is None else self.bias.to(wide.dtype)
        y = nn.functional.layer_norm(wide, self.gain.shape, self.gain.to(wide.dtype), bias, self.eps)
        return y.to(x.dtype)
