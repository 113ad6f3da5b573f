"""Cost, roles and factories: what every component leans on."""

from __future__ import annotations

import copy
import functools

import pytest
import torch
from torch import nn

from zoo.component import (
    Component,
    Context,
    Cost,
    Embedding,
    Role,
    factory_class,
    iter_parameters,
    linear_cost,
    linear_roles,
    total_params,
)


class Pair(Component):
    """Two products and a gain."""

    def __init__(self, *, width: int = 3):
        super().__init__()
        self.first, self.second = nn.Linear(width, 5), nn.Linear(5, width, bias=False)
        self.gain = nn.Parameter(torch.ones(width))
        self.roles = linear_roles("matrix", first=self.first, second=self.second) | {"gain": Role("gain")}
        self.own_values = {"gain": lambda tensor: tensor.fill_(0.5)}


class Reader(Component):
    """Shares the table of an embedding, under a role of its choice."""

    def __init__(self, embedding: Embedding, role: Role):
        super().__init__()
        self.weight = embedding.weight
        self.roles = {"weight": role}


def test_costs_add_up_field_by_field() -> None:
    total = Cost(1, 2, 3, 4, 5) + Cost(10, 20, 30, 40, 50)
    assert total == Cost(11, 22, 33, 44, 55, None)
    assert (total.exact, total.palm, total.seen_by_counter) == (11 + 22 + 44, 11 + 33 + 44, 11 + 33 + 44)


def test_a_count_that_differs_survives_addition_on_either_side() -> None:
    plain, odd = Cost(matmul=10, attention_dense=4), Cost(matmul=3, counted=100)
    assert (plain + odd).seen_by_counter == (odd + plain).seen_by_counter == 14 + 100
    assert (plain + odd).palm == 17


def test_linear_cost_is_two_flops_per_weight_and_token_and_sees_what_trains() -> None:
    first, second = nn.Linear(3, 5), nn.Linear(5, 2)
    second.weight.requires_grad_(False)
    assert linear_cost(7, first, second) == Cost(matmul=2 * 7 * (15 + 10), weight_grad=2 * 7 * 15)


def test_iter_parameters_gives_each_parameter_once_with_role_and_own_value() -> None:
    found = {name: (role, own is not None) for name, _, role, own in iter_parameters(nn.Sequential(Pair()))}
    assert found == {
        "0.gain": (Role("gain"), True),
        "0.first.weight": (Role("matrix", 3), False),
        "0.first.bias": (Role("bias", 3), False),
        "0.second.weight": (Role("matrix", 5), False),
    }


def test_a_shared_parameter_takes_its_first_name_and_largest_fan_in() -> None:
    embedding = Embedding(vocab_size=11, d_model=4)
    model = nn.ModuleDict({"table": embedding, "reader": Reader(embedding, Role("embedding", 4))})
    assert [(name, role) for name, _, role, _ in iter_parameters(model)] == [("table.weight", Role("embedding", 4))]
    assert total_params(model) == 44


def test_owners_that_disagree_on_a_role_are_refused() -> None:
    embedding = Embedding(vocab_size=11, d_model=4)
    model = nn.ModuleDict({"table": embedding, "reader": Reader(embedding, Role("head", 4))})
    with pytest.raises(ValueError, match=r"parameter reader\.weight is stated as 'head' and as 'embedding'"):
        list(iter_parameters(model))


def test_a_parameter_without_a_role_is_refused_by_name() -> None:
    model = nn.ModuleDict({"pair": Pair(), "stray": nn.Linear(2, 2)})
    with pytest.raises(ValueError, match=r"parameter 'stray\.weight' has no role: state it in `roles`.*\(near stray\)"):
        list(iter_parameters(model))


def test_roles_survive_deepcopy_and_assigned_state() -> None:
    before = [(name, role) for name, _, role, _ in iter_parameters(Pair())]
    copied = copy.deepcopy(Pair())
    copied.load_state_dict({k: v.clone() for k, v in Pair().state_dict().items()}, assign=True)
    assert [(name, role) for name, _, role, _ in iter_parameters(copied)] == before


def test_factory_class_sees_through_partials() -> None:
    assert factory_class(Pair) is Pair
    assert factory_class(functools.partial(functools.partial(Pair, width=2), width=3)) is Pair

    def carrying(cls: type, **arguments: int) -> Component:
        return cls(**arguments)

    assert factory_class(functools.partial(carrying, Pair, width=2)) is Pair
    with pytest.raises(ValueError, match=r"hides the class it builds: pass the class, or functools\.partial"):
        factory_class(lambda: Pair())


def test_context_reports_overwrite_so_that_recomputation_counts_once() -> None:
    ctx = Context(positions_BT=torch.zeros(1, 1))
    for value in (1.0, 2.0):
        ctx.report(3, "balance", torch.tensor(value), loss=True)
        ctx.report(3, "load", torch.tensor(value))
    assert ctx.losses == {(3, "balance"): torch.tensor(2.0)} and ctx.statistics == {(3, "load"): torch.tensor(2.0)}


def test_defaults_of_a_component_cost_nothing_and_use_every_parameter() -> None:
    pair = Pair()
    assert pair.cost(8) == Cost() and pair.active_params() == total_params(pair) == 15 + 5 + 15 + 3
