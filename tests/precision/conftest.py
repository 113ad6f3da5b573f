"""A model of one hidden layer on data of one step, and a Trainer that runs it for a few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader


class Regression(LightningModule):
    """Learns a fixed linear map; keeps its losses and the dtypes that its products were in."""

    def __init__(self, make_optimizer: Callable[[Any], torch.optim.Optimizer] | None = None):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 8))
        self.make_optimizer = make_optimizer or (lambda params: torch.optim.AdamW(params, lr=3e-3))
        self.losses: list[float] = []
        self.dtypes: set[torch.dtype] = set()
        self.switches: set[str] = set()
        self.norms: list[float] = []
        for layer in (self.net[0], self.net[2]):
            layer.register_forward_hook(lambda module, args, out: self.dtypes.add(out.dtype))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        self.switches.add(torch.get_float32_matmul_precision())
        loss = (self.net(x).float() - y).square().mean()
        self.losses.append(loss.item())
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self.switches.add(torch.get_float32_matmul_precision())
        self.net(batch[0])

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """Lightning calls this before each backward: the gradients are those that the last step was made with."""
        grads = [p.grad for p in self.parameters() if p.grad is not None]
        if grads:
            self.norms.append(float(torch.linalg.vector_norm(torch.stack([g.norm() for g in grads]))))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self.parameters())


def batches() -> DataLoader:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(256, 16, generator=generator)
    y = x @ torch.randn(16, 8, generator=generator)
    return DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=32)


def make_trainer(plugin: Any, num_steps: int = 40, **options: Any) -> Trainer:
    return Trainer(
        accelerator="cpu",
        max_steps=num_steps,
        max_epochs=-1,
        plugins=[plugin],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


@pytest.fixture
def fit() -> Callable[..., Regression]:
    def run(plugin: Any, make_optimizer: Any = None, **options: Any) -> Regression:
        module = Regression(make_optimizer)
        make_trainer(plugin, **options).fit(module, batches())
        return module

    return run


@pytest.fixture
def validate() -> Callable[..., Regression]:
    def run(plugin: Any) -> Regression:
        module = Regression()
        make_trainer(plugin).validate(module, batches(), verbose=False)
        return module

    return run
