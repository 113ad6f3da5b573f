"""Laws of every head."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.small import VOCAB, make_part
from zoo.accounting.counter import count_flops
from zoo.families import variants
from zoo.heads import IGNORE_INDEX, Head

every_variant = pytest.mark.parametrize("cls", variants("heads").values(), ids=variants("heads"))


def case(ignored: int = 4, scale: float = 3.0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    x_BTD, targets_BT = scale * torch.randn(2, 9, 32, generator=draw), torch.randint(VOCAB, (2, 9), generator=draw)
    targets_BT.view(-1)[torch.randperm(18, generator=draw)[:ignored]] = IGNORE_INDEX
    return x_BTD, targets_BT


def naive_nats(head: Head, x_BTD: Tensor, targets_BT: Tensor) -> list[float]:
    """log Σ exp(logits) - logit of the target in fp64, token by token; ignored targets left out."""
    logits = head.logits(x_BTD).double().flatten(0, 1)
    return [
        float(torch.log(torch.exp(row - row.max()).sum()) + row.max() - row[target])
        for row, target in zip(logits, targets_BT.flatten().tolist(), strict=True)
        if target != IGNORE_INDEX
    ]


@every_variant
@torch.no_grad()
@pytest.mark.parametrize("ignored", [0, 4, 17])
@pytest.mark.parametrize("scale", [0.01, 3.0, 100.0])
def test_nats_equal_naive_cross_entropy(cls: type, ignored: int, scale: float) -> None:
    head, (x_BTD, targets_BT) = make_part("head", cls), case(ignored, scale)
    loss, expected = head.loss(x_BTD, targets_BT), naive_nats(head, x_BTD, targets_BT)
    assert float(loss.nats_sum) == pytest.approx(sum(expected), rel=2e-6)
    assert int(loss.count) == len(expected) == 18 - ignored


@every_variant
def test_ignored_targets_leave_no_trace(cls: type) -> None:
    """Loss and gradients are those of the scored tokens alone."""
    head, (x_BTD, targets_BT) = make_part("head", cls), case()
    x_BTD.requires_grad_()
    head.loss(x_BTD, targets_BT).nats_sum.backward()
    scored = targets_BT != IGNORE_INDEX
    alone = x_BTD.detach()[scored][None].requires_grad_()
    head.loss(alone, targets_BT[scored][None]).nats_sum.backward()
    torch.testing.assert_close(x_BTD.grad[scored], alone.grad[0])
    assert (x_BTD.grad[~scored] == 0).all()


@every_variant
def test_all_ignored_is_zero_nats_with_finite_gradients(cls: type) -> None:
    head, (x_BTD, targets_BT) = make_part("head", cls), case(ignored=18)
    x_BTD.requires_grad_()
    loss = head.loss(x_BTD, targets_BT)
    loss.nats_sum.backward()
    assert loss.nats_sum.item() == 0.0 and int(loss.count) == 0
    assert (x_BTD.grad == 0).all() and all(p.grad is None or (p.grad == 0).all() for p in head.parameters())


@every_variant
@torch.no_grad()
def test_bf16_logits_are_scored_in_fp32(cls: type) -> None:
    head, (x_BTD, targets_BT) = make_part("head", cls).bfloat16(), case()
    loss = head.loss(x_BTD.bfloat16(), targets_BT)
    assert loss.nats_sum.dtype == torch.float32
    assert float(loss.nats_sum) == pytest.approx(sum(naive_nats(head, x_BTD.bfloat16(), targets_BT)), rel=1e-5)


@every_variant
@torch.no_grad()
def test_fp64_stays_fp64(cls: type) -> None:
    head, (x_BTD, targets_BT) = make_part("head", cls).double(), case()
    assert float(head.loss(x_BTD.double(), targets_BT).nats_sum) == pytest.approx(
        sum(naive_nats(head, x_BTD.double(), targets_BT)), rel=1e-13
    )


@every_variant
def test_flops_are_the_counters(cls: type) -> None:
    with torch.device("meta"):
        head, x_BTD = make_part("head", cls), torch.empty(1, 13, 32, requires_grad=True)
        targets_BT = torch.empty(1, 13, dtype=torch.long)
        forward = count_flops(lambda: head.loss(x_BTD, targets_BT))
        both = count_flops(lambda: head.loss(x_BTD, targets_BT).nats_sum.backward())
    cost = head.cost(13)
    assert forward == cost.seen_by_counter == 2 * 13 * 32 * VOCAB and both == 3 * forward
    assert cost.weight_grad == cost.matmul
