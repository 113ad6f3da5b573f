"""Pre-norm residual layer: each branch reads a normed stream and adds to the stream itself, which stays an identity.

Source: Radford et al. 2019 (GPT-2); analysed by Xiong et al. 2020, "On Layer Normalization in the Transformer
Architecture", arXiv 2002.04745.
Equation: x ← x + attention(norm(x)); x ← x + ffn(norm(x)). The decoder norms the stream before the head.
"""

from __future__ import annotations

from torch import Tensor, nn

from zoo.blocks.base import Block, MixerFactory, check_dropout
from zoo.component import Context
from zoo.ffns.base import FfnFactory
from zoo.norms.base import NormFactory


class PreNorm(Block):
    """Norms what each branch reads.

    Args:
        d_model: width of the stream.
        attention, ffn, norm: factories of the parts.
        layer: index of the layer, from 0.
        dropout: share of each branch's output that is dropped in training.

    Raises:
        ValueError: dropout is not in [0, 1).
    """

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
        self.attention_norm = norm(d_model=d_model)
        self.attention = attention(d_model=d_model, layer=layer)
        self.ffn_norm = norm(d_model=d_model)
        self.ffn = ffn(d_model=d_model, layer=layer)
        self.dropout = nn.Dropout(check_dropout(dropout))

    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        x_BTD = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), ctx))
        return x_BTD + self.dropout(self.ffn(self.ffn_norm(x_BTD), ctx))
