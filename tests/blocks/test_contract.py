"""Laws of every block."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.small import context, fill, make_part
from zoo.accounting.counter import count_flops
from zoo.blocks import Block
from zoo.families import variants

every_variant = pytest.mark.parametrize("cls", variants("blocks").values(), ids=variants("blocks"))


def make(cls: type, **arguments: object) -> Block:
    return make_part("block", cls, **arguments)


def stream(num_tokens: int = 9) -> Tensor:
    return torch.randn(2, num_tokens, 32, generator=torch.Generator().manual_seed(0))


@every_variant
def test_shape_is_kept_and_nothing_looks_ahead(cls: type) -> None:
    block, x_BTD = make(cls), stream().requires_grad_()
    y_BTD = block(x_BTD, context(2, 9))
    assert y_BTD.shape == x_BTD.shape
    (gradient_BTD,) = torch.autograd.grad(y_BTD[:, 4].square().sum(), x_BTD)
    assert gradient_BTD[:, 5:].abs().max() == 0 and (gradient_BTD[:, :5].abs().sum(-1) > 0).all()


@every_variant
def test_gradient_reaches_every_parameter(cls: type) -> None:
    block = make(cls)
    block(stream(), context(2, 9)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in block.parameters())


@every_variant
@torch.no_grad()
def test_dropout_acts_in_training_alone_and_keeps_the_mean(cls: type) -> None:
    dropped, plain = make(cls, dropout=0.4), make(cls)
    x_BTD, ctx = stream(), context(2, 9)
    assert torch.equal(dropped.eval()(x_BTD, ctx), plain(x_BTD, ctx))
    first, second = dropped.train()(x_BTD, ctx), dropped(x_BTD, ctx)
    assert (first - second).abs().max() > 1e-3
    assert torch.equal(plain.train()(x_BTD, ctx), plain.eval()(x_BTD, ctx))


@every_variant
def test_cost_is_the_counters_and_holds_its_parts(cls: type) -> None:
    with torch.device("meta"):
        block, x_BTD, ctx = make(cls), torch.empty(1, 21, 32, requires_grad=True), context(1, 21)
        forward = count_flops(lambda: block(x_BTD, ctx))
        both = count_flops(lambda: block(x_BTD, ctx).sum().backward())
    assert forward == block.cost(21).seen_by_counter and both == 3 * forward
    assert block.cost(21).exact == block.attention.cost(21).exact + block.ffn.cost(21).exact


@every_variant
@torch.no_grad()
def test_without_branches_the_stream_keeps_its_direction(cls: type) -> None:
    """With the residual outputs at 0 and gains at 1, a block only scales (or centres) what passes."""
    block = make(cls)
    fill(block, std=0.0)
    x_BTD = stream()
    cosine = torch.nn.functional.cosine_similarity(block(x_BTD, context(2, 9)), x_BTD, dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


@every_variant
@pytest.mark.parametrize("dropout", [1.0, -0.1])
def test_refused_dropout(cls: type, dropout: float) -> None:
    with pytest.raises(ValueError, match=rf"dropout={dropout} must be in \[0, 1\)"):
        make(cls, dropout=dropout)
