"""What the tests of optimizers share: a model with a parameter of every role, and a counter of arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from zoo.component import ROLE_KINDS, Component, Role

# Operations per element; what is not here fails the test, so that nothing goes uncounted.
FLOPS_PER_ELEMENT = dict.fromkeys(("mul", "div", "sub", "sqrt", "rsqrt", "reciprocal", "pow", "neg", "sign"), 1)
FLOPS_PER_ELEMENT |= dict.fromkeys(("abs", "maximum", "minimum", "clamp", "clamp_min", "clamp_max"), 1)
FLOPS_PER_ELEMENT |= {"add": 1, "lerp": 3, "addcmul": 2, "addcdiv": 2}
FLOPS_PER_ELEMENT |= dict.fromkeys(("copy", "clone", "zeros_like", "empty_like", "detach", "fill", "zero"), 0)


class ArithmeticCounter(TorchDispatchMode):
    """Adds up the elementwise operations that reach torch, one by one or over a list of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "profiler":  # torch brackets each step with a record for its profiler
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__.removeprefix("_foreach_").rstrip("_")
        assert name in FLOPS_PER_ELEMENT, f"{func} is not elementwise arithmetic"
        tensors = args[0] if isinstance(args[0], list | tuple) else [args[0]]
        per_element = FLOPS_PER_ELEMENT[name]
        if name == "add" and kwargs.get("alpha", 1) != 1:
            per_element += 1
        if name in ("addcmul", "addcdiv"):
            value = kwargs.get("value", args[3] if len(args) > 3 else 1)
            per_element += value != 1
        self.flops += per_element * sum(tensor.numel() for tensor in tensors)
        return func(*args, **kwargs)


@pytest.fixture
def count_flops() -> Callable[[Callable[[], object]], int]:
    def count(run: Callable[[], object]) -> int:
        with ArithmeticCounter() as counter:
            run()
        return counter.flops

    return count


class EveryRole(Component):
    """One parameter of each role, of shapes that differ."""

    def __init__(self, dtype: torch.dtype = torch.float32):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for i, kind in enumerate(ROLE_KINDS):
            shape = (3 + i, 5) if kind in ("matrix", "residual_out", "embedding", "head") else (3 + i,)
            setattr(self, kind, nn.Parameter(torch.randn(shape, generator=generator).to(dtype)))
        self.roles = {kind: Role(kind) for kind in ROLE_KINDS}


def give_gradients(model: nn.Module, step: int) -> None:
    """Random gradients, a function of the step alone."""
    generator = torch.Generator().manual_seed(1000 + step)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)


@pytest.fixture
def every_role() -> type[EveryRole]:
    return EveryRole


@pytest.fixture
def set_gradients() -> Callable[[nn.Module, int], None]:
    return give_gradients
