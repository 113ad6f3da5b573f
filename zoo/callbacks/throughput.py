"""ThroughputMonitor: tokens per second, FLOPs per second, MFU of training itself, and where the rest of the time goes.

MFU: Chowdhery et al. 2022 (PaLM, appendix B, arXiv 2204.02311), FLOPs that the model needs over FLOPs that the device
could have done in the time of the steps. `mfu` takes the exact count of the model's FLOPs, `mfu_palm` PaLM's own, `hfu`
all that the hardware did, with what is computed twice (Korthikanti et al. 2022, arXiv 2205.05198).
"""

from __future__ import annotations

import math
import time
from array import array
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.accounting.devices import Peak
from zoo.accounting.gemm_peak import peak_memory_bytes
from zoo.callbacks._ideal_time import Flops, Peaks, check_amounts, ideal_seconds, peaks_of, stated, total_flops
from zoo.callbacks._step_time import Step, alloc_retries, compilations, median_and_spread, slowest_of_ranks
from zoo.callbacks._wall_time import BUCKETS, WallTime

MEMORY_SECONDS = 1.0  # between readings of peak memory for `latest`: on a CPU one takes as long as all else together
WARMUP_STEPS = 3  # allocation, compilation and choice of kernels fall into the first steps of a process


class ThroughputMonitor(Callback):
    """Times optimizer steps, and says what share of the wall time they were.

    A step is the sum of its micro-batches, and all steps count alike: a last one of fewer or smaller micro-batches
    counts as a whole one. Loading of batches, validation, checkpoints and what other callbacks do around it are
    outside. The first steps of a process, the first after a validation, those in which torch.compile
    compiled and those among which CUDA's allocator had to retry count in the totals and not in the rates; so a run that
    validates after every step has no rates.

    On CUDA the device's own events tell the time of steps, and are read once the device has passed them: `latest` waits
    for none, `summary()` and a checkpoint for the last. The shares are the host's seconds: where it waits for the
    device, the waiting is in the share of what it then does. With several devices the ranks exchange one number at log
    boundaries; a run on one device waits nowhere.

    FLOPs and tokens are of one optimizer step over all devices. FLOPs may be a mapping of torch.dtype to FLOPs, by what
    multiplies, `peak` then one of torch.dtype to `Peak`: MFU is ideal over measured seconds, the ideal a sum over
    dtypes of FLOPs / peak.

    Args:
        flops_per_step: training FLOPs, exact convention; None: the LightningModule's `step_flops()`, and if it has none
            and there is no peak, FLOPs are NaN.
        palm_flops_per_step: the same in PaLM's convention; None: the LightningModule's `palm_step_flops()`, and if it
            has none, `mfu_palm` is NaN.
        hardware_flops_per_step: the same with what is computed twice; None: the LightningModule's
            `hardware_step_flops()`, and if it has none, `hfu` is NaN.
        tokens_per_step: training targets; None: the LightningModule's `tokens_per_step()`.
        peak: of one device, what MFU is held against; "auto": `zoo.accounting.peak.peak_of` the device, in the dtype of
            the Trainer's precision or those of the FLOPs: a CPU, or a device in no table, is measured for some seconds
            when training starts, once per machine; None: MFU is NaN.
        log_every: optimizer steps between rows to the Trainer's loggers, by default as many as the Trainer itself has,
            and as many as the rates of `latest` are taken over.

    Attributes:
        latest: `tokens_per_second`, `flops_per_second`, `mfu`, `mfu_palm`, `hfu`, `step_seconds_median`,
            `step_seconds_iqr` (upper minus lower quartile) over the last measured steps (NaN before the first, the
            spread before the second); `tokens`, `flops`, `training_seconds` (of steps) and `wall_seconds` of the whole
            run since training began, going on across a resume; of its wall time `data_share` (waiting for the loader,
            bringing batches to the device), `step_share`, `validation_share`, `checkpoint_share`, `other_share` and
            `goodput` (MFU over all of it); `peak_memory_bytes` (CUDA: allocated by torch; CPU: resident, of this
            process; at most a second old). Where there are several ranks, `step_seconds_slowest`: the largest of their
            medians, at the last log boundary.
    """

    def __init__(
        self,
        *,
        flops_per_step: Flops | None = None,
        palm_flops_per_step: Flops | None = None,
        hardware_flops_per_step: Flops | None = None,
        tokens_per_step: float | None = None,
        peak: Peaks | Literal["auto"] | None = None,
        log_every: int = 50,
    ):
        if log_every < 1:
            raise ValueError(f"log_every={log_every} must be at least 1")
        if not (peak is None or peak == "auto" or isinstance(peak, Peak | Mapping)):
            raise ValueError(f'peak={peak!r}: expected a Peak, a mapping of torch.dtype to Peak, "auto" or None')
        check_amounts(
            flops_per_step=flops_per_step,
            palm_flops_per_step=palm_flops_per_step,
            hardware_flops_per_step=hardware_flops_per_step,
            tokens_per_step=tokens_per_step,
        )
        self.flops_per_step, self.palm_flops_per_step = flops_per_step, palm_flops_per_step
        self.hardware_flops_per_step, self.tokens_per_step = hardware_flops_per_step, tokens_per_step
        self.peak, self.log_every = peak, log_every
        self._wall = WallTime(self._host_now, self._at_step_edge)
        self._forget()
        self._tokens_now = self._flops_now = math.nan  # per step, known when training starts
        self._ideal_now = self._palm_now = self._hardware_now = math.nan  # seconds per step on all devices at peak
        self._device, self._world_size = torch.device("cpu"), 1
        self._memory, self._memory_at = 0, -math.inf  # bytes, and when they were read

    def _forget(self) -> None:
        """Totals of a run that has not begun."""
        self._tokens: float = 0
        self._flops: float = 0
        self._training_seconds = 0.0
        self._ideal_seconds = 0.0  # of the steps that are in the wall time
        self._wall.reset()
        self._step_seconds = array("d")  # of every measured step
        self._recent: deque[float] = deque(maxlen=self.log_every)
        self._pending: deque[Step] = deque()  # steps whose time the device has not told yet
        self._slowest = math.nan

    def state_dict(self) -> dict[str, Any]:
        self._harvest(wait=True)
        return {
            "tokens": self._tokens,
            "flops": self._flops,
            "training_seconds": self._training_seconds,
            "step_seconds": torch.tensor(self._step_seconds.tolist(), dtype=torch.float64),
            "ideal_seconds": self._ideal_seconds,
            "wall_seconds": self._wall.read(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._forget()
        self._tokens, self._flops = state_dict["tokens"], state_dict["flops"]
        self._training_seconds = state_dict["training_seconds"]
        self._step_seconds = array("d", state_dict["step_seconds"].tolist())
        if "wall_seconds" in state_dict:  # a checkpoint from before there were shares: they begin with this process
            self._ideal_seconds = state_dict["ideal_seconds"]
            self._wall.reset(state_dict["wall_seconds"])

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self._wall.watch(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Called also where a resumed run has no step left to make, and still has figures to give."""
        self._device, self._world_size = pl_module.device, trainer.world_size
        works: dict[str, Flops | None] = {
            "flops_per_step": stated(
                self.flops_per_step, pl_module, None if self.peak is None else "flops_per_step", "step_flops"
            ),
            "palm_flops_per_step": stated(self.palm_flops_per_step, pl_module, None, "palm_step_flops"),
            "hardware_flops_per_step": stated(self.hardware_flops_per_step, pl_module, None, "hardware_step_flops"),
        }
        self._tokens_now = stated(self.tokens_per_step, pl_module, "tokens_per_step", "tokens_per_step")
        self._flops_now = total_flops(works["flops_per_step"])
        peak = peaks_of(self._device, works.values(), trainer.precision_plugin) if self.peak == "auto" else self.peak
        self._ideal_now, self._palm_now, self._hardware_now = (
            ideal_seconds(work, peak, name) / self._world_size for name, work in works.items()
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.global_step == 0:
            self._forget()
        self._last_step, self._steps_here = trainer.global_step, 0
        self._after_validation = False
        self._step, self._compilations = Step(), compilations()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._retries, self._memory_at = alloc_retries(self._device), -math.inf
        self._wall.start()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        global_step = trainer.global_step
        if global_step == self._last_step:
            return  # a micro-batch in the middle of an optimizer step
        step, compiled = self._step, compilations()
        warm = self._steps_here >= WARMUP_STEPS and not self._after_validation
        step.measured = warm and compiled == self._compilations and bool(step.edges)
        self._pending.append(step)
        self._step, self._compilations = Step(), compiled
        self._tokens += self._tokens_now
        self._flops += self._flops_now
        self._ideal_seconds += self._ideal_now
        self._last_step, self._after_validation = global_step, False
        self._steps_here += 1
        if global_step % self.log_every == 0 or self._steps_here == 1 or global_step == trainer.max_steps:
            self._log(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._after_validation = True

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._finish(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self._finish(trainer)

    def _finish(self, trainer: Trainer) -> None:
        self._wall.stop()
        self._wall.release(trainer)

    @property
    def latest(self) -> dict[str, float]:
        """The figures as they stand, without waiting for the device."""
        self._harvest(wait=False)
        return self._figures(self._recent, fresh=False)

    @property
    def step_seconds(self) -> list[float]:
        """Of every measured step of the run, in order; waits for the device."""
        self._harvest(wait=True)
        return self._step_seconds.tolist()

    def summary(self) -> dict[str, float]:
        """The figures of `latest`, with rates from the median over all measured steps of the run."""
        self._harvest(wait=True)
        return self._figures(self._step_seconds, fresh=True)

    _host_now = staticmethod(time.perf_counter)

    def _at_step_edge(self, now: float) -> None:
        if self._device.type != "cuda":
            self._step.edges.append(now)
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        self._step.edges.append(event)

    def _harvest(self, *, wait: bool) -> None:
        """Read the times of the steps that the device has ended, or of all."""
        if not self._pending:
            return
        retries = alloc_retries(self._device)
        if retries != self._retries:
            self._retries = retries
            for step in self._pending:
                step.measured = False  # one of them stood still for it, and nobody knows which
        while self._pending and (wait or self._pending[0].ended()):
            step = self._pending.popleft()
            seconds = step.seconds()
            self._training_seconds += seconds
            if step.measured:
                self._step_seconds.append(seconds)
                self._recent.append(seconds)

    def _figures(self, step_seconds: array[float] | deque[float], *, fresh: bool) -> dict[str, float]:
        median, spread = median_and_spread(step_seconds)
        buckets = self._wall.read()
        wall = sum(buckets.values()) or math.nan
        now = self._host_now()
        if fresh or now - self._memory_at >= MEMORY_SECONDS:
            self._memory, self._memory_at = peak_memory_bytes(self._device), now
        figures = {
            "tokens_per_second": self._tokens_now / median,
            "flops_per_second": self._flops_now / median,
            "mfu": self._ideal_now / median,
            "mfu_palm": self._palm_now / median,
            "hfu": self._hardware_now / median,
            "step_seconds_median": median,
            "step_seconds_iqr": spread,
            "tokens": self._tokens,
            "flops": self._flops,
            "training_seconds": self._training_seconds,
            "wall_seconds": sum(buckets.values()),
            **{f"{name}_share": buckets[name] / wall for name in BUCKETS},
            "goodput": self._ideal_seconds / wall,
            "peak_memory_bytes": self._memory,
        }
        if self._world_size > 1:
            figures["step_seconds_slowest"] = self._slowest
        return figures

    def _log(self, trainer: Trainer) -> None:
        """Straight to the loggers: what goes through `log_dict` is dropped where the Trainer's own interval differs."""
        if self._world_size > 1:
            self._harvest(wait=False)
            self._slowest = slowest_of_ranks(median_and_spread(self._recent)[0], self._device)
        if trainer.loggers:
            known = {_logged_name(name): value for name, value in self.latest.items() if math.isfinite(value)}
            for logger in trainer.loggers:
                logger.log_metrics(known, trainer.global_step)
        else:
            self._harvest(wait=False)


@cache
def _logged_name(name: str) -> str:
    return f"throughput/{name}"
