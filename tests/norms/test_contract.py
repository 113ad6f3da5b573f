"""Laws of every norm."""

from __future__ import annotations

import pytest
import torch

from tests.small import make_part
from zoo.component import Cost
from zoo.families import variants

every_variant = pytest.mark.parametrize("cls", variants("norms").values(), ids=variants("norms"))


@every_variant
@torch.no_grad()
def test_each_token_alone_whatever_the_leading_axes(cls: type) -> None:
    norm, x = make_part("norm", cls), torch.randn(2, 3, 5, 32)
    y = norm(x)
    assert y.shape == x.shape
    for index in ((0, 0, 0), (1, 2, 4)):
        torch.testing.assert_close(norm(x[index]), y[index])


@every_variant
@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4, 1e-6])
def test_finite_at_extremes(cls: type, dtype: torch.dtype, value: float) -> None:
    for norm in (make_part("norm", cls), make_part("norm", cls).to(dtype)):
        y = norm(torch.full((2, 32), value, dtype=dtype))
        assert y.dtype == dtype and y.isfinite().all()


@every_variant
@torch.no_grad()
def test_gradients_are_finite_on_zeros(cls: type) -> None:
    with torch.enable_grad():
        norm, x = make_part("norm", cls), torch.zeros(2, 32, requires_grad=True)
        norm(x).square().sum().backward()
    assert x.grad.isfinite().all() and all(p.grad.isfinite().all() for p in norm.parameters())


@every_variant
@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_input_is_rounded_once(cls: type, dtype: torch.dtype) -> None:
    """Statistics in fp32: what comes out is the fp32 result of the narrow input, rounded."""
    norm, x = make_part("norm", cls), 50 + 3 * torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(norm(x.to(dtype)), norm(x.to(dtype).float()).to(dtype))


@every_variant
@torch.no_grad()
def test_fp64_stays_fp64(cls: type) -> None:
    norm = make_part("norm", cls).double()
    x = torch.randn(4, 32, dtype=torch.float64)
    assert (norm(x) - norm(x.float()).double()).abs().max() > 1e-9


@every_variant
@torch.no_grad()
def test_autocast_does_not_narrow_the_statistics(cls: type) -> None:
    norm, x = make_part("norm", cls), 50 + torch.randn(4, 32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = norm(x)
    assert torch.equal(inside, norm(x))


@every_variant
def test_costs_nothing_by_the_matmul_convention(cls: type) -> None:
    assert make_part("norm", cls).cost(100) == Cost()


@every_variant
@pytest.mark.parametrize("eps", [0.0, -1e-6])
def test_eps_must_be_positive(cls: type, eps: float) -> None:
    with pytest.raises(ValueError, match=rf"eps={eps} must be above 0"):
        make_part("norm", cls, eps=eps)
