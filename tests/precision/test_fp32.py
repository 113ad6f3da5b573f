"""FP32: the switch of its products is set for the run and put back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from zoo.precision import FP32


@pytest.fixture(autouse=True)
def switch() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("matmul", ["highest", "high", "medium"])
def test_switch_is_set_while_training(matmul: Any, fit: Any) -> None:
    torch.set_float32_matmul_precision("high")
    assert fit(FP32(matmul=matmul).plugin(), num_steps=2).switches == {matmul}
    assert torch.get_float32_matmul_precision() == "high"


def test_switch_is_set_while_validating(validate: Any) -> None:
    assert validate(FP32(matmul="medium").plugin()).switches == {"medium"}
    assert torch.get_float32_matmul_precision() == "highest"


def test_switch_is_put_back_after_a_failure(fit: Any) -> None:
    def broken(params: Any) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(params, lr=0.1)
        optimizer.register_step_pre_hook(lambda *_: 1 / 0)
        return optimizer

    with pytest.raises(ZeroDivisionError):
        fit(FP32(matmul="medium").plugin(), broken)
    assert torch.get_float32_matmul_precision() == "highest"


def test_states_its_switch() -> None:
    assert FP32().matmul == "highest"
    assert FP32(matmul="high").matmul == "high"


def test_refuses_an_unknown_switch() -> None:
    with pytest.raises(ValueError, match=r"^matmul='tf32' must be 'highest', 'high' or 'medium'$"):
        FP32(matmul="tf32")  # type: ignore[arg-type]
