"""Elementwise activations by name, for the feed-forward layers that take one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor, nn

from zoo.wording import listing, nearest

Activation = Callable[[Tensor], Tensor]

gelu: Activation = nn.functional.gelu  # exact, by erf (Hendrycks & Gimpel 2016, arXiv 1606.08415)
gelu_tanh: Activation = partial(nn.functional.gelu, approximate="tanh")  # the approximation that GPT-2 was trained with
relu: Activation = nn.functional.relu
silu: Activation = nn.functional.silu


def relu2(x: Tensor) -> Tensor:
    """max(x, 0)²: So et al. 2021, "Primer", arXiv 2109.08668."""
    return nn.functional.relu(x).square()


def identity(x: Tensor) -> Tensor:
    return x


def choose(name: str, known: Mapping[str, Activation]) -> Activation:
    """The activation of this name.

    Raises:
        ValueError: there is none; names the nearest right word.
    """
    if name not in known:
        raise ValueError(f"activation={name!r} must be one of {listing(known)}{nearest(name, known)}")
    return known[name]
