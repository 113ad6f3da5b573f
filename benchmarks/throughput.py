"""What a throughput callback costs per optimizer step: zoo's, and Lightning's own of the same name, beside none.

Timed is what lies between the bodies of two training steps: all that Lightning and its callbacks do there, without the
body's own noise. The body is nothing (a tight loop, everything in cache) or 20 ms of passing over 64 MiB (nothing left
in cache). The three arms take turns in blocks of ten steps of one run, so that a slow spell of the machine hits all
alike. The overhead is the median gap with a monitor less that without, of the nine steps of a block and of its last, at
which the monitors log; the mean weighs them as a run with Lightning's and zoo's default has them, one log in 50 steps.

python benchmarks/throughput.py
"""

from __future__ import annotations

import logging
import statistics
import time
import warnings
from typing import Any

import torch
from _results import spread, write
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.callbacks import ThroughputMonitor as LightningMonitor
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.accounting.devices import Peak
from zoo.callbacks import ThroughputMonitor

STEP_SECONDS = 0.020
BLOCK = 10  # steps; both monitors log once in each
LOG_EVERY = 50  # steps, by default of both
ARMS = ("none", "zoo", "lightning")
WARMUP_TURNS = 3
PARTS = 5  # of a run, each of which gives a figure


class Nowhere(Logger):
    """Takes metrics and drops them: to write them is the logger's part."""

    name, version = "nowhere", "0"

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None: ...

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None: ...


class Turns(LightningModule):
    """Puts the callbacks in and out, and keeps the seconds from the end of each step's body to the next one's begin."""

    flops_per_batch = 1  # Lightning's monitor asks for it
    plain: Profiler
    teed: Profiler

    def __init__(self, monitors: dict[str, Callback], body_seconds: float):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.monitors, self.body_seconds = monitors, body_seconds
        self.buffer = torch.ones(2**24 if body_seconds else 1)
        self.gaps: dict[str, list[float]] = {arm: [] for arm in ARMS}
        self.arm, self.left = "", 0.0

    def on_train_start(self) -> None:
        self.teed = self.trainer.profiler

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        began = time.perf_counter()
        if self.arm:
            self.gaps[self.arm].append(began - self.left)
        if batch_idx % BLOCK == 0:
            turn, place = divmod(batch_idx // BLOCK, len(ARMS))
            self.arm = ARMS[(turn + place) % len(ARMS)]
            self.trainer.callbacks = [self.monitors[self.arm]] if self.arm in self.monitors else []
            self.trainer.profiler = self.teed if self.arm == "zoo" else self.plain
        while time.perf_counter() < began + self.body_seconds:
            self.buffer.mul_(1.0)
        loss = self.weight.sum()
        self.left = time.perf_counter()
        return loss

    def on_train_end(self) -> None:
        self.trainer.callbacks, self.trainer.profiler = list(self.monitors.values()), self.teed

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def gaps_of(body_seconds: float, turns: int) -> dict[str, list[float]]:
    """Seconds between bodies by arm, of all steps but the first turns'."""
    peak = Peak(1e12, "published", torch.float32, "a device")
    monitors: dict[str, Callback] = {
        "zoo": ThroughputMonitor(flops_per_step=1, tokens_per_step=1, peak=peak, log_every=BLOCK),
        "lightning": LightningMonitor(batch_size_fn=len, window_size=BLOCK),
    }
    module = Turns(monitors, body_seconds)
    num_steps = (turns + WARMUP_TURNS) * len(ARMS) * BLOCK + 1  # the last gap ends at a step
    trainer = Trainer(
        max_steps=num_steps,
        accelerator="cpu",
        callbacks=list(monitors.values()),
        logger=Nowhere(),
        log_every_n_steps=BLOCK,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module.plain = trainer.profiler
    trainer.fit(module, DataLoader(torch.ones(num_steps, 1), batch_size=1))
    return {arm: gaps[WARMUP_TURNS * BLOCK :] for arm, gaps in module.gaps.items()}


def overheads(gaps: list[float], without: list[float], parts: int = PARTS) -> dict[str, list[float]]:
    """Seconds that a monitor takes per step, of each part of the run: at steps that log, at others, on average."""
    found: dict[str, list[float]] = {"at_log": [], "between": [], "mean": []}
    size = len(gaps) // parts
    for start in range(0, size * parts, size):
        with_it, bare = gaps[start : start + size], without[start : start + size]
        at_log = statistics.median(with_it[BLOCK - 1 :: BLOCK]) - statistics.median(bare[BLOCK - 1 :: BLOCK])
        between = statistics.median(not_logging(with_it)) - statistics.median(not_logging(bare))
        for name, value in (
            ("at_log", at_log),
            ("between", between),
            ("mean", (at_log + (LOG_EVERY - 1) * between) / LOG_EVERY),
        ):
            found[name].append(value)
    return found


def not_logging(gaps: list[float]) -> list[float]:
    return [gap for i, gap in enumerate(gaps) if i % BLOCK != BLOCK - 1]


def main() -> None:
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    torch.set_num_threads(1)
    rows = []
    for body_seconds, turns in ((0.0, 600), (STEP_SECONDS, 240)):
        gaps = gaps_of(body_seconds, turns)
        for arm in ARMS:
            row: dict[str, Any] = {"monitor": arm, "body_seconds": body_seconds, "steps": len(gaps[arm])}
            row["median_gap_seconds"] = statistics.median(gaps[arm])
            if arm != "none":
                found = overheads(gaps[arm], gaps["none"])
                row |= {f"overhead_seconds_{name}": spread(values) for name, values in found.items()}
                (whole,) = overheads(gaps[arm], gaps["none"], parts=1)["mean"]
                share = whole / STEP_SECONDS
                row |= {"share_of_20_ms": share, "target_share": 0.005}
                each = ", ".join(f"{statistics.median(values) * 1e6:.0f} us {name}" for name, values in found.items())
                print(f"{arm:<10} body {body_seconds * 1e3:>2.0f} ms  {share:.2%} of 20 ms: {each}")
            rows.append(row)
    print(write("throughput", rows))


if __name__ == "__main__":
    main()
