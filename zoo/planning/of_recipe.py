"""The plan of a recipe, whose every part is known."""

from __future__ import annotations

from collections.abc import Callable

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
from zoo.planning.weigh import weigh
from zoo.prepare import Prepared
from zoo.recipe import RecipeError

CONTEXTS = tuple(2**power for power in range(7, 18))  # tokens, of the picture


def plan_prepared(prepared: Prepared, question: Question, *, say: Callable[[str], object] | None = None) -> Plan:
    """What the run of a prepared recipe takes.

    Args:
        prepared: the run; its length is that of its own budget (see `with_tokens`).
        question: what is asked.
        say: told what takes a while.

    Raises:
        RecipeError: the batch does not divide among the devices.
        ValueError: as `target_of`.
    """
    built, model, work = prepared.recipe.built, prepared.model, prepared.work
    precision, options = built.trainer.precision, built.trainer
    layout, own = _layout(prepared, question), None if options.device == "auto" else options.device
    target = target_of(question.device or own, precision.compute_dtype, matmul=precision.matmul)

    def memory_of(candidate: Layout) -> StepMemory:
        return weigh(
            built,
            prepared.store.vocab_size,
            sequences=candidate.sequences,
            accumulate=candidate.accumulate,
            checkpointing=candidate.checkpointing,
            cuda=target.cuda,
            zero_stage=candidate.zero_stage,
            num_devices=question.num_devices,
        )

    memory = memory_of(layout)
    fit = fit_of(memory.peak_bytes, target)
    if fit.missing_bytes and say is not None:
        say("it does not fit: looking for changes with which it would")
    params, num_steps = total_params(model), prepared.num_steps
    families = forward_flops_by_family(model, built.data.seq_len, prepared.documents)
    recomputed = _recomputed(prepared)
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
            dtype=precision.compute_dtype,
            exact=num_steps * work.training_flops,
            palm=num_steps * work.palm_training_flops,
            intensity=_intensity(model, layout.sequences * built.data.seq_len, precision.compute_dtype),
            recomputed=recomputed if layout.checkpointing else 0.0,
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
            fit,
            layout,
            memory_of,
            target,
            num_devices=question.num_devices,
            recomputed=recomputed,
        ),
        duration=took,
        checkpoint_bytes=standing,
        cache_bytes=sum(
            block.attention.cache_bytes(1, built.data.seq_len, precision.compute_dtype) for block in model.blocks
        ),
        by_context={length: _per_token(model, length) for length in CONTEXTS},
        notes=_notes(prepared, target, question),
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


def _recomputed(prepared: Prepared) -> float:
    """Share of training FLOPs that checkpointing adds."""
    parts, seq_len, documents = prepared.model.parts(), prepared.recipe.built.data.seq_len, prepared.documents
    plain, again = (
        hardware_flops(parts, seq_len, documents=documents, checkpointing=checkpointing)
        for checkpointing in (False, True)
    )
    return again / plain - 1


def _per_token(model: Decoder, seq_len: int) -> dict[str, float]:
    return {family: flops / seq_len for family, flops in forward_flops_by_family(model, seq_len).items()}


def _notes(prepared: Prepared, target: Target, question: Question) -> list[str]:
    options, notes = prepared.recipe.built.trainer, list(prepared.cost_notes)
    if options.compile:
        notes.append("memory is that of the eager step: compiled kernels keep less")
    if options.activation_checkpointing:
        notes.append("what a checkpointed block computes again counts as temporaries")
    if question.num_devices > 1:
        notes.append(
            "on several devices: buffers of communication are not counted, among them the second copy of the gradients "
            "that torch's DDP keeps unless gradient_as_bucket_view is set; `zoo fit` itself trains on one device"
        )
    if target.cuda:
        notes.append(
            "memory counts tensors as CUDA's kernels keep them: its context and the workspaces of libraries, some "
            "hundreds of MB, are in the margin or beyond it"
        )
    else:
        notes.append("memory counts tensors: the interpreter and its libraries take some hundreds of MiB more")
    return notes
