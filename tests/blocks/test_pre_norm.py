"""Pre-norm: the stream is an identity plus what the branches add."""

from __future__ import annotations

import torch

from tests.small import context, fill, make_part
from zoo.blocks import PreNorm


@torch.no_grad()
def test_wiring() -> None:
    block, x_BTD, ctx = make_part("block", PreNorm), torch.randn(2, 5, 32), context(2, 5)
    mid_BTD = x_BTD + block.attention(block.attention_norm(x_BTD), ctx)
    expected_BTD = mid_BTD + block.ffn(block.ffn_norm(mid_BTD), ctx)
    torch.testing.assert_close(block(x_BTD, ctx), expected_BTD)
    assert PreNorm.needs_final_norm


@torch.no_grad()
def test_identity_when_the_branches_are_silent() -> None:
    block, x_BTD = make_part("block", PreNorm), 1000 * torch.randn(2, 5, 32)
    fill(block, std=0.0)
    assert torch.equal(block(x_BTD, context(2, 5)), x_BTD)


@torch.no_grad()
def test_branches_do_not_see_the_scale_of_the_stream() -> None:
    block, x_BTD, ctx = make_part("block", PreNorm), torch.randn(2, 5, 32), context(2, 5)
    block.ffn.down.weight.zero_()
    added = block(x_BTD, ctx) - x_BTD
    torch.testing.assert_close(block(8 * x_BTD, ctx) - 8 * x_BTD, added, rtol=1e-3, atol=1e-4)
