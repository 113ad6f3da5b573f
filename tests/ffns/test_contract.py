"""Laws of every feed-forward layer."""

from __future__ import annotations

import inspect

import pytest
import torch

from tests.small import context, make_part
from zoo.accounting.counter import count_flops
from zoo.component import iter_parameters, total_params
from zoo.families import variants

every_variant = pytest.mark.parametrize("cls", variants("ffns").values(), ids=variants("ffns"))


@every_variant
@torch.no_grad()
def test_each_token_alone(cls: type) -> None:
    ffn, x_BTD = make_part("ffn", cls), torch.randn(2, 9, 32)
    y_BTD = ffn(x_BTD, context(2, 9))
    assert y_BTD.shape == x_BTD.shape
    for t in range(9):
        torch.testing.assert_close(ffn(x_BTD[:, t : t + 1], context(2, 1)), y_BTD[:, t : t + 1], rtol=1e-4, atol=1e-5)


@every_variant
@pytest.mark.parametrize("d_model", [8, 32, 96, 100, 128, 1000])
def test_default_width_holds_8_d_model_squared(cls: type, d_model: int) -> None:
    """Within half a `multiple_of` of channels, so that rows of a table compare."""
    multiple_of = inspect.signature(cls).parameters["multiple_of"].default
    with torch.device("meta"):
        ffn = make_part("ffn", cls, d_model=d_model)
    biases = sum(p.numel() for _, p, role, _ in iter_parameters(ffn) if role.kind == "bias")
    products = ffn.active_params() / (d_model * ffn.d_ff)  # matrices of d_model x d_ff that a token passes
    assert abs(ffn.active_params() - biases - 8 * d_model**2) <= products * d_model * multiple_of / 2


@every_variant
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("num_tokens", [1, 37])
def test_flops_are_the_counters(cls: type, num_tokens: int, bias: bool) -> None:
    with torch.device("meta"):
        ffn = make_part("ffn", cls, bias=bias)
        x_BTD, ctx = torch.empty(1, num_tokens, 32, requires_grad=True), context(1, num_tokens)
        forward = count_flops(lambda: ffn(x_BTD, ctx))
        both = count_flops(lambda: ffn(x_BTD, ctx).sum().backward())
    cost = ffn.cost(num_tokens)
    assert forward == cost.seen_by_counter > 0 and both == 3 * forward
    assert cost.weight_grad == cost.matmul


@every_variant
def test_states_its_residual_output(cls: type) -> None:
    """The last matrix adds to the stream: inits narrow it by its role."""
    ffn = make_part("ffn", cls)
    kinds = {role.kind for _, _, role, _ in iter_parameters(ffn)}
    assert "residual_out" in kinds and ffn.active_params() <= total_params(ffn)


@every_variant
@torch.no_grad()
def test_bf16_is_near_fp32(cls: type) -> None:
    ffn, x_BTD = make_part("ffn", cls), torch.randn(2, 9, 32)
    wide = ffn(x_BTD, context(2, 9))
    narrow = ffn.bfloat16()(x_BTD.bfloat16(), context(2, 9))
    assert narrow.dtype == torch.bfloat16 and (narrow.float() - wide).norm() < 0.02 * wide.norm()


@every_variant
def test_unknown_activation_names_the_nearest(cls: type) -> None:
    known = inspect.signature(cls).parameters["activation"].default
    with pytest.raises(ValueError, match=rf"activation='{known}x' must be one of .*{known}.*; did you mean '{known}"):
        make_part("ffn", cls, activation=f"{known}x")


@every_variant
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"d_ff": 0}, r"d_ff=0 must be at least 1"),
        ({"multiple_of": 0}, r"multiple_of=0 must be at least 1"),
        ({"activation": "zzz"}, r"activation='zzz' must be one of [a-z_0-9, ]+$"),
    ],
)
def test_refused_values(cls: type, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_part("ffn", cls, **arguments)
