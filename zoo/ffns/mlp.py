"""The plain feed-forward layer of the Transformer: up, activation, down.

Source: Vaswani et al. 2017, arXiv 1706.03762 (relu). Other activations: gelu, Hendrycks & Gimpel 2016,
arXiv 1606.08415 (exact, by erf; GPT-2 used the tanh approximation); relu2, So et al. 2021, arXiv 2109.08668; silu,
Elfwing, Uchibe & Doya 2017, arXiv 1702.03118.
Equation: y = W_down act(W_up x).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from zoo.component import Context, Stage, linear_roles, linear_stage
from zoo.ffns._activations import choose, gelu, gelu_tanh, relu, relu2, silu
from zoo.ffns.base import Ffn, check_width, matched_width

ACTIVATIONS = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "relu": relu,
    "relu2": relu2,
    "silu": silu,
}


class MLP(Ffn):
    """Two matrices.

    Args:
        d_model: width of the stream.
        layer: index of the layer, from 0; nothing depends on it.
        d_ff: inner width; None: 4 d_model, rounded to `multiple_of`.
        activation: between the matrices.
        bias: whether both add a bias.
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
        activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "silu"] = "gelu",
        bias: bool = False,
        multiple_of: int = 8,
    ):
        super().__init__()
        self.activation = choose(activation, ACTIVATIONS)
        self.d_ff = matched_width(d_model, 2, multiple_of) if d_ff is None else check_width(d_ff)
        self.up = nn.Linear(d_model, self.d_ff, bias=bias)
        self.down = nn.Linear(self.d_ff, d_model, bias=bias)
        self.roles = linear_roles("matrix", up=self.up) | linear_roles("residual_out", down=self.down)

    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        return self.down(self.activation(self.up(x_BTD)))

    def stages(self, seq_len: int, past_len: int = 0) -> list[Stage]:
        return [linear_stage(seq_len, self.up), linear_stage(seq_len, self.down)]
