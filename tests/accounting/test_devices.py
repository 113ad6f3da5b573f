"""The table of devices: found by the whole name or not at all."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zoo.accounting.devices import DEVICES, SOURCES, Device, Kind, find_device, words_of

# Names as torch gives them, and dense TFLOP/s: bf16, fp16 for the two that have no bf16.
NAMES = {
    "NVIDIA A100-SXM4-80GB": 312,
    "NVIDIA A100-SXM4-40GB": 312,
    "NVIDIA A100-PCIE-40GB": 312,
    "NVIDIA A100 80GB PCIe": 312,
    "NVIDIA A10G": 70,
    "NVIDIA A10": 125,
    "NVIDIA H100 80GB HBM3": 989.4,
    "NVIDIA H100 PCIe": 756,
    "NVIDIA H100 NVL": 835.5,
    "NVIDIA H200": 989.4,
    "NVIDIA H200 NVL": 835.5,
    "NVIDIA GH200 480GB": 989.4,
    "NVIDIA H20": 148,
    "NVIDIA B200": 2250,
    "NVIDIA GB200": 2500,
    "NVIDIA L4": 121,
    "NVIDIA L40": 181.05,
    "NVIDIA L40S": 362.05,
    "NVIDIA RTX A6000": 154.8,
    "NVIDIA RTX 6000 Ada Generation": 364,
    "NVIDIA GeForce RTX 3090": 71,
    "NVIDIA GeForce RTX 4090": 165.2,
    "NVIDIA GeForce RTX 5090": 209.5,
    "NVIDIA A40": 149.7,
    "Tesla T4": 65,
    "Tesla V100-SXM2-32GB": 125,
    "AMD Instinct MI300X": 1307.4,
    "AMD Instinct MI300X OAM": 1307.4,
    "AMD Instinct MI250X": 191.5,
}
OTHER_PARTS = [
    "NVIDIA GeForce RTX 4090 Laptop GPU",
    "NVIDIA GeForce RTX 4090 D",
    "NVIDIA GeForce RTX 3090 Ti",
    "NVIDIA RTX 6000 Ada Generation Laptop GPU",
    "NVIDIA RTX A6000 with Max-Q Design",
    "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
    "NVIDIA H100 80GB HBM3 MIG 3g.40gb",
    "NVIDIA A100-SXM-64GB",
    "NVIDIA H100 64GB HBM2",
    "NVIDIA H100",
    "NVIDIA H800",
    "Quadro RTX 6000",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition",
    "AMD EPYC",
    "Apple M3 Max",
    "",
]


@pytest.mark.parametrize(("name", "teraflops"), NAMES.items())
def test_a_name_of_torch_gives_the_dense_peak(name: str, teraflops: float) -> None:
    device = find_device(name)
    assert device is not None
    peak = device.peak(torch.bfloat16) or device.peak(torch.float16)
    assert peak is not None
    assert peak.value == teraflops * 1e12


@pytest.mark.parametrize("name", OTHER_PARTS)
def test_another_part_has_no_row(name: str) -> None:
    assert find_device(name) is None


@given(
    name=st.sampled_from(sorted(NAMES)),
    word=st.sampled_from(["Laptop", "Max-Q", "MIG 1g.10gb", "Ti", "SUPER", "vGPU", "X"]),
)
def test_a_word_that_the_row_does_not_know_rules_it_out(name: str, word: str) -> None:
    assert find_device(f"{name} {word}") is None


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_every_row_is_found_and_every_figure_has_its_source(device: Device) -> None:
    assert find_device(device.name) is device
    for words in device.names:
        assert find_device(" ".join(sorted(words))) is device
    assert set(device.dense_flops) <= set(get_args(Kind))
    cells = [*device.dense_flops.values(), device.sold_memory_bytes, device.memory_bytes, device.bytes_per_second]
    for cell in cells:
        assert cell is None or (cell.value > 0 and cell.source in SOURCES)
    if device.memory_bytes and device.sold_memory_bytes:
        assert 0.92 < device.memory_bytes.value / (device.sold_memory_bytes.value / 1e9 * 2**30) <= 1


def test_names_are_distinct() -> None:
    names = [words for device in DEVICES for words in {*device.names, words_of(device.name)}]
    assert len(names) == len(set(names))


def test_float32_products_are_those_of_tf32_where_the_switch_says_so() -> None:
    h100, t4 = find_device("NVIDIA H100 80GB HBM3"), find_device("Tesla T4")
    assert h100 and t4
    peaks = [h100.peak(torch.float32, matmul) for matmul in ("highest", "high", "medium")]
    assert [peak and round(peak.value / 1e11) for peak in peaks] == [669, 4947, 4947]
    assert t4.peak(torch.float32, "high") == t4.peak(torch.float32), "it has none"
    assert t4.peak(torch.bfloat16) is None and t4.peak(torch.int64) is None


def test_memory_is_what_torch_sees() -> None:
    """79.18 GiB of an H100 that is sold with 80 GB: more bytes than 80e9, fewer than 80 GiB."""
    h100 = find_device("h100-sxm")
    assert h100 and h100.memory_bytes
    assert h100.memory_bytes.value == pytest.approx(85.02e9, rel=1e-4)
