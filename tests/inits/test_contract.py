"""Laws of every initialisation, over every variant of every family that a model is made of."""

from __future__ import annotations

import math

import pytest
import torch

from tests.small import EXCHANGES, NUM_LAYERS, build_decoder, exchange_id
from zoo.component import ROLE_KINDS, iter_parameters
from zoo.decoder import Decoder
from zoo.families import variants
from zoo.ffns import MLP
from zoo.inits import Init
from zoo.inits.base import initialise, materialise, stream

every_variant = pytest.mark.parametrize("cls", variants("inits").values(), ids=variants("inits"))
every_part = pytest.mark.parametrize("exchange", EXCHANGES, ids=exchange_id)
every_head = pytest.mark.parametrize("head", variants("heads").values(), ids=variants("heads"))


def started(init: Init, seed: int = 0, **changes: object) -> Decoder:
    model = build_decoder(**changes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(torch.nan)  # whatever the init leaves out is seen
    initialise(model, init, seed=seed, num_layers=model.num_layers)
    return model


def values(model: Decoder) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


@every_variant
@every_part
def test_covers_every_parameter_of_every_variant(cls: type, exchange: tuple[str, type]) -> None:
    slot, part = exchange
    model = started(cls(), **{slot: part})
    roles = {role.kind for _, _, role, _ in iter_parameters(model)}
    assert roles <= set(ROLE_KINDS) and {"matrix", "residual_out", "embedding"} <= roles
    assert all(value.isfinite().all() for value in values(model).values())


@every_variant
@pytest.mark.parametrize("role", ROLE_KINDS)
@pytest.mark.parametrize("shape", [(6,), (6, 4), (3, 6, 4)])
def test_every_role_and_rank_has_a_value(cls: type, role: str, shape: tuple[int, ...]) -> None:
    value = cls().value(role, torch.Size(shape), 4, 2, stream(0, "x"))
    assert value.shape == shape and value.dtype == torch.float32 and value.device.type == "cpu"
    assert value.isfinite().all()


@every_variant
@every_part
def test_meta_then_materialise_is_direct_construction(cls: type, exchange: tuple[str, type]) -> None:
    slot, part = exchange
    direct = started(cls(), seed=3, **{slot: part})
    with torch.device("meta"):
        late = build_decoder(**{slot: part})
    materialise(late, "cpu")
    initialise(late, cls(), seed=3, num_layers=NUM_LAYERS)
    assert values(direct).keys() == values(late).keys()
    assert all(torch.equal(a, b) for a, b in zip(values(direct).values(), values(late).values(), strict=True))
    ids_BT = torch.arange(7)[None]
    assert torch.equal(direct.logits(ids_BT), late.logits(ids_BT))


@every_variant
def test_what_did_not_change_starts_equal(cls: type) -> None:
    """The stream is keyed by (seed, name): another ffn, another depth or order of parts leaves the rest alone."""
    base, other = values(started(cls())), values(started(cls(), ffn=MLP))
    shared = [name for name in base if ".ffn." not in name]
    assert len(shared) > 10 and all(torch.equal(base[name], other[name]) for name in shared)
    deeper = values(started(cls(), num_layers=NUM_LAYERS + 1))
    narrowed = {name for name, _, role, _ in iter_parameters(build_decoder()) if role.kind == "residual_out"}
    for name in base.keys() - narrowed:  # residual outputs may depend on the depth
        assert torch.equal(base[name], deeper[name])


@every_variant
def test_seeds_and_names_draw_apart(cls: type) -> None:
    first, again, second = (values(started(cls(), seed=seed)) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if first[name].std() > 0]
    assert all(not torch.equal(first[name], second[name]) for name in drawn)
    assert not torch.equal(first["layers.0.attention.q.weight"], first["layers.1.attention.q.weight"])


@every_variant
def test_gains_are_one_and_biases_zero(cls: type) -> None:
    init, draw = cls(), stream(0, "x")
    assert (init.value("gain", torch.Size([9]), 1, 2, draw) == 1).all()
    assert (init.value("bias", torch.Size([9]), 4, 2, draw) == 0).all()
    assert (init.value("scalar", torch.Size([]), 1, 2, draw) == 0).all()


@every_variant
@every_head
@torch.no_grad()
@pytest.mark.parametrize("d_model", [32, 128])
def test_first_loss_is_near_ln_vocab(cls: type, head: type, d_model: int) -> None:
    """A tied N(0, 1) table starts above 100 nats instead."""
    model = started(cls(), head=head, d_model=d_model, vocab_size=512, num_layers=4)
    ids_BT, targets_BT = torch.randint(512, (2, 8, 64), generator=torch.Generator().manual_seed(0))
    loss = model.loss(ids_BT, targets_BT)
    assert abs(float(loss.nats_sum / loss.count) - math.log(512)) < 0.6


@every_variant
def test_own_values_win(cls: type) -> None:
    model = build_decoder()
    model.layers[0].attention_norm.own_values = {"gain": lambda tensor: tensor.fill_(0.25)}
    initialise(model, cls(), seed=0, num_layers=NUM_LAYERS)
    assert (model.layers[0].attention_norm.gain == 0.25).all() and (model.layers[1].attention_norm.gain == 1).all()
