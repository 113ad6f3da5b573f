"""Root mean square normalisation: each token to mean square 1, then a gain per channel. Nothing is centred.

Source: Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", arXiv 1910.07467.
Equation: y = gain x / √(mean(x²) + eps), over the channels of one token.

Statistics and gain are applied in fp32 and rounded once; Llama's own code rounds before the gain, which differs in
the last bit of bf16.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo.component import Role, at_least_fp32
from zoo.norms.base import Norm, check_eps


class RMSNorm(Norm):
    """Scales.

    Args:
        d_model: length of the last axis.
        eps: added to the mean square, under the root.

    Raises:
        ValueError: eps is not above 0.
    """

    def __init__(self, *, d_model: int, eps: float = 1e-6):
        super().__init__()
        self.eps = check_eps(eps)
        self.gain = nn.Parameter(torch.empty(d_model))
        self.roles = {"gain": Role("gain")}

    def forward(self, x: Tensor) -> Tensor:
        wide = at_least_fp32(x)
        y = nn.functional.rms_norm(wide, self.gain.shape, self.gain.to(wide.dtype), self.eps)
        return y.to(x.dtype)
