"""Bytes of a training step by category and by phase, before any machine has room for it: one step runs on fake tensors,
which have shapes and no memory, through the very operations of a real one.

So nothing is assumed about a component or an optimizer; what is not of the step (the interpreter, CUDA's context, the
workspaces of libraries, fragmentation) is not in the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from zoo.accounting.cuda_kernels import CudaKernels
from zoo.accounting.live import LiveStorages

PHASES = ("forward and backward", "end of backward", "optimizer step")
_CUDA_GRANULARITY = 512  # bytes, of torch's CUDA allocator


@dataclass(frozen=True)
class StepMemory:
    """What one device holds.

    Attributes:
        phases: phase -> category -> bytes: at the highest moment of forward and backward, when the backward pass has
            ended, and at the highest moment of the optimizer's step.
        saved: owner -> bytes saved for the backward pass when it begins, weights and their copies apart.
    """

    phases: dict[str, dict[str, int]]
    saved: dict[str, int]

    @property
    def peak_phase(self) -> str:
        return max(self.phases, key=lambda phase: sum(self.phases[phase].values()))

    @property
    def peak_bytes(self) -> int:
        return sum(self.phases[self.peak_phase].values())


@contextmanager
def fake_tensors() -> Iterator[None]:
    """Within, tensors are made without memory: build the model and its batch here, and call `step_memory`."""
    from torch._subclasses.fake_tensor import FakeTensorMode  # here: its import takes a while

    with FakeTensorMode():
        yield


def step_memory(
    model: nn.Module,
    *,
    loss: Callable[[], Tensor],
    batch: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    owners: Mapping[nn.Module, str] = MappingProxyType({}),
    accumulate: int = 1,
    gradient_clip: float | None = None,
    cuda: bool = False,
    shares: Mapping[str, int] = MappingProxyType({}),
) -> StepMemory:
    """Weighs one optimizer step of a model on fake tensors (or on real ones, which then train).

    Args:
        model: all its parameters and buffers are there for the whole step.
        loss: forward pass of one micro-batch, to a scalar.
        batch: what it reads.
        optimizer: over the model's parameters; its state is made before the step that counts.
        owners: modules of the model and the names under which `saved` puts down what they save, the innermost where
            they are nested; all else is of the loss.
        accumulate: micro-batches of one optimizer step.
        gradient_clip: largest norm of the gradient; None: not clipped.
        cuda: count as on a CUDA device: its fused kernels, what they save, and its allocator's multiples of 512 bytes.
            On fake tensors alone: the kernels have shapes and no values.
        shares: category -> among how many devices it is divided; the optimizer's temporaries go with its state.

    Raises:
        ValueError: `cuda` for a model that has values.
    """
    from torch._subclasses.fake_tensor import FakeTensor  # here: its import takes a while

    if cuda and not all(isinstance(p, FakeTensor) for p in model.parameters()):
        raise ValueError("a model with values cannot be weighed as on CUDA: make it and its batch in fake_tensors()")
    live = LiveStorages(granularity=_CUDA_GRANULARITY if cuda else 1, shares=shares)
    trained = [p for p in model.parameters() if p.requires_grad]
    if cuda:
        _multi_tensor(optimizer)
    with live, live.owned(owners), _noting_gradients(live, trained), CudaKernels() if cuda else nullcontext():
        live.hold([*model.parameters(), *model.buffers()], "weights")
        live.hold(batch, "batch")
        for p in trained:
            p.grad = torch.zeros_like(p)
        optimizer.step()
        live.hold(_state(optimizer), "optimizer state")
        optimizer.zero_grad(set_to_none=True)
        for _ in range(min(accumulate, 2)):  # the second finds gradients there, as does any after it
            live.start_phase()
            with live.noting_saved():
                value = loss()
            saved = live.saved_by()
            value.backward()
            del value
        phases = {PHASES[0]: live.of_one_device(live.peak), PHASES[1]: live.of_one_device(live.now)}
        live.divide("temporaries", shares.get("optimizer state", 1))  # a device updates what it has
        live.start_phase()
        if gradient_clip is not None:
            nn.utils.clip_grad_norm_(trained, gradient_clip)
        optimizer.step()
        phases[PHASES[2]] = live.of_one_device(live.peak)
        optimizer.zero_grad(set_to_none=True)
    return StepMemory(phases, saved)


@contextmanager
def _noting_gradients(live: LiveStorages, trained: list[nn.Parameter]) -> Iterator[None]:
    def note(p: Tensor) -> None:
        assert p.grad is not None
        live.hold([p.grad], "gradients")

    hooks = [p.register_post_accumulate_grad_hook(note) for p in trained]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _state(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]


def _multi_tensor(optimizer: torch.optim.Optimizer) -> None:
    """torch's optimizers work on many tensors at a time on CUDA, unless they are told how."""
    for group in optimizer.param_groups:
        if "foreach" in group and group["foreach"] is None and not group.get("fused"):
            group["foreach"] = True
