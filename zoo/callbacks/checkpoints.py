"""Checkpoints that a kill cannot spoil, written where a resumed run continues as if nothing had happened."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from zoo.module import LanguageModule

LAST, BEST = "last.ckpt", "best.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes under a temporary name and renames, so that a kill in the middle leaves the checkpoint before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        temporary = Path(f"{path}.tmp")
        super().save_checkpoint(checkpoint, temporary, storage_options)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)


class RunCheckpoints(Checkpoint):
    """Keeps `last.ckpt`, and as `best.ckpt` the one with the fewest bits per byte in validation.

    Args:
        folder: where they lie.
        every: optimizer steps between checkpoints; None: one with every validation.

    A checkpoint that falls on a validation step is written after the validation, so that a resumed run neither skips
    nor repeats one.
    """

    def __init__(self, folder: Path, *, every: int | None):
        self.folder, self.every = folder, every
        self.best: float | None = None
        self._last_step = 0
        self._saved_step: int | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "saved_step": self._saved_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self._saved_step = state_dict["best"], state_dict["saved_step"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self._last_step:
            return
        self._last_step = step
        assert isinstance(trainer.val_check_batch, int)
        validates = (batch_idx + 1) % trainer.val_check_batch == 0
        if self.every is not None and step % self.every == 0 and not validates:
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        assert isinstance(pl_module, LanguageModule)
        every = self.every is None or trainer.global_step % self.every == 0
        self.after_validation(trainer, float(pl_module.validation.compute()), keep=every)

    def after_validation(self, trainer: Trainer, bits_per_byte: float, *, keep: bool = True) -> None:
        """Keep this step as the best so far if it is, and as the last if it is or `keep` says so. A run that diverged
        keeps the checkpoint from before."""
        if not math.isfinite(bits_per_byte):
            return
        if self.best is None or bits_per_byte < self.best:
            self.best = bits_per_byte
            # The best first: were it the other way round, a kill in between would leave a `last` that knows of a best
            # which is not there.
            self._save(trainer, BEST)
            if trainer.is_global_zero:
                _link(self.folder / BEST, self.folder / LAST)
        elif keep:
            self._save(trainer)

    def finish(self, trainer: Trainer) -> None:
        """Keep the weights that the run ends with, where no checkpoint fell on its last step."""
        if self._saved_step != trainer.global_step:
            self._save(trainer)

    def _save(self, trainer: Trainer, name: str = LAST) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._saved_step = trainer.global_step
        trainer.save_checkpoint(self.folder / name)


def _link(source: Path, target: Path) -> None:
    """A second name for the same bytes; checkpoints are replaced by rename, so neither changes under the other."""
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, temporary)
    os.replace(temporary, target)
