"""What every component shares: it is an `nn.Module` that states its cost and the role of each of its parameters.

Shape letters, everywhere in zoo: B batch, T query time, S key time, D d_model, H query heads, K key/value heads,
E head_dim, F d_ff, V vocab. A tensor carries its letters: `x_BTD`, `q_BHTE`.
"""

from __future__ import annotations

import functools
import inspect
from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

RoleKind = Literal["matrix", "residual_out", "embedding", "head", "gain", "bias", "scalar"]
ROLE_KINDS: tuple[RoleKind, ...] = get_args(RoleKind)


class Role(NamedTuple):
    """What a parameter is for. It decides the parameter's init, weight decay and optimizer group.

    `fan_in` counts the inputs that one output sums over: the columns of a matrix. A looked-up row sums over one
    input; an embedding that is also the head (tied) sums over d_model, and says so here.
    """

    kind: RoleKind
    fan_in: int = 1


@dataclass(frozen=True)
class Cost:
    """Forward FLOPs of one sequence, as integers; a multiply-add is 2. Costs add up over children.

    Norms, activations, softmax and rotations are left out, by the field's matmul convention.
    """

    matmul: int = 0  # products with weights
    attention: int = 0  # query-key pairs that the mask keeps: what an ideal kernel must do
    attention_dense: int = 0  # all query-key pairs: what a dense kernel multiplies, the PaLM convention
    recurrent: int = 0  # scans, convolutions, delta rules, in their recurrent form
    weight_grad: int = 0  # the part of matmul whose weight trains
    counted: int | None = None  # what this implementation shows FlopCounterMode; None: the same as palm

    @property
    def exact(self) -> int:
        """FLOPs that an ideal kernel must do: masked pairs are not counted."""
        return self.matmul + self.attention + self.recurrent

    @property
    def palm(self) -> int:
        """FLOPs by the convention of PaLM, appendix B (Chowdhery et al. 2022, arXiv 2204.02311): all pairs count."""
        return self.matmul + self.attention_dense + self.recurrent

    @property
    def seen_by_counter(self) -> int:
        return self.palm if self.counted is None else self.counted

    def __add__(self, other: Cost) -> Cost:
        both_default = self.counted is None and other.counted is None
        counted = None if both_default else self.seen_by_counter + other.seen_by_counter
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "counted"}
        return Cost(**sums, counted=counted)


class Stage(NamedTuple):
    """A part of a component's forward pass whose products all read the same input, none what another made.

    From the order of stages follows which input gradients a backward pass needs: `zoo.accounting.training_flops`.
    """

    cost: Cost
    trains: bool  # whether a parameter that takes part here trains
    chained: bool = False  # its products may read one another after all: nobody said


@dataclass
class Context:
    """What a forward knows besides its input; one object travels through all layers of one call."""

    positions_BT: Tensor  # absolute, so that a cache offset is right: rising by one, or anew with each document
    documents_BT: Tensor | None = None  # of each token: attention never crosses; padding is a document of its own
    cache: Any | None = None  # zoo.attention.base.Cache
    shared: dict[str, Any] = field(default_factory=dict)  # first-layer values, x0, tables that all layers use
    losses: dict[tuple[int, str], Tensor] = field(default_factory=dict)
    statistics: dict[tuple[int, str], Tensor] = field(default_factory=dict)

    def report(self, layer: int, name: str, value: Tensor, *, loss: bool = False) -> None:
        """Keep an auxiliary loss (added to the training loss, per token) or a statistic of one layer.

        It overwrites: a layer that is computed twice (activation checkpointing) reports once.
        """
        (self.losses if loss else self.statistics)[layer, name] = value


class Component(nn.Module, ABC):
    """A part of the model. A subclass states the role of each parameter it creates, and what a forward costs."""

    cost_note: str = ""  # why a count differs from the counter: printed under the table
    roles: Mapping[str, Role] = MappingProxyType({})  # local parameter name -> role, e.g. {"gate.weight": Role(...)}
    own_values: Mapping[str, Callable[[Tensor], Any]] = MappingProxyType({})  # local name -> fills the tensor in place

    def cost(self, seq_len: int, past_len: int = 0) -> Cost:
        """Forward FLOPs for one sequence of `seq_len` tokens that follow `past_len` cached ones: of all `stages`."""
        return sum((stage.cost for stage in self.stages(seq_len, past_len)), Cost())

    def stages(self, seq_len: int, past_len: int = 0) -> list[Stage]:
        """The forward pass in order, where it takes more than one step. A component overrides this or `cost`, or
        neither if it multiplies nothing."""
        cost = Cost() if type(self).cost is Component.cost else self.cost(seq_len, past_len)
        return [Stage(cost, trains(self), chained=cost != Cost() and not _is_one_product(self))]

    def active_params(self) -> int:
        """Parameters that one token passes through: all of them, unless the component routes and overrides this."""
        return total_params(self)

    def reset_buffers(self) -> None:
        """Fill buffers again after the module was materialised from the meta device."""

    def after_step(self) -> None:
        """Called after each optimizer step (router biases, normalised weights)."""


class Embedding(Component):
    """A table of one row per token: ids_BT -> x_BTD. A lookup costs no multiplication.

    Args:
        vocab_size: rows, in tokens.
        d_model: columns.
    """

    def __init__(self, *, vocab_size: int, d_model: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocab_size, d_model))
        self.roles = {"weight": Role("embedding", fan_in=1)}

    def forward(self, ids_BT: Tensor) -> Tensor:
        return nn.functional.embedding(ids_BT, self.weight)


def at_least_fp32(x: Tensor) -> Tensor:
    """x in the dtype of statistics and losses: fp32 for anything narrower, fp64 stays. Autocast does not undo it."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def total_params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def trains(*modules: nn.Module) -> bool:
    """Whether any parameter of these trains."""
    return any(p.requires_grad for module in modules for p in module.parameters())


def _is_one_product(module: nn.Module) -> bool:
    """Whether one weight matrix (and its bias) is all there is: then nothing inside stands below what trains."""
    owners = [m for m in module.modules() if list(m.parameters(recurse=False))]
    if len(owners) != 1:
        return False
    return isinstance(owners[0], nn.Linear) or len(list(owners[0].parameters(recurse=False))) == 1


def linear_stage(seq_len: int, *layers: nn.Linear) -> Stage:
    """A stage of products with these weights, for each of `seq_len` tokens."""
    return Stage(linear_cost(seq_len, *layers), trains(*layers))


def linear_cost(seq_len: int, *layers: nn.Linear) -> Cost:
    """Cost of products with these weights, for each of `seq_len` tokens: 2 FLOPs per weight; biases are free."""
    flops = [2 * seq_len * layer.in_features * layer.out_features for layer in layers]
    trains = [layer.weight.requires_grad for layer in layers]
    return Cost(matmul=sum(flops), weight_grad=sum(f for f, t in zip(flops, trains, strict=True) if t))


def linear_roles(kind: RoleKind, **layers: nn.Linear) -> dict[str, Role]:
    """Roles of the weights and biases of linear layers, under the names of the keywords."""
    roles = {}
    for name, layer in layers.items():
        roles[f"{name}.weight"] = Role(kind, layer.in_features)
        if layer.bias is not None:
            roles[f"{name}.bias"] = Role("bias", layer.in_features)
    return roles


def iter_parameters(root: nn.Module) -> Iterator[tuple[str, nn.Parameter, Role, Callable[[Tensor], Any] | None]]:
    """Each parameter once: (dotted name, parameter, role, own value or None).

    A shared parameter goes by its first name. Its owners must agree on the kind of role; the largest fan_in stands.

    Raises:
        ValueError: a parameter has no role, or two owners call it by different roles.
    """
    roles: dict[int, Role] = {}
    own_values: dict[int, Callable[[Tensor], Any]] = {}
    for path, module in root.named_modules(remove_duplicate=False):
        if not isinstance(module, Component):
            continue
        for local, role in module.roles.items():
            parameter = module.get_parameter(local)
            known = roles.get(id(parameter), role)
            if known.kind != role.kind:
                raise ValueError(f"parameter {path}.{local} is stated as {role.kind!r} and as {known.kind!r}")
            roles[id(parameter)] = max(known, role, key=lambda r: r.fan_in)
        for local, fill in module.own_values.items():
            own_values[id(module.get_parameter(local))] = fill
    for name, parameter in root.named_parameters():
        if id(parameter) not in roles:
            owner = name.rpartition(".")[0] or type(root).__name__
            raise ValueError(
                f"parameter {name!r} has no role: state it in `roles` of the component that made it (near {owner})"
            )
        yield name, parameter, roles[id(parameter)], own_values.get(id(parameter))


def factory_class(factory: Callable[..., Any]) -> type:
    """The class that a factory builds: a class itself, `functools.partial` of one, or a recipe's factory.

    Raises:
        ValueError: the factory hides its class (a lambda), so that its kind cannot be known before it is called.
    """
    candidate: Any = factory
    while isinstance(candidate, functools.partial):
        classes = [a for a in candidate.args if inspect.isclass(a)]  # the recipe's factories carry their class here
        candidate = classes[0] if classes else candidate.func
    if not inspect.isclass(candidate):
        raise ValueError(f"{factory!r} hides the class it builds: pass the class, or functools.partial(TheClass, ...)")
    return candidate
