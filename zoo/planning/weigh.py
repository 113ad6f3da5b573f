"""Memory of one step of a recipe, from a step on fake tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.accounting.memory import PHASES, StepMemory, fake_tensors, step_memory
from zoo.optimizers.base import role_groups
from zoo.recipe.build import Built

GATHERED = "gathered weights"
_SHARDED = {"optimizer state": 1, "gradients": 2, "weights": 3}  # from which stage on


class UnweighableError(ValueError):
    """A step that does not run on tensors without values."""


def weigh(
    built: Built,
    vocab_size: int,
    *,
    sequences: int,
    accumulate: int,
    checkpointing: bool,
    cuda: bool,
    zero_stage: int = 0,
    num_devices: int = 1,
) -> StepMemory:
    """What one device holds during one optimizer step. Of several, each holds a part of what is sharded (ZeRO,
    Rajbhandari et al. 2020, arXiv 1910.02054): at stage 1 of the optimizer's state and its work, at 2 of gradients too,
    at 3 of weights too, of which the two largest blocks are gathered whole at a time.

    Args:
        built: the recipe.
        vocab_size: of its tokenizer.
        sequences: of one micro-batch on this device.
        accumulate: micro-batches of one step.
        checkpointing: whether blocks run again in the backward pass.
        cuda: count as on a CUDA device.
        zero_stage: 0 to 3.
        num_devices: that share what is sharded.

    Raises:
        UnweighableError: a part of the recipe looks at the values of its tensors, or fails without them.
    """
    shares = {category: num_devices for category, stage in _SHARDED.items() if zero_stage >= stage}
    try:
        memory, gathered = _weigh(built, vocab_size, sequences, accumulate, checkpointing, cuda, shares)
    except Exception as error:  # whatever a component of the user's does there
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UnweighableError(
            f"memory cannot be predicted: a step does not run on tensors without values ({reason}); a component may "
            "not look at them"
        ) from error
    if zero_stage >= 3 and num_devices > 1:
        memory.phases[PHASES[0]][GATHERED] = gathered
    return memory


def _weigh(
    built: Built,
    vocab_size: int,
    sequences: int,
    accumulate: int,
    checkpointing: bool,
    cuda: bool,
    shares: dict[str, int],
) -> tuple[StepMemory, int]:
    """The step's memory, and the bytes of the two largest blocks."""
    with fake_tensors():
        model = built.decoder(vocab_size)
        model.checkpointing = checkpointing
        ids_BT = torch.zeros(sequences, built.data.seq_len, dtype=torch.long)
        documents_BT = torch.zeros_like(ids_BT) if built.data.document_mask else None

        def loss() -> Tensor:
            with built.trainer.precision.autocast("cpu"):
                ctx = model.context(ids_BT, documents_BT=documents_BT)
                found = model.loss(ids_BT, ids_BT, ctx)
                return found.nats_sum + sum(found.extras.values()) + sum(ctx.losses.values()) * found.count

        memory = step_memory(
            model,
            loss=loss,
            batch=[ids_BT] if documents_BT is None else [ids_BT, documents_BT],
            optimizer=built.optimizer(role_groups(model)),
            owners={model: "blocks"} | {part: family for family, part in model.members()},
            accumulate=accumulate,
            gradient_clip=built.trainer.gradient_clip,
            cuda=cuda,
            shares=shares,
        )
        gathered = 2 * max(sum(p.nbytes for p in block.parameters()) for block in model.blocks)
    return memory, gathered
