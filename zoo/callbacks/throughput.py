"""ThroughputMonitor: tokens per second, FLOPs per second and MFU of training itself.

MFU: Chowdhery et al. 2022 (PaLM, appendix B, arXiv 2204.02311), FLOPs that the model needs over FLOPs that the device
could have done in the time of the steps. `mfu` takes the exact count of the model's FLOPs, `mfu_palm` PaLM's own.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from array import array
from collections import deque
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.accounting.devices import Peak
from zoo.accounting.gemm_peak import peak_memory_bytes

WARMUP_STEPS = 3  # allocation, compilation and choice of kernels fall into the first steps of a process

Clock = float | torch.cuda.Event  # a moment: of the host, or on the device's stream


class ThroughputMonitor(Callback):
    """Times optimizer steps, and nothing else: loading of batches, validation and checkpoints are outside.

    A step is the sum of its micro-batches. The first steps of a process, the first after a validation and those in
    which torch.compile compiled count in the totals and not in the rates; so a run that validates after every step has
    no rates. On CUDA the device's own events tell the time; the host waits for them at log boundaries only.

    Args:
        flops_per_step: training FLOPs of one optimizer step over all devices, exact convention; None: the
            LightningModule's `step_flops()`.
        palm_flops_per_step: the same in PaLM's convention; None: the LightningModule's `palm_step_flops()`, and if it
            has none, `mfu_palm` is NaN.
        tokens_per_step: training targets of one optimizer step over all devices; None: the LightningModule's
            `tokens_per_step()`.
        peak: of one device, what MFU is held against; None: MFU is NaN.
        log_every: optimizer steps between updates of `latest`, and as many as its rates are taken over.

    Attributes:
        latest: `tokens_per_second`, `flops_per_second`, `mfu`, `mfu_palm`, `step_seconds_median` over the last
            measured steps (NaN before the first); `tokens`, `flops`, `training_seconds` of the whole run, going on
            across a resume; `peak_memory_bytes` (CUDA: allocated by torch; CPU: resident, of this process).
    """

    def __init__(
        self,
        *,
        flops_per_step: float | None = None,
        palm_flops_per_step: float | None = None,
        tokens_per_step: float | None = None,
        peak: Peak | None = None,
        log_every: int = 10,
    ):
        if log_every < 1:
            raise ValueError(f"log_every={log_every} must be at least 1")
        self.flops_per_step, self.palm_flops_per_step = flops_per_step, palm_flops_per_step
        self.tokens_per_step, self.peak, self.log_every = tokens_per_step, peak, log_every
        self.latest: dict[str, float] = {}
        self._forget()
        self._tokens_now = self._flops_now = self._palm_now = math.nan  # per step, known when training starts
        self._device, self._world_size = torch.device("cpu"), 1

    def _forget(self) -> None:
        """Totals of a run that has not begun."""
        self._tokens: float = 0
        self._flops: float = 0
        self._training_seconds = 0.0
        self._step_seconds = array("d")  # of every measured step
        self._recent: deque[float] = deque(maxlen=self.log_every)
        self._pending: list[_Step] = []  # steps whose time the device has not told yet

    def state_dict(self) -> dict[str, Any]:
        self._harvest()
        return {
            "tokens": self._tokens,
            "flops": self._flops,
            "training_seconds": self._training_seconds,
            "step_seconds": torch.tensor(self._step_seconds.tolist(), dtype=torch.float64),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._forget()
        self._tokens, self._flops = state_dict["tokens"], state_dict["flops"]
        self._training_seconds = state_dict["training_seconds"]
        self._step_seconds = array("d", state_dict["step_seconds"].tolist())

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called also where a resumed run has no step left to make, and still has figures to give."""
        self._flops_now = _value(self.flops_per_step, pl_module, "flops_per_step", "step_flops")
        self._palm_now = _value(
            self.palm_flops_per_step, pl_module, "palm_flops_per_step", "palm_step_flops", default=math.nan
        )
        self._tokens_now = _value(self.tokens_per_step, pl_module, "tokens_per_step", "tokens_per_step")
        self._device, self._world_size = pl_module.device, trainer.world_size

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == 0:
            self._forget()
        self._last_step, self._steps_here = trainer.global_step, 0
        self._after_validation = False
        self._step = _Step(compilations=_compilations())
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._refresh()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._began = self._now()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._step.parts.append((self._began, self._now()))
        global_step = trainer.global_step
        if global_step == self._last_step:
            return  # a micro-batch in the middle of an optimizer step
        compilations = _compilations()
        compiled = compilations != self._step.compilations
        self._step.measured = self._steps_here >= WARMUP_STEPS and not self._after_validation and not compiled
        self._pending.append(self._step)
        self._step = _Step(compilations=compilations)
        self._tokens += self._tokens_now
        self._flops += self._flops_now
        self._last_step, self._after_validation = global_step, False
        self._steps_here += 1
        if global_step % self.log_every == 0 or self._steps_here == 1 or global_step == trainer.max_steps:
            self._refresh()
            self._log(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._after_validation = True
            self._refresh()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._refresh()

    def summary(self) -> dict[str, float]:
        """The figures of `latest`, with rates from the median over all measured steps of the run."""
        self._harvest()
        return self._figures(self._step_seconds)

    def _now(self) -> Clock:
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event

    def _harvest(self) -> None:
        """Read the times of steps that ended; waits for the last one where the device runs behind the host."""
        for step in self._pending:
            seconds = step.seconds()
            self._training_seconds += seconds
            if step.measured:
                self._step_seconds.append(seconds)
                self._recent.append(seconds)
        self._pending.clear()

    def _refresh(self) -> None:
        self._harvest()
        self.latest = self._figures(self._recent)

    def _figures(self, step_seconds: array[float] | deque[float]) -> dict[str, float]:
        median = statistics.median(step_seconds) if step_seconds else math.nan
        peak = self.peak.flops_per_second * self._world_size if self.peak else math.nan
        return {
            "tokens_per_second": self._tokens_now / median,
            "flops_per_second": self._flops_now / median,
            "mfu": self._flops_now / median / peak,
            "mfu_palm": self._palm_now / median / peak,
            "step_seconds_median": median,
            "tokens": self._tokens,
            "flops": self._flops,
            "training_seconds": self._training_seconds,
            "peak_memory_bytes": peak_memory_bytes(self._device),
        }

    def _log(self, trainer: Trainer) -> None:
        """Straight to the loggers: what goes through `log_dict` is dropped where the Trainer's own interval differs."""
        known = {f"throughput/{name}": value for name, value in self.latest.items() if math.isfinite(value)}
        for logger in trainer.loggers:
            logger.log_metrics(known, trainer.global_step)


class _Step:
    """One optimizer step: the moments at which its micro-batches began and ended."""

    def __init__(self, compilations: int):
        self.parts: list[tuple[Clock, Clock]] = []
        self.compilations = compilations  # of torch.compile in this process, before the step
        self.measured = False

    def seconds(self) -> float:
        return sum(_seconds_between(began, ended) for began, ended in self.parts)


def _seconds_between(began: Clock, ended: Clock) -> float:
    if isinstance(began, float):
        assert isinstance(ended, float)
        return ended - began
    assert not isinstance(ended, float)
    ended.synchronize()
    return began.elapsed_time(ended) / 1e3


def _value(
    given: float | None, module: LightningModule, argument: str, method: str, default: float | None = None
) -> float:
    """What the user gave, or what the module says of itself.

    Raises:
        ValueError: neither is there, and no default.
    """
    if given is not None:
        return given
    says = getattr(module, method, None)
    if says is not None:
        return says()
    if default is None:
        raise ValueError(
            f"ThroughputMonitor has no {argument}: give it, or write a method {method}() in {type(module).__name__}"
        )
    return default


def _compilations() -> int:
    """Graphs that torch.compile has made in this process so far."""
    dynamo = sys.modules.get("torch._dynamo.utils")  # not imported for this: that costs a second
    return dynamo.counters["stats"]["unique_graphs"] if dynamo else 0
