"""LanguageModule: accumulation is exact per token, whatever the micro-batches hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from zoo.accounting.budget import StepWork, steps_for
from zoo.heads.base import IGNORE_INDEX
from zoo.module import Horizon, LanguageModule, stream_seed
from zoo.recipe import load_recipe

BASE = Path(__file__).parents[1] / "recipes" / "base.yaml"
WORK = StepWork(
    training_flops=10, palm_training_flops=12, hardware_flops=14, optimizer_flops=1, tokens=4, text_bytes=4.0
)


def trained(batches: list[dict[str, Any]], accumulate: int, clip: float | None = None) -> LanguageModule:
    built = load_recipe(BASE, {"model.d_model": 16, "model.num_layers": 1, "model.attention.num_heads": 2}).built
    module = LanguageModule(
        decoder=lambda: built.decoder(20),
        init=built.init,
        optimizer=load_recipe(BASE, {"model.optimizer": "SGD", "model.optimizer.lr": 0.5}).built.optimizer,
        schedule=load_recipe(BASE, {"model.schedule": "Constant"}).built.schedule,
        horizon=Horizon(len(batches) // accumulate),
        work=WORK,
        seed=0,
    )
    trainer = Trainer(
        accelerator="cpu",
        max_steps=len(batches) // accumulate,
        accumulate_grad_batches=accumulate,
        gradient_clip_val=clip,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return module


def big_batches(num_steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(num_steps):
        ids = torch.randint(0, 20, (4, 9), generator=draw)
        targets = ids[:, 1:].clone()
        targets[0, :7] = IGNORE_INDEX  # micro-batches with very different numbers of targets
        targets[1, ::2] = IGNORE_INDEX
        batches.append((ids[:, :-1], targets))
    return batches


@pytest.mark.parametrize("clip", [None, 0.1])
def test_accumulation_equals_the_big_batch(clip: float | None) -> None:
    whole, parts = [], []
    for step, (inputs, targets) in enumerate(big_batches(3)):
        count = int((targets != IGNORE_INDEX).sum())
        shared = {"step": step, "step_targets": count}
        whole.append({"inputs_BT": inputs, "targets_BT": targets, **shared})
        for row in range(4):
            parts.append({"inputs_BT": inputs[row : row + 1], "targets_BT": targets[row : row + 1], **shared})
    one, four = trained(whole, 1, clip), trained(parts, 4, clip)
    start = trained(whole[:1], 1, clip).decoder.state_dict()
    for big, small in zip(one.decoder.state_dict().values(), four.decoder.state_dict().values(), strict=True):
        torch.testing.assert_close(small, big, rtol=1e-5, atol=1e-6)
    assert any(not torch.equal(start[name], value) for name, value in one.decoder.state_dict().items())


def test_budget_buys_whole_steps() -> None:
    assert steps_for("flops", 119, WORK) == 10  # 11 each, the optimizer's included
    assert steps_for("tokens", 11, WORK) == 2
    assert steps_for("bytes", 8.0, WORK) == 2
    assert steps_for("seconds", 8.0, WORK) is None
    with pytest.raises(ValueError, match=r"^a budget of 10 flops does not pay for one step of 11 flops$"):
        steps_for("flops", 10, WORK)


def test_horizon_of_seconds_estimates_its_steps() -> None:
    horizon = Horizon(None, seconds=10.0)
    assert horizon.steps_at(0) == 10**9
    horizon.elapsed = 2.5
    assert horizon.steps_at(100) == 400
    horizon.elapsed = 10.0
    assert horizon.steps_at(321) == 322
    assert Horizon(50).steps_at(7) == 50


def test_streams_are_keyed() -> None:
    assert stream_seed(0, 1, 2, 3) == stream_seed(0, 1, 2, 3)
    assert len({stream_seed(0, 1), stream_seed(1, 0), stream_seed(0, 11), stream_seed(0, 1, 1)}) == 4
