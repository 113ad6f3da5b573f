"""Real Trainer runs on a clock that the run itself advances, so that every figure is exact: a micro-batch takes 1
second of it, loading one 10, a validation batch 1000."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from zoo.accounting.devices import Peak
from zoo.callbacks.throughput import ThroughputMonitor

PEAK = Peak(1000.0, "measured_gemm", torch.float32, "a device", 0.0)
QUIET = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
SILENT = {"accelerator": "cpu", "logger": False, "num_sanity_val_steps": 0, "limit_val_batches": 2}


class Clock:
    now = 0.0


class Monitor(ThroughputMonitor):
    """On the run's own clock."""

    def __init__(self, clock: Clock, **options: Any):
        flops = {"flops_per_step": 600.0, "palm_flops_per_step": 800.0, "hardware_flops_per_step": 900.0}
        super().__init__(**(flops | {"tokens_per_step": 30, "peak": PEAK} | options))
        self.clock = clock

    def _host_now(self) -> float:
        return self.clock.now


class Loader(IterableDataset):
    def __init__(self, clock: Clock, seconds: float):
        self.clock, self.seconds = clock, seconds

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            self.clock.now += self.seconds
            yield torch.ones(2)


class Timed(LightningModule):
    """`slow` gives seconds that some optimizer steps take on top, by their number from 0."""

    def __init__(self, clock: Clock, slow: dict[int, float] | None = None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))
        self.clock, self.slow = clock, slow or {}

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.clock.now += 1.0 + self.slow.get(self.global_step, 0.0)
        return (self.weight * batch).sum()

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        self.clock.now += 1000.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Memory(Logger):
    """A logger that keeps what it is given."""

    name, version = "memory", "0"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        self.rows.append((step, metrics))


def fit(monitor: ThroughputMonitor, module: Timed, num_steps: int, ckpt: Path | None = None, **options: Any) -> Trainer:
    """Options go to the Trainer; without `val_check_interval` there is no validation. `callbacks` follow the monitor
    unless it is among them."""
    validates = "val_check_interval" in options
    callbacks = options.pop("callbacks", [])
    trainer = Trainer(
        max_steps=num_steps,
        check_val_every_n_epoch=None if validates else 1,
        callbacks=callbacks if monitor in callbacks else [monitor, *callbacks],
        **(QUIET | SILENT | options),
    )
    loaders = [DataLoader(Loader(module.clock, s), batch_size=None) for s in (10.0, 0.0)]
    trainer.fit(module, loaders[0], loaders[1] if validates else None, ckpt_path=ckpt, weights_only=False)
    return trainer
