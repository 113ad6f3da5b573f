"""The tied head: one table, counted once, paid for twice."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.small import VOCAB, build_decoder, decoder
from zoo.component import Embedding, Role, iter_parameters, total_params
from zoo.heads import LinearHead, TiedHead
from zoo.inits import GPT2Init
from zoo.inits.base import initialise, materialise
from zoo.optimizers.base import role_groups


def test_one_table_one_role_and_the_cost_of_two() -> None:
    tied, untied = decoder(head=TiedHead), decoder(head=LinearHead)
    assert total_params(untied) - total_params(tied) == VOCAB * 32
    assert tied.cost(10) == untied.cost(10)
    roles = {name: role for name, _, role, _ in iter_parameters(tied)}
    assert roles["embedding.weight"] == Role("embedding", fan_in=32)
    assert not any(name.startswith("head") for name in roles)
    assert sum(p is tied.embedding.weight for group in role_groups(tied) for p in group["params"]) == 1


def test_gradient_comes_from_both_ends() -> None:
    model, ids_BT = decoder(head=TiedHead), torch.tensor([[3, 4]])
    model.loss(ids_BT, torch.tensor([[7, -100]])).nats_sum.backward()
    rows = (model.embedding.weight.grad.abs().sum(-1) > 0).nonzero().flatten().tolist()
    assert rows == list(range(VOCAB))  # every row predicts
    grad = model.embedding.weight.grad[3].clone()
    model.zero_grad()
    hidden_BTD = model(ids_BT).detach()
    model.head.loss(hidden_BTD, torch.tensor([[7, -100]])).nats_sum.backward()
    assert (model.embedding.weight.grad[3] - grad).abs().max() > 1e-6  # and row 3 was read


def test_the_tie_survives_the_meta_device_and_deepcopy() -> None:
    with torch.device("meta"):
        model = build_decoder(head=TiedHead)
    materialise(model, "cpu")
    initialise(model, GPT2Init(), seed=0, num_layers=2)
    for one in (model, copy.deepcopy(model)):
        assert one.head.weight is one.embedding.weight
    assert len(list(model.parameters())) == len(list(decoder(head=TiedHead).parameters()))


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs an embedding of shape \(5, 4\), got \(5, 8\)"):
        TiedHead(d_model=4, vocab_size=5, embedding=Embedding(vocab_size=5, d_model=8))
