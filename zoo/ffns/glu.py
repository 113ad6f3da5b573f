"""Gated feed-forward layers: one projection, passed through an activation, gates the other.

Source: Shazeer 2020, "GLU Variants Improve Transformer", arXiv 2002.05202.
Equation: y = W_down (act(W_gate x) ⊙ W_up x), with act = silu (swiglu), gelu (geglu), relu (reglu) or none (bilinear).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from zoo.component import Context, Stage, linear_roles, linear_stage
from zoo.ffns._activations import choose, gelu, identity, relu, silu
from zoo.ffns.base import Ffn, check_width, matched_width

ACTIVATIONS = {
    "swiglu": silu,
    "geglu": gelu,
    "reglu": relu,
    "bilinear": identity,
}


class GLU(Ffn):
    """Three matrices.

    Args:
        d_model: width of the stream.
        layer: index of the layer, from 0; nothing depends on it.
        d_ff: inner width; None: 8/3 d_model, rounded to `multiple_of`, so that three matrices hold what two of an
            MLP hold.
        activation: of the gate, under the paper's name for the whole layer.
        bias: whether all three add a bias.
        multiple_of: of the default width, in channels.

    Raises:
        ValueError: an unknown activation, or a width below 1.
    """

    def __init__(
        self,
        *,
        d_model: int,
        layer: int,
        d_ff: int | None = None,
        activation: Literal["swiglu", "geglu", "reglu", "bilinear"] = "swiglu",
        bias: bool = False,
        multiple_of: int = 8,
    ):
        super().__init__()
        self.activation = choose(activation, ACTIVATIONS)
        self.d_ff = matched_width(d_model, 3, multiple_of) if d_ff is None else check_width(d_ff)
        self.gate = nn.Linear(d_model, self.d_ff, bias=bias)
        self.up = nn.Linear(d_model, self.d_ff, bias=bias)
        self.down = nn.Linear(self.d_ff, d_model, bias=bias)
        self.roles = linear_roles("matrix", gate=self.gate, up=self.up) | linear_roles("residual_out", down=self.down)

    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        return self.down(self.activation(self.gate(x_BTD)) * self.up(x_BTD))

    def stages(self, seq_len: int, past_len: int = 0) -> list[Stage]:
        return [linear_stage(seq_len, self.gate, self.up), linear_stage(seq_len, self.down)]
