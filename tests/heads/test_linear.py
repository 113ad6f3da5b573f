"""The untied head: a matrix of its own."""

from __future__ import annotations

import torch

from tests.small import decoder, make_part
from zoo.component import Role, iter_parameters
from zoo.heads import LinearHead


@torch.no_grad()
def test_logits_are_a_product_and_a_bias() -> None:
    head, x_BTD = make_part("head", LinearHead, bias=True), torch.randn(1, 2, 32)
    for t in range(2):
        for token in (0, 60):
            expected = sum(float(w) * float(x) for w, x in zip(head.unembed.weight[token], x_BTD[0, t], strict=True))
            assert abs(float(head.logits(x_BTD)[0, t, token]) - expected - float(head.unembed.bias[token])) < 1e-4


def test_the_embedding_is_not_touched() -> None:
    model = decoder(head=LinearHead)
    roles = {name: role for name, _, role, _ in iter_parameters(model)}
    assert roles["head.unembed.weight"] == Role("head", 32)
    assert roles["embedding.weight"] == Role("embedding", 1)
    assert model.head.unembed.weight is not model.embedding.weight
