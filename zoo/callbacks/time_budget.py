"""TimeBudget: stops a run after so many seconds of training, and tells the schedule how far it is."""

from __future__ import annotations

import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.module import LanguageModule

WARMUP_STEPS = 3  # allocation and compilation fall into the first steps of a process


class TimeBudget(Callback):
    """Counts the seconds of training steps, without validation and checkpoints; goes on counting on resume.

    The first steps of each process are not counted either. Until the first one is, the run counts as long, so that they
    fall into the very start of the schedule.
    """

    def __init__(self, seconds: float):
        self.seconds, self.elapsed = seconds, 0.0
        self._steps_here, self._last_step = 0, 0
        self._step_began: float | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"elapsed": self.elapsed}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.elapsed = state_dict["elapsed"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, LanguageModule)
        self._last_step = trainer.global_step
        pl_module.horizon.elapsed = self.elapsed
        if self.elapsed >= self.seconds:
            trainer.should_stop = True

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._step_began is None:
            self._step_began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, LanguageModule) and self._step_began is not None
        if trainer.global_step == self._last_step:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize(pl_module.device)  # a budget of seconds has to know when a step is over
        if self._steps_here >= WARMUP_STEPS:
            self.elapsed += time.perf_counter() - self._step_began
        self._last_step, self._step_began = trainer.global_step, None
        self._steps_here += 1
        pl_module.horizon.elapsed = self.elapsed
        if self.elapsed >= self.seconds:
            trainer.should_stop = True
