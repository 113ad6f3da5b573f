"""First values of parameters, chosen by role. Each parameter draws from a stream of its own."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from zoo.component import Component, RoleKind, iter_parameters


class Init(ABC):
    """Values of every parameter of a model, by its role; a variant is an immutable set of options."""

    @abstractmethod
    def value(
        self, role: RoleKind, shape: torch.Size, fan_in: int, num_layers: int, generator: torch.Generator
    ) -> Tensor:
        """First values of one parameter, fp32 on the CPU.

        Args:
            role: what the parameter is for.
            shape: of the parameter; matrices are (out, in).
            fan_in: inputs that one output sums over; of a pure lookup 1, of a tied embedding d_model.
            num_layers: blocks of the model; each adds two outputs to the residual stream.
            generator: the only source of randomness.
        """


def stream(seed: int, name: str) -> torch.Generator:
    """The random stream of one parameter: a function of (seed, name) only, so that a part that two arms share starts
    equal in both, whatever else differs."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


@torch.no_grad()
def initialise(model: nn.Module, init: Init, *, seed: int, num_layers: int) -> None:
    """Give every parameter of `model` its first value, in place, on whatever device it lies.

    Raises:
        ValueError: a parameter has no role.
    """
    for name, parameter, role, own_value in iter_parameters(model):
        if own_value is not None:
            own_value(parameter)
            continue
        value = init.value(role.kind, parameter.shape, role.fan_in, num_layers, stream(seed, name))
        parameter.copy_(value)


def materialise(model: nn.Module, device: torch.device | str) -> None:
    """Turn a model built on the meta device into one on `device`: storage for all, buffers filled again.

    `to_empty` gives each owner of a shared parameter one of its own (a tied head comes loose): they are joined again.
    """
    owners: dict[nn.Parameter, list[tuple[nn.Module, str]]] = {}
    for module in model.modules():
        for local, parameter in module.named_parameters(recurse=False):
            owners.setdefault(parameter, []).append((module, local))
    model.to_empty(device=device)
    for (first, name), *others in owners.values():
        for module, local in others:
            setattr(module, local, getattr(first, name))
    for module in model.modules():
        if isinstance(module, Component):
            module.reset_buffers()
