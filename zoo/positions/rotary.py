"""Rotary position embedding (RoPE): turns pairs of channels by angles proportional to the absolute position.

Source: Su, Lu, Pan, Murtadha, Wen & Liu 2021, "RoFormer", arXiv 2104.09864; partial rotation as in GPT-NeoX-20B
(Black et al. 2022, arXiv 2204.06745).
Equation: channels (a, b) of pair i at position m become (a cos mθ_i - b sin mθ_i, b cos mθ_i + a sin mθ_i) with
θ_i = base^(-2i/d), so that the score of a query at m and a key at n depends on m - n only.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from zoo.positions.base import RotaryPosition

Layout = Literal["half", "interleaved"]


class RotaryEmbedding(RotaryPosition):
    """Turns queries and keys.

    Args:
        num_heads: of the queries; all heads turn alike.
        head_dim: channels of one head.
        base: of the geometric row of wavelengths, which run from 2π to 2π base tokens.
        fraction: share of the channels that turn, the first ones; the rest pass. 0 is a layer without positions.
        layout: where the two channels of pair i stand: "half" at i and i + d/2 (Llama in Hugging Face's files,
            GPT-NeoX), "interleaved" at 2i and 2i + 1 (the paper, Meta's own Llama files). The two differ by a
            permutation of channels.

    Raises:
        ValueError: an odd number of channels would turn, or an argument is out of its range.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        head_dim: int,
        base: float = 10000.0,
        fraction: float = 1.0,
        layout: Layout = "half",
    ):
        super().__init__()
        if base <= 0:
            raise ValueError(f"base={base} must be above 0")
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"fraction={fraction} must be in [0, 1]")
        if layout not in get_args(Layout):
            raise ValueError(f"layout={layout!r} must be one of {', '.join(get_args(Layout))}")
        self.rotated_dim = round(head_dim * fraction)
        if self.rotated_dim % 2:
            turns = f"head_dim={head_dim} with fraction={fraction} turns {self.rotated_dim} channels"
            raise ValueError(f"{turns}, expected an even number: they turn in pairs")
        self.base, self.layout = base, layout

    def forward(self, x_BHTE: Tensor, positions_BT: Tensor) -> Tensor:
        if self.rotated_dim == 0:
            return x_BHTE
        turning, passing = x_BHTE[..., : self.rotated_dim], x_BHTE[..., self.rotated_dim :]
        cos_B1TP, sin_B1TP = self._tables(positions_BT, torch.promote_types(x_BHTE.dtype, torch.float32))
        if self.layout == "half":
            a_BHTP, b_BHTP = turning.chunk(2, dim=-1)
        else:
            a_BHTP, b_BHTP = turning[..., 0::2], turning[..., 1::2]
        first = a_BHTP * cos_B1TP - b_BHTP * sin_B1TP
        second = b_BHTP * cos_B1TP + a_BHTP * sin_B1TP
        turned = (
            torch.cat([first, second], dim=-1)
            if self.layout == "half"
            else torch.stack([first, second], dim=-1).flatten(-2)
        )
        return torch.cat([turned.to(x_BHTE.dtype), passing], dim=-1)

    def _tables(self, positions_BT: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """cos and sin of each position and pair, in fp32 or above: a bf16 angle is off by whole turns at position 1000.

        Computed each time: a buffer would be cast down by `module.bfloat16()` and lost on the meta device.
        """
        if positions_BT.stride(0) == 0:
            positions_BT = positions_BT[:1]  # one row, expanded over the batch
        pairs_P = torch.arange(0, self.rotated_dim, 2, device=positions_BT.device, dtype=dtype)
        frequencies_P = self.base ** (-pairs_P / self.rotated_dim)
        angles_B1TP = positions_BT[:, None, :, None].to(dtype) * frequencies_P
        return angles_B1TP.cos(), angles_B1TP.sin()
