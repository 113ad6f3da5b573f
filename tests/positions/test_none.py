"""No position changes nothing; order still reaches a causal model."""

from __future__ import annotations

import torch

from tests.small import decoder
from zoo.component import total_params
from zoo.positions import NoPosition


def test_adds_nothing() -> None:
    x_BTD = torch.randn(2, 5, 8)
    position = NoPosition(d_model=8)
    assert torch.equal(position(x_BTD, torch.arange(5).expand(2, 5)), x_BTD)
    assert total_params(position) == 0 and position.cost(100).palm == 0


@torch.no_grad()
def test_only_the_causal_mask_knows_order() -> None:
    """With one layer, what comes last does not see the order of what came before; with two it does."""
    ids_BT = torch.tensor([[1, 2, 3, 4, 5]])
    swapped_BT = torch.tensor([[2, 1, 3, 4, 5]])
    one, two = (decoder(position=NoPosition, num_layers=n) for n in (1, 2))
    torch.testing.assert_close(one.logits(ids_BT)[0, -1], one.logits(swapped_BT)[0, -1])
    assert (two.logits(ids_BT)[0, -1] - two.logits(swapped_BT)[0, -1]).abs().max() > 1e-3
