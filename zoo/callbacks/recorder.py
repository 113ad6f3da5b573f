"""RunRecorder: metrics.csv and progress.json of a run folder, always, whatever loggers there are."""

from __future__ import annotations

import csv
import json
import math
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from zoo.callbacks.throughput import ThroughputMonitor
from zoo.files import write_atomically
from zoo.module import LanguageModule

COLUMNS = (
    "step",
    "tokens",
    "flops",
    "seconds",
    "loss",
    "lr",
    "validation_bits_per_byte",
    "tokens_per_second",
    "mfu",
)


class RunRecorder(Callback):
    """Writes a row every `log_every` optimizer steps and one per validation, and says how far the run is.

    On resume the file is cut to the checkpoint's step and appended to. A loss that is not finite stops the run:
    `diverged` holds the step at which it was seen.

    Args:
        folder: of the run.
        monitor: where rates and totals come from.
        log_every: optimizer steps between rows; the loss is fetched from the device only then.
    """

    def __init__(self, folder: Path, monitor: ThroughputMonitor, *, log_every: int):
        self.path, self.progress_path = folder / "metrics.csv", folder / "progress.json"
        self.monitor, self.log_every = monitor, log_every
        self.diverged: int | None = None
        self.last_loss: float | None = None
        self._last_step = 0
        self._progress_at = 0.0
        self._started_at, self._start_step = time.monotonic(), 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.ckpt_path:
            _write_rows(self.path, [])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        step = trainer.global_step
        if trainer.ckpt_path:
            _write_rows(self.path, [row for row in read_metrics(self.path) if int(row["step"]) <= step])
        self._last_step = self._start_step = step
        self._started_at = time.monotonic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._rate = float(trainer.optimizers[0].param_groups[0]["lr"])  # the scheduler moves on before the step's end

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, LanguageModule)
        step = trainer.global_step
        if step == self._last_step:
            return  # a micro-batch in the middle of an optimizer step
        self._last_step = step
        loss = pl_module.take_step_loss()
        final = step == pl_module.horizon.num_steps
        if step % self.log_every == 0 or step == 1 or final:
            value = float(loss)
            self.last_loss = value
            self._add(trainer, pl_module, loss=value, lr=self._rate)
            if not math.isfinite(value):
                self._diverge(trainer, step)
            for logger in trainer.loggers:
                logger.log_metrics({"train/loss": value, "train/lr": self._rate}, step)
        self._progress(trainer, pl_module, "train")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._progress(trainer, pl_module, "validate", force=True)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit":
            return  # the final scoring of the whole split is the result's, not the curve's
        assert isinstance(pl_module, LanguageModule)
        self.add_validation(trainer, pl_module)

    @property
    def validated_step(self) -> int | None:
        """Step of the last validation on record; a resumed run has those of its checkpoint too."""
        steps = [int(row["step"]) for row in read_metrics(self.path) if row["validation_bits_per_byte"]]
        return steps[-1] if steps else None

    def add_validation(self, trainer: Trainer, pl_module: LanguageModule) -> None:
        """Write the row of the validation that just ended."""
        bits_per_byte = float(pl_module.validation.compute())
        self._add(trainer, pl_module, validation_bits_per_byte=bits_per_byte)
        for logger in trainer.loggers:
            logger.log_metrics({"validation/bits_per_byte": bits_per_byte}, trainer.global_step)
        if not math.isfinite(bits_per_byte):
            self._diverge(trainer, trainer.global_step)

    def _diverge(self, trainer: Trainer, step: int) -> None:
        self.diverged = step
        trainer.should_stop = True

    def _add(self, trainer: Trainer, pl_module: LanguageModule, **values: float) -> None:
        step, latest = trainer.global_step, self.monitor.latest
        spent = {"tokens": step * pl_module.work.tokens, "flops": step * pl_module.work.flops}
        row: dict[str, float | str] = {"step": step, **spent, **values}
        for column, name in (("seconds", "training_seconds"), ("tokens_per_second",) * 2, ("mfu",) * 2):
            value = latest.get(name)
            row[column] = value if value is not None and math.isfinite(value) else ""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, COLUMNS, restval="").writerow(row)

    def _progress(self, trainer: Trainer, pl_module: LightningModule, phase: str, *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and now - self._progress_at < 0.5:
            return
        self._progress_at = now
        assert isinstance(pl_module, LanguageModule)
        step = trainer.global_step
        num_steps = pl_module.horizon.steps_at(step)
        done = step - self._start_step
        left = (now - self._started_at) / done * (num_steps - step) if done and num_steps < 10**9 else None
        if pl_module.horizon.seconds is not None:
            left = max(0.0, pl_module.horizon.seconds - pl_module.horizon.elapsed)
        body = {"step": step, "num_steps": num_steps, "loss": self.last_loss, "seconds_left": left, "phase": phase}
        write_atomically(self.progress_path, json.dumps(body), durable=False)


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Whole rows of a metrics.csv; a last line that a kill cut short is left out."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1].splitlines()
    return list(csv.DictReader(whole))


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    lines = [",".join(COLUMNS), *(",".join(row[c] for c in COLUMNS) for row in rows)]
    write_atomically(path, "\n".join(lines) + "\n")
