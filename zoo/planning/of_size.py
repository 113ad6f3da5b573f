"""The plan of a size: a number of parameters, by rules of thumb, where there is no recipe yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from zoo.accounting.estimate import ParameterBytes, compute_optimal_tokens, six_nd, usual_shape
from zoo.planning.answer import Plan
from zoo.planning.duration import duration
from zoo.planning.fit import fit_of
from zoo.planning.question import Question
from zoo.planning.target import target_of

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "fp8": torch.float8_e4m3fn}
SEQ_LEN = 4096  # of the activations that the plan tells of
# Of each layer, token and channel, at 2 bytes a number (Korthikanti et al. 2022, arXiv 2205.05198, table 2): all but
# the scores of attention, which fused kernels do not keep; and a checkpointed layer's input alone.
ALL_ACTIVATIONS, LAYER_INPUTS = 34, 2


@dataclass(frozen=True, kw_only=True)
class SizeQuestion(Question):
    """A question about a size.

    Attributes:
        params: of the model.
        weights, gradients, states: dtypes that these are kept in, of `DTYPES`.
        num_states: numbers that the optimizer keeps of each parameter; AdamW 2.
        master: dtype of the copy of the weights that the optimizer updates; None: it updates the weights themselves.
        num_tokens, as `tokens`: None gives Chinchilla's rule.
    """

    params: float = 0.0
    weights: str = "bf16"
    gradients: str = "bf16"
    states: str = "fp32"
    num_states: int = 2
    master: str | None = "fp32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.params >= 1:
            raise ValueError(f"--params {self.params:g}: expected a number of parameters, such as 7e9")
        if self.num_states < 0:
            raise ValueError(f"--num-states {self.num_states}: expected 0 or more")
        for name in ("weights", "gradients", "states", "master"):
            dtype = getattr(self, name)
            if dtype not in DTYPES and not (name == "master" and dtype is None):
                raise ValueError(f"--{name} {dtype}: expected one of {', '.join(DTYPES)}")

    @property
    def bytes_per_param(self) -> ParameterBytes:
        return ParameterBytes(
            weights=DTYPES[self.weights].itemsize,
            gradients=DTYPES[self.gradients].itemsize,
            master=0 if self.master is None else DTYPES[self.master].itemsize,
            state=self.num_states * DTYPES[self.states].itemsize,
        )


def plan_size(question: SizeQuestion) -> Plan:
    """What training a dense model of a size takes.

    Raises:
        ValueError: as `target_of`.
    """
    params = question.params
    target = target_of(question.device, DTYPES[question.weights])
    tokens = question.tokens or compute_optimal_tokens(params)
    each = question.bytes_per_param.sharded(question.zero_stage, question.num_devices)
    standing = {
        "weights": round(each.weights * params),
        "master copy": round(each.master * params),
        "gradients": round(each.gradients * params),
        "optimizer state": round(each.state * params),
    }
    standing = {category: num_bytes for category, num_bytes in standing.items() if num_bytes}
    phases = {"states alone": standing, "with one sequence": standing | {"activations": round(_activations(params))}}
    flops = six_nd(params, tokens)
    whole = question.bytes_per_param
    return Plan(
        name=f"{params:g} parameters",
        question=question,
        target=target,
        params={"total": params},
        tokens=tokens,
        num_steps=None,
        flops={"total": flops, "exact": flops / tokens},
        shares={},
        compute_optimal_tokens=compute_optimal_tokens(params),
        phases=phases,
        saved={},
        fit=fit_of(sum(phases["with one sequence"].values()), target),
        duration=duration(question, target, params=params, exact=flops, palm=flops),
        checkpoint_bytes=((whole.master or whole.weights) + whole.state) * params,
        cache_bytes=None,
        by_context={},
        notes=_notes(question),
    )


def _activations(params: float, each: int = ALL_ACTIVATIONS) -> float:
    num_layers, d_model = usual_shape(params)
    return each * num_layers * d_model * SEQ_LEN


def _notes(question: SizeQuestion) -> list[str]:
    num_layers, d_model = usual_shape(question.params)
    sparing = _activations(question.params, LAYER_INPUTS) / 1e9
    return [
        f"activations are those of the usual shape ({num_layers} layers of {d_model:,}) for a sequence of {SEQ_LEN:,} "
        "tokens on each device, without the scores of attention (Korthikanti et al. 2022, arXiv 2205.05198); with "
        f"checkpointed layers they are {sparing:.1f} GB",
        "FLOPs are 6 per parameter and token: attention's pairs, which depend on the context, are left out",
    ] + (["tokens: 20 per parameter, as none were asked for"] if question.tokens is None else [])
