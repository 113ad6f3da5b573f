"""TextData: a token store as batches for Lightning's Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from lightning.pytorch import LightningDataModule

from zoo.data.batches import TrainBatches
from zoo.data.packing import Packing, mean_context_within_documents
from zoo.data.scoring import ScoringWindows
from zoo.data.split import Split
from zoo.data.store import TokenStore


class TextData(LightningDataModule):
    """Training micro-batches, and windows to score.

    Which text a micro-batch holds follows from the store, the seed, the trainer's `global_step` and the rank alone. No
    random state is read or moved, and no worker process runs ahead, so a resumed run goes on exactly where it was.

    Args:
        store: the tokens.
        seed: keys the order of the training text.
        seq_len: tokens of a training sequence, and of a scoring window.
        batch_size: sequences of one optimizer step, over all devices and micro-batches.
        accumulate: micro-batches of one optimizer step.
        validation_bytes: text that is scored during training: a prefix of the validation split.
        validation_stride: tokens that a scoring window advances by.
        packing: how documents become training sequences.
        document_mask: training micro-batches tell which document each token is of.

    Raises:
        ValueError: an argument is out of range, or accumulate does not divide batch_size.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        seed: int,
        seq_len: int,
        batch_size: int,
        accumulate: int = 1,
        validation_bytes: int,
        validation_stride: int,
        packing: Packing = "concat",
        document_mask: bool = False,
    ):
        super().__init__()
        self.store = store
        self.accumulate = accumulate
        self.validation_bytes, self.validation_stride = validation_bytes, validation_stride
        self.batches = TrainBatches(
            store, seed=seed, seq_len=seq_len, batch_size=batch_size, packing=packing, document_mask=document_mask
        )
        self.batches.micro_size(accumulate)
        self._windows("validation", validation_bytes)

    def train_dataloader(self) -> MicroBatches:
        """Endless micro-batches of this rank, from the step that the trainer is at."""
        return MicroBatches(self)

    def val_dataloader(self) -> ScoringWindows:
        """The first `validation_bytes` of the validation split, this rank's part."""
        return self._windows("validation", self.validation_bytes)

    def evaluation_windows(self, split: Split = "validation") -> ScoringWindows:
        """A whole split, this rank's part: the figure of the table."""
        return self._windows(split, None)

    def mean_context_bytes(self, windows: ScoringWindows) -> float:
        """Text that a scored target is predicted from, in bytes; within its document where attention stays in it."""
        if not self.batches.document_mask:
            return windows.mean_context_bytes
        ends = self.store.document_ends(windows.split)[: windows.num_documents]
        tokens = mean_context_within_documents(ends, windows.seq_len, windows.stride)
        return tokens * windows.num_bytes / windows.num_targets

    @property
    def rank(self) -> tuple[int, int]:
        """(rank, number of ranks) of the trainer; (0, 1) without one."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _windows(self, split: Split, max_bytes: int | None) -> ScoringWindows:
        rank, num_ranks = self.rank
        return ScoringWindows(
            self.store,
            split,
            seq_len=self.batches.seq_len,
            stride=self.validation_stride,
            max_bytes=max_bytes,
            batch_size=max(1, self.batches.batch_size // (self.accumulate * num_ranks)),
        ).for_rank(rank, num_ranks)


class MicroBatches:
    """Iterates over the micro-batches of one rank, step after step, without end.

    Each is `inputs_BT` and `targets_BT` (int64; IGNORE_INDEX at padding), under a document mask `documents_BT`, `step`
    (the optimizer step it belongs to) and `step_targets` (targets of that whole step, over all ranks and
    micro-batches). Iterating again starts at the trainer's step as it is then.
    """

    def __init__(self, data: TextData):
        self._data = data
        _, num_ranks = data.rank
        data.batches.micro_size(data.accumulate * num_ranks)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        data, batches = self._data, self._data.batches
        rank, num_ranks = data.rank
        step = data.trainer.global_step if data.trainer else 0
        while True:
            step_targets = batches.num_targets(step)
            for turn in range(data.accumulate):
                rows = batches.micro(step, turn * num_ranks + rank, data.accumulate * num_ranks)
                arrays = {name: torch.from_numpy(array) for name, array in rows._asdict().items() if array is not None}
                yield {**arrays, "step": step, "step_targets": step_targets}
            step += 1
