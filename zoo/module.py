"""LanguageModule: a decoder with its loss, optimizer and schedule, as a LightningModule."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from zoo.accounting.budget import StepWork
from zoo.component import Component, Context
from zoo.data.bits_per_byte import BitsPerByte
from zoo.data.packing import documents_of
from zoo.decoder import Decoder
from zoo.inits.base import Init, initialise, materialise
from zoo.optimizers.base import Optimizer, OptimizerFactory, decay_by_role, role_groups
from zoo.schedules.base import Schedule


@dataclass
class Horizon:
    """How long a run is: a number of steps, or seconds of training, whose steps are estimated as they pass.

    Attributes:
        num_steps: known ahead; None for a budget of seconds.
        seconds: the budget, where it is one of seconds.
        elapsed: training seconds so far; brought up to date by the TimeBudget callback.
    """

    num_steps: int | None
    seconds: float | None = None
    elapsed: float = 0.0

    def steps_at(self, step: int) -> int:
        """Number of steps of the whole run, as known at `step`: the schedule's end."""
        if self.num_steps is not None:
            return self.num_steps
        assert self.seconds is not None
        share = min(1.0, self.elapsed / self.seconds)
        if share == 0.0:
            return 10**9  # nothing is measured yet: the run is long, as far as the first steps know
        return max(step + 1, round(step / share))


class LanguageModule(LightningModule):
    """Trains a `Decoder` on next-token prediction.

    Args:
        decoder: builds the model; called once, in `configure_model`, on the meta device.
        init: first values.
        optimizer: factory over parameter groups by role.
        schedule: scales the learning rate over the horizon.
        horizon: how long the run is.
        work: FLOPs and tokens of one optimizer step, for the monitors.
        seed: keys the streams of init and of dropout.
        compile: run the decoder through `torch.compile`.
        activation_checkpointing: run each block again in the backward pass, `Decoder.checkpointing`.
        opens_document: id of the token that opens a document, where attention stays within documents, in training and
            in scoring alike; None: it crosses them. Positions count through the row either way.

    A batch is a mapping: `inputs_BT` and `targets_BT` (int64), `step` and `step_targets`, the number of targets in the
    whole optimizer step over all micro-batches and devices; also `documents_BT`, where its documents do not follow from
    the tokens that open them. The loss is summed nats over that count, so accumulation is exact per token whatever the
    micro-batches hold.
    """

    decoder: Decoder

    def __init__(
        self,
        *,
        decoder: Callable[[], Decoder],
        init: Init,
        optimizer: OptimizerFactory,
        schedule: Schedule,
        horizon: Horizon,
        work: StepWork,
        seed: int,
        compile: bool = False,
        activation_checkpointing: bool = False,
        opens_document: int | None = None,
    ):
        super().__init__()
        self._make_decoder, self._init, self._make_optimizer = decoder, init, optimizer
        self.schedule, self.horizon, self.work, self.seed = schedule, horizon, work, seed
        self._compile, self._checkpointing, self._opens_document = compile, activation_checkpointing, opens_document
        self.validation = BitsPerByte()
        self._step_nats: list[Tensor] = []  # of the micro-batches of the current optimizer step
        self._step_targets = 1

    def configure_model(self) -> None:
        """Build on the meta device, then give storage and first values: Lightning may call this more than once."""
        if hasattr(self, "decoder"):
            return
        with torch.device("meta"):
            decoder = self._make_decoder()
        decoder.checkpointing = self._checkpointing
        materialise(decoder, "cpu")
        initialise(decoder, self._init, seed=self.seed, num_layers=decoder.num_layers)
        self.decoder = decoder
        self._updated = [m for m in decoder.modules() if isinstance(m, Component) and _acts_after_step(m)]
        if self._compile:
            self.decoder.compile()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self._make_optimizer(role_groups(self.decoder))
        if not isinstance(optimizer, Optimizer):
            decay_by_role(optimizer)  # torch.optim decays whatever it is given
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.rate_factor(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def rate_factor(self, step: int) -> float:
        """What the peak learning rate is multiplied by at optimizer step `step`."""
        return self.schedule.factor(step, self.horizon.steps_at(step))

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        torch.manual_seed(stream_seed(self.seed, batch["step"], batch_idx, self.global_rank))
        ctx = self.context(batch)
        loss = self.decoder.loss(batch["inputs_BT"], batch["targets_BT"], ctx)
        self._step_nats.append(loss.nats_sum.detach())
        self._step_targets = batch["step_targets"]
        total = loss.nats_sum + sum(loss.extras.values()) + sum(ctx.losses.values()) * loss.count
        # Lightning averages over micro-batches and DDP over devices; the loss is a mean over targets: undo both.
        parts = self.trainer.accumulate_grad_batches * self.trainer.world_size
        return total * (parts / batch["step_targets"])

    def context(self, batch: dict[str, Any]) -> Context:
        """What the decoder is told of a batch beside its tokens."""
        documents_BT = None
        if self._opens_document is not None:
            documents_BT = batch.get("documents_BT")
            if documents_BT is None:
                documents_BT = documents_of(batch["inputs_BT"], self._opens_document)
        return self.decoder.context(batch["inputs_BT"], documents_BT=documents_BT)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():
            for component in self._updated:
                component.after_step()

    def take_step_loss(self) -> Tensor:
        """Nats per token of the optimizer step that just ended, summed over micro-batches and devices."""
        nats, self._step_nats = torch.stack(self._step_nats).sum(), []
        if self.trainer.world_size > 1:
            nats = self.trainer.strategy.reduce(nats, reduce_op="sum")
        return nats / self._step_targets

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        loss = self.decoder.loss(batch["inputs_BT"], batch["targets_BT"], self.context(batch))
        self.validation.update(loss.nats_sum, batch["num_bytes"], batch["lost_bits"])

    def on_validation_epoch_start(self) -> None:
        self.validation.reset()

    def step_flops(self) -> int:
        """Training FLOPs of one optimizer step, exact convention, without the optimizer's own."""
        return self.work.training_flops

    def palm_step_flops(self) -> int:
        """Training FLOPs of one optimizer step, PaLM's convention."""
        return self.work.palm_training_flops

    def hardware_step_flops(self) -> int:
        """Training FLOPs of one optimizer step with what is computed a second time."""
        return self.work.hardware_flops

    def tokens_per_step(self) -> int:
        return self.work.tokens


def stream_seed(*key: int) -> int:
    """A seed for the global random stream, a function of its key alone: there is no state that could drift."""
    digest = hashlib.sha256(":".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _acts_after_step(component: Component) -> bool:
    return type(component).after_step is not Component.after_step
