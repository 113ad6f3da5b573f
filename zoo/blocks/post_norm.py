"""Post-norm residual layer: the stream itself is normed after each branch was added. Trains well only with warm-up.

Source: Vaswani et al. 2017, arXiv 1706.03762; analysed by Xiong et al. 2020, arXiv 2002.04745.
Equation: x ← norm(x + attention(x)); x ← norm(x + ffn(x)). The stream leaves normed, so no final norm follows.
"""

from __future__ import annotations

from torch import Tensor, nn

from zoo.blocks.base import Block, MixerFactory, check_dropout
from zoo.component import Context
from zoo.ffns.base import FfnFactory
from zoo.norms.base import NormFactory


class PostNorm(Block):
    """Norms the stream after each branch.

    Args:
        d_model: width of the stream.
        attention, ffn, norm: factories of the parts.
        layer: index of the layer, from 0.
        dropout: share of each branch's output that is dropped in training.

    Raises:
        ValueError: dropout is not in [0, 1).
    """

    needs_final_norm = False

    def __init__(
        self,
        *,
        d_model: int,
        attention: MixerFactory,
        ffn: FfnFactory,
        norm: NormFactory,
        layer: int,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.attention = attention(d_model=d_model, layer=layer)
        self.attention_norm = norm(d_model=d_model)
        self.ffn = ffn(d_model=d_model, layer=layer)
        self.ffn_norm = norm(d_model=d_model)
        self.dropout = nn.Dropout(check_dropout(dropout))

    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        x_BTD = self.attention_norm(x_BTD + self.dropout(self.attention(x_BTD, ctx)))
        return self.ffn_norm(x_BTD + self.dropout(self.ffn(x_BTD, ctx)))
