"""Shares of wall time and goodput, and the tee around the Trainer's profiler that they come from. Loading a batch takes
10 seconds of the run's clock, a micro-batch 1, a validation batch 1000, writing a checkpoint 500."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.profilers import PassThroughProfiler, Profiler, SimpleProfiler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from tests.callbacks.timed import QUIET, SILENT, Clock, Monitor, Timed, fit
from zoo.callbacks import RunCheckpoints
from zoo.callbacks._wall_time import BUCKETS, ProfilerTee


@pytest.fixture
def clock() -> Clock:
    return Clock()


class SlowIO(TorchCheckpointIO):
    def __init__(self, clock: Clock):
        self.clock = clock

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.clock.now += 500.0
        super().save_checkpoint(*args, **kwargs)


class Saves(Callback):
    """Somebody's own callback, which Lightning does not move to the end as it does with a `Checkpoint`."""

    def __init__(self, path: Path):
        self.path = path

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.global_step == 5:
            trainer.save_checkpoint(self.path)


class Idles(Callback):
    def __init__(self, clock: Clock):
        self.clock = clock

    def on_train_batch_end(self, *args: Any) -> None:
        self.clock.now += 3.0


def seconds(monitor: Monitor) -> dict[str, float]:
    """By bucket; those that are nothing left out."""
    summary = monitor.summary()
    shares = {name: summary[f"{name}_share"] for name in BUCKETS}
    assert sum(shares.values()) == pytest.approx(1.0)
    return {name: pytest.approx(share * summary["wall_seconds"]) for name, share in shares.items() if share}


def test_each_second_is_in_one_bucket(clock: Clock, tmp_path: Path) -> None:
    """Three validations, after each of which a checkpoint is written inside Lightning's validation."""
    monitor = Monitor(clock)
    keeps = ModelCheckpoint(tmp_path, save_top_k=-1)
    options = {"callbacks": [keeps, Idles(clock)], "plugins": [SlowIO(clock)], "enable_checkpointing": True}
    fit(monitor, Timed(clock), 9, val_check_interval=3, num_sanity_val_steps=2, **options)
    assert len(list(tmp_path.glob("*.ckpt"))) == 3
    expected = {"data": 90.0, "step": 9.0, "validation": 6000.0, "checkpoint": 1500.0, "other": 27.0}
    assert seconds(monitor) == expected
    assert monitor.summary()["wall_seconds"] == 90 + 9 + 6000 + 1500 + 27
    assert monitor.summary()["goodput"] == pytest.approx(9 * 0.6 / 7626)
    assert monitor.summary()["training_seconds"] == 9.0


def test_a_checkpoint_of_anybody_is_outside_the_step(clock: Clock, tmp_path: Path) -> None:
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 8, callbacks=[Saves(tmp_path / "five.ckpt"), monitor], plugins=[SlowIO(clock)])
    assert seconds(monitor) == {"data": 80.0, "step": 8.0, "checkpoint": 500.0}
    assert list(monitor._step_seconds) == [1.0] * 5


def test_a_checkpoint_in_the_middle_of_a_step_is_outside_it(clock: Clock, tmp_path: Path) -> None:
    class SavesInside(Timed):
        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            if self.global_step == 5:
                self.trainer.save_checkpoint(tmp_path / "five.ckpt")
            return super().training_step(batch, batch_idx)

    monitor = Monitor(clock)
    fit(monitor, SavesInside(clock), 8, plugins=[SlowIO(clock)])
    assert seconds(monitor) == {"data": 80.0, "step": 8.0, "checkpoint": 500.0}
    assert list(monitor._step_seconds) == [1.0] * 5


def test_the_own_checkpoints_count_with_all_they_do(clock: Clock, tmp_path: Path) -> None:
    class Tidies(RunCheckpoints):
        def _save(self, trainer: Trainer, name: str = "last.ckpt") -> None:
            super()._save(trainer, name)
            clock.now += 7.0  # deletes what is too old

    monitor = Monitor(clock)
    callbacks = [Tidies(tmp_path, every=2)]
    options = {"plugins": [SlowIO(clock)], "enable_checkpointing": True}
    fit(monitor, Timed(clock), 6, callbacks=callbacks, val_check_interval=100, **options)
    assert seconds(monitor) == {"data": 60.0, "step": 6.0, "checkpoint": 3 * 507.0}


def test_a_checkpoint_at_the_end_of_training_counts(clock: Clock, tmp_path: Path) -> None:
    class AtEnd(Checkpoint):
        def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            trainer.save_checkpoint(tmp_path / "end.ckpt")

    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 4, callbacks=[AtEnd()], plugins=[SlowIO(clock)], enable_checkpointing=True)
    assert seconds(monitor) == {"data": 40.0, "step": 4.0, "checkpoint": 500.0}


def test_validation_in_the_middle_of_an_accumulation(clock: Clock) -> None:
    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 6, val_check_interval=3, accumulate_grad_batches=2)
    assert seconds(monitor) == {"data": 120.0, "step": 12.0, "validation": 4 * 2000.0}


def test_loading_for_validation_is_validation(clock: Clock) -> None:
    """And so is what its callbacks and the module's own hooks do."""

    class Hooks(Timed):
        def on_validation_epoch_end(self) -> None:
            self.clock.now += 30.0

        def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
            self.clock.now += 2.0
            return super().transfer_batch_to_device(batch, device, dataloader_idx)

    class IdlesThere(Callback):
        def on_validation_start(self, *args: Any) -> None:
            clock.now += 5.0

    monitor, module = Monitor(clock), Hooks(clock)
    trainer = Trainer(max_epochs=2, limit_train_batches=4, callbacks=[monitor, IdlesThere()], **(QUIET | SILENT))
    trainer.fit(module, DataLoader(Fixed(clock), batch_size=None), DataLoader(Fixed(clock), batch_size=None))
    validation = 2 * (5 + 2 * (10 + 2 + 1000) + 30)
    assert seconds(monitor) == {"data": 8 * 12.0, "step": 8.0, "validation": validation}


class Fixed(Dataset):
    """Of known length: Lightning fetches no batch ahead."""

    def __init__(self, clock: Clock):
        self.clock = clock

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Tensor:
        self.clock.now += 10.0
        return torch.ones(2)


def test_a_loader_that_starts_again_is_waited_for(clock: Clock) -> None:
    class Starts(IterableDataset):
        def __iter__(self) -> Iterator[Tensor]:
            clock.now += 50.0
            return iter([torch.ones(2)] * 4)

    monitor = Monitor(clock)
    trainer = Trainer(max_epochs=3, callbacks=[monitor], **(QUIET | SILENT))
    trainer.fit(Timed(clock), DataLoader(Starts(), batch_size=None))
    assert seconds(monitor) == {"data": 2 * 50.0, "step": 12.0}  # the first start is before training's


def test_batches_that_a_step_fetches_itself_are_data(clock: Clock) -> None:
    class Fetches(Timed):
        def training_step(self, dataloader_iter: Iterator[Any]) -> Tensor:
            batch, _, _ = next(dataloader_iter)
            return super().training_step(batch, 0)

    monitor = Monitor(clock)
    fit(monitor, Fetches(clock), 6)
    assert seconds(monitor) == {"data": 60.0, "step": 6.0}
    assert list(monitor._step_seconds) == [1.0] * 3


def test_shares_go_on_after_a_resume(clock: Clock, tmp_path: Path) -> None:
    """A checkpoint holds the time up to its own beginning, and what lies between two processes is of no run."""
    first = Monitor(clock)
    trainer = fit(first, Timed(clock), 6, val_check_interval=3)
    before = seconds(first)
    assert before == {"data": 60.0, "step": 6.0, "validation": 4000.0}
    clock.now += 1e6
    trainer.save_checkpoint(tmp_path / "six.ckpt")
    for weights_only in (True, False):
        torch.load(tmp_path / "six.ckpt", weights_only=weights_only)

    second = Monitor(clock)
    fit(second, Timed(clock), 8, tmp_path / "six.ckpt", val_check_interval=3)
    assert seconds(second) == {"data": 80.0, "step": 8.0, "validation": 4000.0}
    assert second.summary()["goodput"] == pytest.approx(8 * 0.6 / 4088)


def test_shares_are_of_now_where_they_are_asked_for(clock: Clock) -> None:
    seen = []

    class Looks(Callback):
        def on_validation_end(self, *args: Any) -> None:
            seen.append((monitor.latest["wall_seconds"], monitor.latest["validation_share"]))

    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 3, val_check_interval=3, callbacks=[Looks()])
    assert seen == [(2033.0, 2000 / 2033)]


class Recording(SimpleProfiler):
    """The user's own, with an attribute and a method of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def start(self, action_name: str) -> None:
        self.heard.append(f"+{action_name}")
        super().start(action_name)

    def stop(self, action_name: str) -> None:
        self.heard.append(f"-{action_name}")
        super().stop(action_name)


def test_the_users_profiler_hears_what_it_would_without(clock: Clock, tmp_path: Path) -> None:
    heard = []
    for monitor in (Monitor(clock), Callback()):
        profiler = Recording()
        trainer = fit(monitor, Timed(clock), 4, profiler=profiler, val_check_interval=2, callbacks=[monitor])
        assert trainer.profiler is profiler
        heard.append([action for action in profiler.heard if "Monitor" not in action and "Callback" not in action])
    assert heard[0] == heard[1]
    assert sum(action == "+run_training_batch" for action in heard[0]) == 4


def test_the_profiler_looks_like_the_users_while_training(clock: Clock) -> None:
    kinds = []

    class Looks(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            kinds.append(type(trainer.profiler))
            assert isinstance(trainer.profiler, Recording)
            assert trainer.profiler.heard
            assert trainer.profiler.local_rank == 0

    fit(Monitor(clock), Timed(clock), 1, profiler=Recording(), callbacks=[Looks()])
    assert kinds == [ProfilerTee]


def test_what_a_profiler_does_is_in_no_bucket_but_other(clock: Clock) -> None:
    class Slow(PassThroughProfiler):
        def start(self, action_name: str) -> None:
            clock.now += 100.0 * (action_name == "run_training_batch" or action_name.endswith("dataloader_next"))

        stop = start

    monitor = Monitor(clock)
    fit(monitor, Timed(clock), 5, profiler=Slow())
    before_the_first_batch = 100.0  # where the loader starts, of which there is no bracket
    expected = {"data": 50.0 + before_the_first_batch, "step": 5.0, "other": 5 * 400.0 - before_the_first_batch}
    assert seconds(monitor) == expected
    assert list(monitor._step_seconds) == [1.0] * 2


def test_the_profiler_is_put_back_when_training_fails(clock: Clock) -> None:
    class Fails(Timed):
        def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
            if self.global_step == 4:
                raise RuntimeError("no more")
            return super().training_step(batch, batch_idx)

    class Keeps(Callback):
        trainer: Trainer

        def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
            self.trainer = trainer

    monitor, profiler, keeps = Monitor(clock), Recording(), Keeps()
    with pytest.raises(RuntimeError, match=r"^no more$"):
        fit(monitor, Fails(clock), 6, profiler=profiler, callbacks=[keeps])
    assert keeps.trainer.profiler is profiler
    before = monitor.summary()["wall_seconds"]
    clock.now += 100.0
    assert monitor.summary()["wall_seconds"] == before == 54.0


def test_a_profiler_that_somebody_puts_in_meanwhile_stays(clock: Clock) -> None:
    class Replaces(Callback):
        other: Profiler = PassThroughProfiler()

        def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
            if trainer.global_step == 4:
                trainer.profiler = self.other

    monitor = Monitor(clock)
    trainer = fit(monitor, Timed(clock), 8, callbacks=[Replaces()])
    assert trainer.profiler is Replaces.other
    assert list(monitor._step_seconds) == [1.0]  # of steps that it does not hear of it knows nothing
    assert monitor.summary()["tokens"] == 240


def test_an_evaluation_alone_is_not_watched(clock: Clock) -> None:
    monitor = Monitor(clock)
    trainer = Trainer(callbacks=[monitor], profiler=Recording(), **(QUIET | SILENT))
    profiler = trainer.profiler
    trainer.validate(Timed(clock), DataLoader(Fixed(clock), batch_size=None), verbose=False)
    assert trainer.profiler is profiler
    assert monitor.summary()["wall_seconds"] == 0.0
