"""The plan of a size: a number of parameters, by rules of thumb, where there is no recipe yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from zoo.accounting.estimate import (
    ParameterBytes,
    compute_optimal_tokens,
    palm_flops_per_token,
    six_nd,
    usual_shape,
)
from zoo.planning.answer import Plan
from zoo.planning.duration import duration
from zoo.planning.fit import Remedy, fit_of
from zoo.planning.question import Question
from zoo.planning.target import Target, target_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp8": torch.float8_e4m3fn}
SEQ_LEN = 4096  # tokens, of the activations and the pairs that the plan tells of
HEAD_DIM = 128
ALONE, ONE_SEQUENCE, CHECKPOINTED = "states alone", "with one sequence", "checkpointed"
# Of each layer, token and channel, at 2 bytes a number (Korthikanti et al. 2022, arXiv 2205.05198, table 2): all but
# the scores of attention, which fused kernels do not keep; and a checkpointed layer's input alone.
ALL_ACTIVATIONS, LAYER_INPUTS = 34, 2


@dataclass(frozen=True, kw_only=True)
class SizeQuestion(Question):
    """A question about a size; without `tokens` Chinchilla's rule gives them.

    Attributes:
        params: of the model.
        weights: dtype, of `DTYPES`, that they are kept and multiplied in.
        gradients: dtype; None: that of the weights.
        states: dtype of what the optimizer keeps.
        num_states: numbers that the optimizer keeps of each parameter; AdamW 2.
        master: dtype of the copy of the weights that the optimizer updates; "none": it updates the weights themselves;
            None: a copy in fp32, where the weights are not.
    """

    params: float = 0.0
    weights: str = "bf16"
    gradients: str | None = None
    states: str = "fp32"
    num_states: int = 2
    master: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.params >= 1:
            raise ValueError(f"--params {self.params:g}: expected a number of parameters, such as 7e9")
        if self.num_states < 0:
            raise ValueError(f"--num-states {self.num_states}: expected 0 or more")
        for name in ("weights", "gradients", "states", "master"):
            dtype = getattr(self, name)
            if dtype is not None and dtype not in DTYPES and not (name == "master" and dtype == "none"):
                raise ValueError(f"--{name} {dtype}: expected one of {', '.join(DTYPES)}")

    @property
    def bytes_per_param(self) -> ParameterBytes:
        master = self.master or ("none" if self.weights == "fp32" else "fp32")
        return ParameterBytes(
            weights=DTYPES[self.weights].itemsize,
            gradients=DTYPES[self.gradients or self.weights].itemsize,
            master=0 if master == "none" else DTYPES[master].itemsize,
            state=self.num_states * DTYPES[self.states].itemsize,
        )


def plan_size(question: SizeQuestion) -> Plan:
    """What training a dense model of a size takes.

    Raises:
        ValueError: as `target_of`.
    """
    params, whole = question.params, question.bytes_per_param
    target = target_of(question.device, DTYPES[question.weights])
    tokens = question.tokens or compute_optimal_tokens(params)
    phases = _phases(question, question.zero_stage, question.num_devices)
    num_layers, d_model = usual_shape(params)
    pairs = {"num_layers": num_layers, "num_heads": d_model // HEAD_DIM, "head_dim": HEAD_DIM, "seq_len": SEQ_LEN}
    flops = six_nd(params, tokens)
    palm = tokens * palm_flops_per_token(params, **pairs)
    fit = fit_of(sum(phases[ONE_SEQUENCE].values()), target)
    return Plan(
        name=f"{params:g} parameters",
        question=question,
        target=target,
        params={"total": params},
        tokens=tokens,
        num_steps=None,
        flops={"total": flops, "exact": flops / tokens, "palm": palm / tokens},
        shares={},
        compute_optimal_tokens=compute_optimal_tokens(params),
        phases={ALONE: phases[ALONE], ONE_SEQUENCE: phases[ONE_SEQUENCE]},
        saved={},
        fit=replace(fit, remedies=tuple(_remedies(question, target)) if fit.missing_bytes else ()),
        duration=duration(question, target, params=params, dtype=DTYPES[question.weights], exact=flops, palm=palm),
        checkpoint_bytes=((whole.master or whole.weights) + whole.state) * params,
        cache_bytes=None,
        by_context={},
        notes=_notes(question),
    )


def _phases(question: SizeQuestion, zero_stage: int, num_devices: int) -> dict[str, dict[str, int]]:
    """Bytes of one device: the states, and these with the activations of a sequence, all or checkpointed."""
    each = question.bytes_per_param.sharded(zero_stage, num_devices)
    states = {
        "weights": each.weights,
        "master copy": each.master,
        "gradients": each.gradients,
        "optimizer state": each.state,
    }
    alone = {category: round(each * question.params) for category, each in states.items() if each}
    num_layers, d_model = usual_shape(question.params)
    more = {}
    if zero_stage >= 3:
        more["gathered weights"] = round(2 * 12 * d_model**2 * question.bytes_per_param.weights)
    wide = DTYPES[question.weights].itemsize / 2  # fp32 keeps twice as much; scores of fp8 are not known
    per_layer = [max(1.0, wide) * each * d_model * SEQ_LEN for each in (ALL_ACTIVATIONS, LAYER_INPUTS)]
    activations = [round(num_layers * each) for each in per_layer]
    return {
        ALONE: alone,
        ONE_SEQUENCE: alone | {"activations": activations[0]} | more,
        CHECKPOINTED: alone | {"activations": activations[1] + round(per_layer[0])} | more,
    }


def _remedies(question: SizeQuestion, target: Target) -> list[Remedy]:
    """Checkpointed layers; the fewest devices that share everything; both."""
    found = []
    sparing = sum(_phases(question, question.zero_stage, question.num_devices)[CHECKPOINTED].values())
    sparing_fits = fit_of(sparing, target).verdict == "fits"
    if sparing_fits:
        found.append(Remedy("activation checkpointing", sparing, "about a third more FLOPs"))
    wholly = _fewest_devices(question, target, ONE_SEQUENCE)
    if wholly is not None:
        found.append(Remedy(f"--num-devices {wholly[0]} --zero-stage 3", wholly[1], "communication"))
    sparingly = None if sparing_fits else _fewest_devices(question, target, CHECKPOINTED)
    if sparingly is not None and (wholly is None or sparingly[0] < wholly[0]):
        change = f"--num-devices {sparingly[0]} --zero-stage 3 and activation checkpointing"
        found.append(Remedy(change, sparingly[1], "communication, about a third more FLOPs"))
    return found


def _fewest_devices(question: SizeQuestion, target: Target, phase: str) -> tuple[int, int] | None:
    """(Devices, a power of two, that hold everything between them; bytes on each), no fewer than are asked about."""
    for num_devices in (2**power for power in range(1, 21)):
        if num_devices >= question.num_devices:
            peak = sum(_phases(question, 3, num_devices)[phase].values())
            if fit_of(peak, target).verdict == "fits":
                return num_devices, peak
    return None


def _notes(question: SizeQuestion) -> list[str]:
    num_layers, d_model = usual_shape(question.params)
    sparing = _phases(question, 0, 1)[CHECKPOINTED]["activations"] / 1e9
    return [
        f"activations are those of the usual shape ({num_layers} layers of {d_model:,}) for a sequence of {SEQ_LEN:,} "
        "tokens on each device, without the scores of attention (Korthikanti et al. 2022, arXiv 2205.05198) and the "
        f"logits, which a vocabulary decides; with checkpointed layers they are {sparing:.1f} GB",
        f"FLOPs are 6 per parameter and token; PaLM's count adds the pairs of that shape at {SEQ_LEN:,} tokens",
    ] + (["tokens: 20 per parameter, as none were asked for"] if question.tokens is None else [])
