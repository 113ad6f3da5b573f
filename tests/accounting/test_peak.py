"""Which peak a run is held against."""

from __future__ import annotations

import pytest
import torch

from zoo.accounting import gemm_peak, peak
from zoo.accounting.devices import Peak


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Peak:
    """What a measurement would say, without one."""
    found = Peak(123.0, "measured_gemm", torch.float32, "some device", 0.1)
    monkeypatch.setattr(peak, "measured_peak", lambda device, dtype, *, matmul, again: found)
    return found


@pytest.mark.parametrize(
    ("name", "dtype", "matmul", "teraflops"),
    [
        ("NVIDIA H200", torch.bfloat16, "highest", 989.4),
        ("NVIDIA H200", torch.float32, "highest", 66.9),
        ("NVIDIA H200", torch.float32, "high", 494.7),
        ("NVIDIA L40S", torch.bfloat16, "highest", 362.05),
    ],
)
def test_a_known_device_has_its_makers_peak(
    name: str, dtype: torch.dtype, matmul: str, teraflops: float, measured: Peak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    found = peak.peak_of("cuda", dtype, matmul=matmul)
    assert found == Peak(pytest.approx(teraflops * 1e12), "published", dtype, name)


@pytest.mark.parametrize(
    ("name", "dtype"), [("NVIDIA GeForce RTX 4090 Laptop GPU", torch.bfloat16), ("Tesla T4", torch.bfloat16)]
)
def test_what_no_maker_states_is_measured(
    name: str, dtype: torch.dtype, measured: Peak, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert peak.peak_of("cuda", dtype) is measured


def test_a_cpu_is_measured(measured: Peak) -> None:
    assert peak.peak_of("cpu", torch.float32) is measured


def test_nothing_else_has_a_peak() -> None:
    with pytest.raises(ValueError, match=r"^device='meta' has no measured peak: expected cpu or cuda$"):
        peak.peak_of("meta", torch.float32)
    assert peak.measured_peak is gemm_peak.measured_peak
