"""Small models for tests: every part can be exchanged for a variant of its family, built with default arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.attention import FullAttention
from zoo.blocks import PreNorm
from zoo.component import Component, Context, Embedding, iter_parameters
from zoo.decoder import Decoder
from zoo.families import variants
from zoo.ffns import GLU
from zoo.heads import LinearHead
from zoo.inits.base import stream
from zoo.norms import RMSNorm
from zoo.positions import InputPosition, Position, RotaryEmbedding, RotaryPosition, ScorePosition

D_MODEL, VOCAB, NUM_LAYERS = 32, 61, 2
DEFAULTS: dict[str, Any] = {
    "position": RotaryEmbedding,
    "attention": FullAttention,
    "ffn": GLU,
    "norm": RMSNorm,
    "block": PreNorm,
    "head": LinearHead,
}
FAMILY_OF = {
    "position": "positions",
    "attention": "attention",
    "ffn": "ffns",
    "norm": "norms",
    "block": "blocks",
    "head": "heads",
}
EXCHANGES = [(slot, cls) for slot, family in FAMILY_OF.items() for cls in variants(family).values()]


def exchange_id(exchange: tuple[str, type]) -> str:
    return f"{exchange[0]}={exchange[1].__name__}"


class Slopes(ScorePosition):
    """A score position as ALiBi has it: the bias falls with distance, at another slope per head."""

    def __init__(self, *, num_heads: int, head_dim: int):
        super().__init__()
        self.num_heads = num_heads

    def forward(self, query_positions_BT: Tensor, key_positions_BS: Tensor) -> Tensor:
        slopes_H = 0.5 ** torch.arange(1, self.num_heads + 1, device=key_positions_BS.device)
        distance_BTS = query_positions_BT[:, :, None] - key_positions_BS[:, None, :]
        return -slopes_H[:, None, None] * distance_BTS[:, None].float()


class LooksAtValues(RMSNorm):
    """A norm as a user may write one: what it does depends on what it reads, so it runs on real tensors alone."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.abs().max().item() < 1e9 else x


def build_decoder(**changes: Any) -> Decoder:
    """An untrained decoder with parameters in place but without first values."""
    sizes = {"vocab_size": VOCAB, "d_model": D_MODEL, "num_layers": NUM_LAYERS, "layers": None}
    return Decoder(**(sizes | DEFAULTS | changes))


@torch.no_grad()
def fill(module: nn.Module, std: float = 0.3, seed: int = 0) -> nn.Module:
    """Values that hide nothing: no gain is 1, no bias 0; each parameter from a stream of its own name."""
    for name, parameter, role, _ in iter_parameters(module):
        centre = 1.0 if role.kind == "gain" else 0.0
        parameter.copy_(centre + std * torch.randn(parameter.shape, generator=stream(seed, name)))
    return module


def decoder(**changes: Any) -> Decoder:
    """A decoder with values."""
    model = build_decoder(**changes)
    fill(model)
    return model


def make_part(slot: str, cls: Callable[..., Component], **arguments: Any) -> Component:
    """One part alone, with values."""
    given: dict[str, Any] = {"d_model": D_MODEL}
    if slot == "position":
        shape = {"d_model": D_MODEL} if issubclass(cls, InputPosition) else {"num_heads": 4, "head_dim": 8}
        given = shape
    elif slot == "attention":
        given |= {"position": attention_position(cls), "layer": 0}
    elif slot == "ffn":
        given |= {"layer": 0}
    elif slot == "block":
        mixer = functools.partial(FullAttention, position=RotaryEmbedding)
        given |= {"attention": mixer, "ffn": GLU, "norm": RMSNorm, "layer": 0}
    elif slot == "head":
        given |= {"vocab_size": VOCAB, "embedding": Embedding(vocab_size=VOCAB, d_model=D_MODEL)}
    part = cls(**(given | arguments))
    fill(part)
    return part


def attention_position(cls: type) -> type[Position] | None:
    """The first kind of position that an attention takes; None where it takes none."""
    if RotaryPosition in cls.accepts:
        return RotaryEmbedding
    return Slopes if ScorePosition in cls.accepts else None


def context(batch_size: int, num_tokens: int, start: int = 0, **more: Any) -> Context:
    return Context(positions_BT=torch.arange(start, start + num_tokens).expand(batch_size, num_tokens), **more)
