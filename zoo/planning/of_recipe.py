"""The plan of a recipe, whose every part is known."""

from __future__ import annotations

import torch
from torch import nn

from zoo.accounting.estimate import compute_optimal_tokens
from zoo.accounting.flops import hardware_flops
from zoo.accounting.memory import PHASES, StepMemory
from zoo.component import total_params
from zoo.decoder import Decoder
from zoo.planning.answer import Plan
from zoo.planning.duration import duration
from zoo.planning.families import forward_flops_by_family
from zoo.planning.fit import Layout, fit_of, with_remedies
from zoo.planning.question import Question
from zoo.planning.target import Target, target_of
from zoo.planning.weigh import sharded, weigh
from zoo.prepare import Prepared
from zoo.recipe import RecipeError

CONTEXTS = tuple(2**power for power in range(7, 18))  # tokens, of the picture


def plan_prepared(prepared: Prepared, question: Question) -> Plan:
    """What the run of a prepared recipe takes.

    Raises:
        RecipeError: the batch does not divide among the devices.
        ValueError: as `target_of`.
    """
    built, model, work = prepared.recipe.built, prepared.model, prepared.work
    precision, options = built.trainer.precision, built.trainer
    layout = _layout(prepared, question)
    target = target_of(question.device, precision.compute_dtype, matmul=precision.matmul)

    def memory_of(candidate: Layout) -> StepMemory:
        whole = weigh(
            built,
            prepared.store.vocab_size,
            sequences=candidate.sequences,
            accumulate=candidate.accumulate,
            checkpointing=candidate.checkpointing,
            cuda=target.cuda,
        )
        return sharded(whole, model, stage=candidate.zero_stage, num_devices=question.num_devices)

    memory = memory_of(layout)
    params, num_steps = total_params(model), prepared.num_steps
    if question.tokens is not None:
        num_steps = max(1, round(question.tokens / work.tokens))
    families = forward_flops_by_family(model, built.data.seq_len)
    standing = weigh_checkpoint(memory, question)
    flops = {
        "exact": work.training_flops / work.tokens,
        "palm": work.palm_training_flops / work.tokens,
        "hardware": work.hardware_flops / work.tokens,
        "optimizer": (work.optimizer_flops or 0) / work.tokens,
    }
    took = None
    if num_steps is not None:
        flops["total"] = float(num_steps * work.flops)
        took = duration(
            question,
            target,
            params=params,
            exact=num_steps * work.training_flops,
            palm=num_steps * work.palm_training_flops,
            intensity=_intensity(model, layout.sequences * built.data.seq_len, precision.compute_dtype),
        )
    return Plan(
        name=prepared.recipe.name,
        question=question,
        target=target,
        params={"total": params, "active": model.active_params(), "embedding": total_params(model.embedding)},
        tokens=None if num_steps is None else num_steps * work.tokens,
        num_steps=num_steps,
        flops=flops,
        shares={family: each / sum(families.values()) for family, each in families.items()},
        compute_optimal_tokens=compute_optimal_tokens(params),
        phases=memory.phases,
        saved=memory.saved,
        fit=with_remedies(
            fit_of(memory.peak_bytes, target),
            layout,
            memory_of,
            target,
            num_devices=question.num_devices,
            recomputed=_recomputed(model, built.data.seq_len),
        ),
        duration=took,
        checkpoint_bytes=standing,
        cache_bytes=sum(
            block.attention.cache_bytes(1, built.data.seq_len, precision.compute_dtype) for block in model.blocks
        ),
        by_context={length: _per_token(model, length) for length in CONTEXTS},
        notes=_notes(prepared, target, options.compile),
    )


def _layout(prepared: Prepared, question: Question) -> Layout:
    built = prepared.recipe.built
    batch_size, accumulate = built.data.batch_size, built.trainer.accumulate
    parts = accumulate * question.num_devices
    if batch_size % parts:
        each = "" if accumulate == 1 else f" of {accumulate} micro-batches each"
        raise RecipeError(
            [f"data.batch_size={batch_size} does not divide among {question.num_devices} devices{each}: set a multiple "
             f"of {parts}"]
        )  # fmt: skip
    return Layout(
        sequences=batch_size // parts,
        accumulate=accumulate,
        checkpointing=built.trainer.activation_checkpointing,
        zero_stage=question.zero_stage,
    )


def weigh_checkpoint(memory: StepMemory, question: Question) -> int:
    """Weights and the optimizer's state of all devices together."""
    standing = memory.phases[PHASES[1]]
    weights, state = standing.get("weights", 0), standing.get("optimizer state", 0)
    weights *= question.num_devices if question.zero_stage >= 3 else 1
    return weights + state * (question.num_devices if question.zero_stage >= 1 else 1)


def _intensity(model: Decoder, num_tokens: int, dtype: torch.dtype) -> float:
    """FLOPs per byte of the largest product of a forward pass: its operands and its result go through memory once."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        return float("inf")
    largest = max(layers, key=lambda layer: layer.weight.numel())
    k, n = largest.in_features, largest.out_features
    return 2 * num_tokens * k * n / (dtype.itemsize * (num_tokens * k + k * n + num_tokens * n))


def _recomputed(model: Decoder, seq_len: int) -> float:
    parts = model.parts()
    plain, again = (hardware_flops(parts, seq_len, checkpointing=checkpointing) for checkpointing in (False, True))
    return again / plain - 1


def _per_token(model: Decoder, seq_len: int) -> dict[str, float]:
    return {family: flops / seq_len for family, flops in forward_flops_by_family(model, seq_len).items()}


def _notes(prepared: Prepared, target: Target, compiled: bool) -> list[str]:
    notes = list(prepared.cost_notes)
    if compiled:
        notes.append("memory is that of the eager step: compiled kernels keep less")
    if target.cuda:
        notes.append("memory counts tensors as CUDA's kernels keep them: its context and workspaces are in the margin")
    else:
        notes.append("memory counts tensors: the interpreter and its libraries take some hundreds of MiB more")
    return notes
