"""FLOPs of a training step, derived from what each part states about its forward pass. No training, no model files.

Conventions (one multiply-add is 2 FLOPs; norms, activations, softmax and lookups are left out): *exact* counts the
query-key pairs that the mask keeps, what an ideal kernel must do; *palm* counts all of them (Chowdhery et al. 2022,
arXiv 2204.02311, appendix B), for comparison with published numbers; *hardware* adds to the exact count what a run
computes a second time.

Derivation: a product y = W x costs its forward once more for the gradient of W, if W trains, and once more for the
gradient of x, if anything below it trains. Attention and recurrences take their gradients on both sides of each
product, in one kernel: twice the forward, if anything below trains. All trains: exactly 3x forward (6 N per token).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from zoo.component import Component, Stage

Documents = Mapping[int, float]  # tokens -> number of documents of that length
Parts = Sequence[tuple[str, Component]]  # (family, part) from input to output: `Decoder.parts()`


def forward_flops(parts: Parts, seq_len: int, *, palm: bool = False, documents: Documents | None = None) -> int | float:
    """FLOPs of one sequence's forward pass.

    Args:
        parts: from input to output.
        seq_len: tokens of the sequence.
        palm: all query-key pairs, instead of those that the mask keeps.
        documents: where attention stays within documents, how many of each length a sequence holds on average; their
            pairs are counted, and the result is a mean. None: the sequence is one document.
    """
    stages = (stage for _, part in parts for stage in _staged(part, seq_len, documents))
    return sum(stage.cost.palm if palm else stage.cost.exact for stage in stages)


def training_flops(
    parts: Parts, seq_len: int, *, palm: bool = False, documents: Documents | None = None
) -> int | float:
    """FLOPs of one sequence's forward and backward pass, without the optimizer's.

    Args:
        parts: from input to output; what trains is read from `requires_grad`.
        seq_len, palm, documents: as for `forward_flops`.

    Raises:
        ValueError: training begins inside a component of several products that does not state its `stages`, so that
            its cost alone does not tell which of them need input gradients.
    """
    total: int | float = 0
    for stage, trains_below in _stages(parts, seq_len, documents):
        cost = stage.cost
        mixing = (cost.attention_dense if palm else cost.attention) + cost.recurrent
        total += cost.matmul + mixing + cost.weight_grad
        if trains_below:
            total += cost.matmul + 2 * mixing
    return total


def hardware_flops(
    parts: Parts,
    seq_len: int,
    *,
    palm: bool = False,
    documents: Documents | None = None,
    checkpointing: bool = False,
    fused_attention: bool = True,
) -> int | float:
    """FLOPs of one sequence's forward and backward pass with what is computed twice, for HFU.

    Args:
        parts: from input to output.
        seq_len, palm, documents: as for `forward_flops`.
        checkpointing: each block keeps its input alone and runs forward again in the backward pass, up to the last
            product, whose result no gradient asks for (`torch.utils.checkpoint`, not reentrant).
        fused_attention: the attention kernel keeps no scores and makes them again in its backward pass (Dao et al.
            2022, FlashAttention, arXiv 2205.14135): half of its forward.

    Raises:
        ValueError: as `training_flops`.
    """
    total = training_flops(parts, seq_len, palm=palm, documents=documents)
    trains_below = False
    for family, part in parts:
        stages = _staged(part, seq_len, documents)
        trains_below = trains_below or any(stage.trains for stage in stages)
        if not trains_below:
            continue
        if fused_attention:
            total += sum(stage.cost.attention_dense if palm else stage.cost.attention for stage in stages) / 2
        if checkpointing and family == "blocks":
            total += sum(stage.cost.palm if palm else stage.cost.exact for stage in _made_again(stages))
    return total


def _made_again(stages: list[Stage]) -> list[Stage]:
    """Those that a checkpointed block runs a second time: all, but for a last product that nothing follows."""
    return stages[:-1] if stages and stages[-1].cost.matmul else stages


def _staged(part: Component, seq_len: int, documents: Documents | None) -> list[Stage]:
    """Stages of a part, with the pairs within documents alone."""
    stages = part.stages(seq_len)
    if documents is None or not any(stage.cost.attention for stage in stages):
        return stages
    found = []
    by_length = [(number, part.stages(length)) for length, number in documents.items()]
    for i, stage in enumerate(stages):
        pairs = sum(number * each[i].cost.attention for number, each in by_length)
        found.append(stage._replace(cost=replace(stage.cost, attention=pairs)))  # type: ignore[arg-type]  # a mean
    return found


def _stages(parts: Parts, seq_len: int, documents: Documents | None) -> Iterator[tuple[Stage, bool]]:
    """Each stage, and whether anything below it trains."""
    trains_below = False
    for name, part in parts:
        for stage in _staged(part, seq_len, documents):
            if stage.chained and stage.trains and not trains_below:
                raise ValueError(
                    f"training begins inside a part of {name} ({type(part).__name__}) that is more than one product, "
                    "so its input gradients cannot be counted: state its `stages`, let something before it train, or "
                    "freeze all of it"
                )
            yield stage, trains_below
            trains_below = trains_below or stage.trains
