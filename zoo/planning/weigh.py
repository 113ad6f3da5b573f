"""Memory of one step of a recipe, from a step on fake tensors, and what sharding leaves of it on each device."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor

from zoo.accounting.memory import PHASES, StepMemory, fake_tensors, step_memory
from zoo.decoder import Decoder
from zoo.optimizers.base import role_groups
from zoo.recipe.build import Built

GATHERED = "gathered weights"


def weigh(
    built: Built, vocab_size: int, *, sequences: int, accumulate: int, checkpointing: bool, cuda: bool
) -> StepMemory:
    """What one device holds during one optimizer step.

    Args:
        built: the recipe.
        vocab_size: of its tokenizer.
        sequences: of one micro-batch on this device.
        accumulate: micro-batches of one step.
        checkpointing: whether blocks run again in the backward pass.
        cuda: count as on a CUDA device.
    """
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

        return step_memory(
            model,
            loss=loss,
            batch=[ids_BT] if documents_BT is None else [ids_BT, documents_BT],
            optimizer=built.optimizer(role_groups(model)),
            owners={model: "blocks"} | {part: family for family, part in model.members()},
            accumulate=accumulate,
            gradient_clip=built.trainer.gradient_clip,
            cuda=cuda,
        )


def sharded(memory: StepMemory, model: Decoder, *, stage: int, num_devices: int) -> StepMemory:
    """What is left on each of several devices (ZeRO, Rajbhandari et al. 2020, arXiv 1910.02054): 1 shards the
    optimizer's state and its work, 2 gradients too, 3 weights too, of which two blocks at a time are gathered whole.

    Args:
        memory: of a device that holds everything.
        model: whose blocks are gathered.
        stage: 0 to 3.
        num_devices: that share.
    """
    shares = {"optimizer state": 1, "gradients": 2, "weights": 3}
    phases = {}
    for phase, categories in memory.phases.items():
        divided = Counter(categories)
        for category, from_stage in shares.items():
            if stage >= from_stage:
                divided[category] = -(-divided[category] // num_devices)
        if stage >= 1 and phase == PHASES[2]:
            divided["temporaries"] = -(-divided["temporaries"] // num_devices)
        if stage >= 3 and phase == PHASES[0]:
            largest = max(sum(p.nbytes for p in block.parameters()) for block in model.blocks)
            divided[GATHERED] = 2 * largest
        phases[phase] = {category: num_bytes for category, num_bytes in divided.items() if num_bytes}
    return StepMemory(phases, memory.saved)
