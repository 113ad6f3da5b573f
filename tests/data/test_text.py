from __future__ import annotations

import random
import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from data_doubles import HALVES, Bytes, ListCorpus, sample_texts
from lightning.pytorch import LightningModule, Trainer

from zoo.data import TokenStore, TrainBatches
from zoo.data.packing import documents_of
from zoo.data.text import TextData
from zoo.heads.base import IGNORE_INDEX

SEQ_LEN, BATCH_SIZE = 16, 6


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    home = tmp_path_factory.mktemp("home")
    return TokenStore.build_or_open(ListCorpus(sample_texts()), Bytes(), HALVES, home=home)


def text_data(store: TokenStore, accumulate: int = 1, **options: Any) -> TextData:
    given: dict[str, Any] = {"seed": 3, "seq_len": SEQ_LEN, "batch_size": BATCH_SIZE, "accumulate": accumulate}
    return TextData(store, **given | {"validation_bytes": 3000, "validation_stride": 8} | options)


def at(data: TextData, *, step: int = 0, rank: int = 0, num_ranks: int = 1) -> TextData:
    data.trainer = SimpleNamespace(global_step=step, global_rank=rank, world_size=num_ranks)  # type: ignore[assignment]
    return data


def shown(step: int, *arrays: Any) -> tuple[Any, ...]:
    return step, *(None if array is None else array.tolist() for array in arrays)


class Probe(LightningModule):
    """A weight, and a list of what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.shown: list[tuple[Any, ...]] = []
        self.scored_bytes: list[int] = []

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> torch.Tensor:
        assert batch["step"] == self.global_step
        assert batch["inputs_BT"].dtype == batch["targets_BT"].dtype == torch.int64
        self.shown.append(shown(batch["step"], batch["inputs_BT"], batch["targets_BT"], batch.get("documents_BT")))
        return self.weight * batch["step_targets"]

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        self.scored_bytes.append(batch["num_bytes"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(
    store: TokenStore,
    max_steps: int,
    accumulate: int,
    validate_every: int,
    data_options: dict[str, Any],
    **options: Any,
) -> tuple[Probe, Trainer]:
    module = Probe()
    trainer = Trainer(
        max_steps=max_steps,
        accumulate_grad_batches=accumulate,
        val_check_interval=validate_every,
        check_val_every_n_epoch=None,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=text_data(store, accumulate, **data_options), weights_only=False, **options)
    return module, trainer


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("accumulate", "options"), [(1, {}), (3, {}), (3, {"packing": "best_fit", "document_mask": True})]
)
def test_the_trainer_sees_the_steps_in_order_also_after_a_resume_and_whenever_it_validates(
    store: TokenStore, tmp_path: Path, accumulate: int, options: dict[str, Any]
) -> None:
    batches = TrainBatches(store, seed=3, seq_len=SEQ_LEN, batch_size=BATCH_SIZE, **options)
    expected = [shown(i, *batches.micro(i, part, accumulate)) for i in range(9) for part in range(accumulate)]
    whole, _ = fit(store, 9, accumulate, 2 * accumulate, options)
    assert whole.shown == expected
    first, trainer = fit(store, 4, accumulate, 3 * accumulate, options)
    trainer.save_checkpoint(tmp_path / "at-4.ckpt")
    second, _ = fit(store, 9, accumulate, 5 * accumulate, options, ckpt_path=tmp_path / "at-4.ckpt")
    assert first.shown + second.shown == expected


def test_ranks_and_micro_batches_tile_the_step(store: TokenStore) -> None:
    batches = TrainBatches(store, seed=3, seq_len=SEQ_LEN, batch_size=BATCH_SIZE)
    shown: dict[int, list[Any]] = {5: [], 6: []}
    for rank in range(3):
        for batch in islice(at(text_data(store, 2), step=5, rank=rank, num_ranks=3).train_dataloader(), 4):
            assert batch["step_targets"] == BATCH_SIZE * SEQ_LEN
            assert batch["inputs_BT"].shape == (1, SEQ_LEN)
            shown[batch["step"]] += batch["inputs_BT"].tolist()
    for step, rows in shown.items():
        assert sorted(rows) == sorted(batches.step(step).inputs_BT.tolist())


def test_packed_steps_say_how_many_targets_all_their_parts_hold_together(store: TokenStore) -> None:
    options = {"packing": "best_fit", "seq_len": 1024, "document_mask": True}
    scored: dict[int, int] = {5: 0, 6: 0}
    stated: dict[int, set[int]] = {5: set(), 6: set()}
    for rank in range(3):
        data = at(text_data(store, 2, **options), step=5, rank=rank, num_ranks=3)
        for batch in islice(data.train_dataloader(), 4):
            scored[batch["step"]] += int((batch["targets_BT"] != IGNORE_INDEX).sum())
            stated[batch["step"]].add(batch["step_targets"])
            assert batch["documents_BT"].shape == batch["inputs_BT"].shape
    assert {step: {count} for step, count in scored.items()} == stated
    assert 0 < min(scored.values()) < 6 * 1024


def test_the_step_is_read_when_iteration_begins(store: TokenStore) -> None:
    data = at(text_data(store), step=0)
    loader = data.train_dataloader()
    data.trainer.global_step = 7  # type: ignore[union-attr, misc]
    assert next(iter(loader))["step"] == 7


def test_validation_scores_the_first_bytes_and_the_evaluation_all_of_them(store: TokenStore) -> None:
    data = text_data(store)
    some, whole, test = data.val_dataloader(), data.evaluation_windows(), data.evaluation_windows("test")
    assert 0 < sum(batch["num_bytes"] for batch in some) <= 3000
    assert some.num_bytes + int(store.document_bytes("validation")[some.num_documents]) > 3000
    assert sum(batch["num_bytes"] for batch in whole) == store.num_bytes("validation")
    assert sum(batch["num_bytes"] for batch in test) == store.num_bytes("test")
    assert whole.stride == 8 and next(iter(whole))["inputs_BT"].shape == (BATCH_SIZE, SEQ_LEN)


@pytest.mark.parametrize("stride", [5, 1024])
def test_context_ends_where_the_document_begins_under_a_mask(store: TokenStore, stride: int) -> None:
    data = text_data(store, seq_len=1024, validation_stride=stride, validation_bytes=7000, document_mask=True)
    windows = data.val_dataloader()
    read = scored = 0
    for batch in windows:
        documents_BT = documents_of(batch["inputs_BT"], store.tokenizer.end_of_text)
        rows, places = torch.nonzero(batch["targets_BT"] != IGNORE_INDEX, as_tuple=True)
        causal = torch.arange(1024) <= places[:, None]
        readable = causal & (documents_BT[rows] == documents_BT[rows, places][:, None])
        read, scored = read + int(readable.sum()), scored + len(places)
    bytes_per_target = windows.num_bytes / windows.num_targets
    assert data.mean_context_bytes(windows) == pytest.approx(read / scored * bytes_per_target, rel=1e-12)
    assert data.mean_context_bytes(windows) < windows.mean_context_bytes
    crossing = text_data(store, seq_len=1024, validation_stride=stride, validation_bytes=7000)
    assert crossing.mean_context_bytes(windows) == windows.mean_context_bytes


def test_validation_is_shared_among_ranks(store: TokenStore) -> None:
    parts = [list(at(text_data(store), rank=rank, num_ranks=2).val_dataloader()) for rank in range(2)]
    whole = text_data(store).val_dataloader()
    assert len(parts[0]) == len(parts[1])
    assert sum(batch["num_bytes"] for part in parts for batch in part) == whole.num_bytes
    scored = sum(int((batch["targets_BT"] != IGNORE_INDEX).sum()) for part in parts for batch in part)
    assert scored == whole.num_targets


def test_the_global_random_states_are_left_alone(store: TokenStore) -> None:
    def states() -> tuple[Any, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    before = states()
    data = text_data(store, 2)
    first = [batch["inputs_BT"].tolist() for batch in islice(data.train_dataloader(), 5)]
    list(data.val_dataloader())
    assert states() == before
    torch.manual_seed(9), np.random.seed(9), random.seed(9)
    assert [batch["inputs_BT"].tolist() for batch in islice(data.train_dataloader(), 5)] == first


def test_what_cannot_be_cut_is_refused(store: TokenStore) -> None:
    with pytest.raises(ValueError, match=r"^num_parts=4 \(devices x accumulate\) must divide batch_size=6$"):
        text_data(store, 4)
    with pytest.raises(ValueError, match=r"^num_parts=4 \(devices x accumulate\) must divide batch_size=6$"):
        at(text_data(store, 2), num_ranks=2).train_dataloader()
    with pytest.raises(ValueError, match=r"^stride=17: expected 1 to seq_len=16$"):
        text_data(store, validation_stride=17)


def test_a_planner_can_open_stores_without_lightning() -> None:
    script = "import sys, zoo.data; print([m for m in sys.modules if m.split('.')[0] in ('lightning', 'torchmetrics')])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
