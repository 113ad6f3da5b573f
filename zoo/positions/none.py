"""No position at all (NoPE): a causal model can still tell order, because each token sees another number of tokens.

Source: Kazemnejad, Padhi, Natesan Ramamurthy, Das & Reddy 2023, "The Impact of Positional Encoding on Length
Generalization in Transformers", arXiv 2305.19466.
Equation: x' = x.
"""

from __future__ import annotations

from torch import Tensor

from zoo.positions.base import InputPosition


class NoPosition(InputPosition):
    """Adds nothing to the embeddings.

    Args:
        d_model: width of the embeddings; nothing depends on it.
    """

    def __init__(self, *, d_model: int):
        super().__init__()

    def forward(self, x_BTD: Tensor, positions_BT: Tensor) -> Tensor:
        return x_BTD
