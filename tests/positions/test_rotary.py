"""Rotary positions against complex numbers; scores depend on the distance alone; layouts; dtypes; errors."""

from __future__ import annotations

import cmath
import copy

import pytest
import torch
from torch import Tensor

from zoo.positions import RotaryEmbedding


def naive(x_TE: Tensor, positions: list[int], base: float, layout: str) -> Tensor:
    """Each pair of channels as a complex number, times e^(i m base^(-2i/d))."""
    dim = x_TE.shape[1]
    turned = x_TE.double().clone()
    for t, position in enumerate(positions):
        for i in range(dim // 2):
            a, b = (i, i + dim // 2) if layout == "half" else (2 * i, 2 * i + 1)
            z = complex(float(x_TE[t, a]), float(x_TE[t, b])) * cmath.exp(1j * position * base ** (-2 * i / dim))
            turned[t, a], turned[t, b] = z.real, z.imag
    return turned


def rotary(head_dim: int = 8, **arguments: object) -> RotaryEmbedding:
    return RotaryEmbedding(num_heads=2, head_dim=head_dim, **arguments)


@pytest.mark.parametrize("layout", ["half", "interleaved"])
@pytest.mark.parametrize("base", [10000.0, 500.0])
def test_equals_complex_rotation(layout: str, base: float) -> None:
    x_BHTE = torch.randn(1, 2, 5, 8)
    positions = [0, 1, 7, 100, 2000]
    turned = rotary(base=base, layout=layout)(x_BHTE, torch.tensor([positions]))
    for h in range(2):
        expected = naive(x_BHTE[0, h], positions, base, layout)
        torch.testing.assert_close(turned[0, h].double(), expected, rtol=0, atol=2e-3 if positions[-1] > 1000 else 1e-5)


@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_scores_depend_on_the_distance_alone(layout: str) -> None:
    position, (q, k) = rotary(layout=layout), torch.randn(2, 1, 2, 1, 8, dtype=torch.float64)

    def score(m: int, n: int) -> Tensor:
        return (position(q, torch.tensor([[m]])) * position(k, torch.tensor([[n]]))).sum(-1)

    for shift in (1, 17, 4000):
        torch.testing.assert_close(score(9 + shift, 4 + shift), score(9, 4))
    assert (score(9, 5) - score(9, 4)).abs().max() > 1e-3
    torch.testing.assert_close(score(6, 6), (q * k).sum(-1))


def test_layouts_differ_by_a_permutation_of_channels() -> None:
    x_BHTE, positions_BT = torch.randn(2, 2, 6, 8), torch.arange(6).expand(2, 6)
    to_half = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])  # where channel c of the half layout stands interleaved
    interleaved = rotary(layout="interleaved")(x_BHTE, positions_BT)
    half = rotary(layout="half")(x_BHTE[..., to_half], positions_BT)
    torch.testing.assert_close(interleaved[..., to_half], half)


@pytest.mark.parametrize("layout", ["half", "interleaved"])
def test_a_fraction_turns_the_first_channels_only(layout: str) -> None:
    x_BHTE, positions_BT = torch.randn(1, 2, 6, 8), torch.arange(6)[None]
    turned = rotary(fraction=0.5, layout=layout)(x_BHTE, positions_BT)
    assert torch.equal(turned[..., 4:], x_BHTE[..., 4:])
    torch.testing.assert_close(turned[..., :4], rotary(4, layout=layout)(x_BHTE[..., :4], positions_BT))
    assert torch.equal(rotary(fraction=0.0, layout=layout)(x_BHTE, positions_BT), x_BHTE)


def test_casting_the_module_down_does_not_cast_its_angles() -> None:
    """bf16 has 8 bits: position 1001 would be 1000, and the angle off by a radian."""
    x_BHTE, positions_BT = torch.randn(1, 2, 1, 8), torch.tensor([[1001]])
    cast = copy.deepcopy(rotary()).bfloat16()
    assert torch.equal(cast(x_BHTE, positions_BT), rotary()(x_BHTE, positions_BT))
    narrow = cast(x_BHTE.bfloat16(), positions_BT)
    assert narrow.dtype == torch.bfloat16
    exact = rotary()(x_BHTE.bfloat16().double(), positions_BT)
    torch.testing.assert_close(narrow.double(), exact, rtol=2**-8, atol=1e-3)


def test_length_is_kept_at_far_positions() -> None:
    x_BHTE = torch.randn(1, 2, 3, 64)
    turned = rotary(64)(x_BHTE, torch.tensor([[10, 10_000, 1_000_000]]))
    torch.testing.assert_close(turned.norm(dim=-1), x_BHTE.norm(dim=-1))


def test_nothing_is_stored() -> None:
    assert not list(rotary().buffers()) and not rotary().state_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head_dim": 7}, r"head_dim=7 with fraction=1\.0 turns 7 channels, expected an even number"),
        ({"head_dim": 8, "fraction": 0.4}, r"head_dim=8 with fraction=0\.4 turns 3 channels, expected an even"),
        ({"fraction": 1.5}, r"fraction=1\.5 must be in \[0, 1\]"),
        ({"base": 0.0}, r"base=0\.0 must be above 0"),
        ({"layout": "halves"}, r"layout='halves' must be one of half, interleaved"),
    ],
)
def test_refused_values(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rotary(**arguments)
