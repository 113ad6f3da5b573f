"""Post-norm: the stream leaves normed, whatever came."""

from __future__ import annotations

import torch

from tests.small import build_decoder, context, fill, make_part
from zoo.blocks import PostNorm


@torch.no_grad()
def test_wiring() -> None:
    block, x_BTD, ctx = make_part("block", PostNorm), torch.randn(2, 5, 32), context(2, 5)
    mid_BTD = block.attention_norm(x_BTD + block.attention(x_BTD, ctx))
    expected_BTD = block.ffn_norm(mid_BTD + block.ffn(mid_BTD, ctx))
    torch.testing.assert_close(block(x_BTD, ctx), expected_BTD)


@torch.no_grad()
def test_leaves_normed_so_that_no_final_norm_follows() -> None:
    block, x_BTD = make_part("block", PostNorm), 100 * torch.randn(2, 5, 32)
    fill(block.ffn_norm, std=0.0)
    square_BT = block(x_BTD, context(2, 5)).square().mean(-1)
    torch.testing.assert_close(square_BT, torch.ones_like(square_BT))
    assert build_decoder(block=PostNorm).norm is None
    assert build_decoder().norm is not None
