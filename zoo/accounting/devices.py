"""What accelerators do at best, as their makers state it: dense products per second by dtype, memory, bandwidth.

A device is found by the words of the name that torch gives it (`torch.cuda.get_device_name()`): the row with the most
words wins, and a word that the row does not account for ("Laptop", "Max-Q", "MIG", "Ti") rules it out. So a part that
is not in the table has no row, rather than that of its namesake.

Figures are dense: makers like to print those for 2:4 sparsity, which are twice as high. Where a rate depends on the
accumulator, it is that of float32, in which training accumulates. What no source states is absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch

Kind = Literal["bf16", "fp16", "tf32", "fp32", "fp8", "int8"]  # what multiplies
GIB = 2**30
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "lightning": "datasheets linked in Lightning-AI/pytorch-lightning, fabric/utilities/throughput.py",
        "ml-engineering": "makers' pages linked in stas00/ml-engineering, compute/accelerator/README.md",
        "torchtitan": "pytorch/torchtitan, torchtitan/tools/utils.py",
        "blackwell": "NVIDIA, table of GB200 NVL72 and HGX B200",
        "l40": "NVIDIA, table of L40 and L40S",
        "hmc": "hmc-tech.com, rates of each part by accumulator",
        "nanochat": "karpathy/nanochat, issue 60",
        "a10g": "Baseten, A10 beside A10G",
        "tpu": "docs.cloud.google.com/tpu",
        "seen": "total memory in torch's own out-of-memory messages, public issues of stepfun-ai/Step-Video-T2V (8), "
        "QwenLM/Qwen3-VL (2097), 3DTopia/Phidias-Diffusion (8), Wan-Video/Wan2.1 (465), wbfwonderful/Vad-R1 (11), "
        "TianheWu/CoSeR (10); logs in pytorch/torchtitan",
    }
)
_VENDORS = frozenset({"nvidia", "amd", "geforce", "tesla", "instinct", "google"})


@dataclass(frozen=True)
class Peak:
    """FLOPs per second that MFU is held against.

    Attributes:
        flops_per_second: of one device; of a CPU, with the threads that were asked for.
        source: "published", by the device's maker, or "measured_gemm".
        dtype: that the products are in.
        device_name: as the system calls it.
        spread: where measured, (best block - worst block) / median block, at the size that gave the peak: how much to
            believe it.
    """

    flops_per_second: float
    source: str
    dtype: torch.dtype
    device_name: str
    spread: float | None = None


@dataclass(frozen=True)
class Cell:
    """A figure, and who states it: a key of `SOURCES`."""

    value: float
    source: str


@dataclass(frozen=True)
class Device:
    """One product in one form, as torch sees it: half a package where torch sees two devices.

    Attributes:
        name: how `zoo` calls it, and may be asked for it.
        names: word sets by which it is found.
        others: words that its name may have besides.
        dense_flops: FLOPs per second by what multiplies.
        sold_memory_bytes: the figure in its name, 1 GB as 1e9 bytes.
        memory_bytes: what torch reports as total, less than what is sold; None: not known.
        bytes_per_second: of its memory.
    """

    name: str
    names: tuple[frozenset[str], ...]
    others: frozenset[str]
    dense_flops: Mapping[Kind, Cell]
    sold_memory_bytes: Cell | None
    memory_bytes: Cell | None
    bytes_per_second: Cell | None

    def peak(self, dtype: torch.dtype, matmul: str = "highest") -> Cell | None:
        """FLOPs per second of products in a dtype; None where no source states them.

        Args:
            matmul: torch's switch for float32 products: below "highest" they are TF32's, where the device has it.
        """
        kinds: dict[torch.dtype, Kind] = {
            torch.bfloat16: "bf16",
            torch.float16: "fp16",
            torch.float32: "fp32",
            torch.float8_e4m3fn: "fp8",
            torch.float8_e5m2: "fp8",
            torch.int8: "int8",
        }
        kind = kinds.get(dtype)
        if kind == "fp32" and matmul != "highest" and "tf32" in self.dense_flops:
            kind = "tf32"
        return self.dense_flops.get(kind) if kind else None


def words_of(name: str) -> frozenset[str]:
    """Words of a device's name, without those that say who makes it."""
    return frozenset(re.findall(r"[a-z0-9]+", name.lower())) - _VENDORS


def find_device(name: str) -> Device | None:
    """The row of a device by the name that torch gives it, or by `Device.name` ("h100-sxm"); None: there is none."""
    words, best, most = words_of(name), None, 0
    for device in DEVICES:
        for needed in (*device.names, words_of(device.name)):
            if needed <= words and words <= needed | device.others and len(needed) > most:
                best, most = device, len(needed)
    return best


_Figure = float | tuple[float, str]


def _row(
    name: str,
    found_by: str,
    source: str,
    teraflops: Mapping[Kind, _Figure],
    *,
    others: str = "",
    memory: _Figure | None = None,
    visible: _Figure | None = None,
    bandwidth: _Figure | None = None,
) -> Device:
    """TFLOP/s, GB, visible GiB, GB/s; a figure with a source of its own is a pair."""

    def cell(figure: _Figure, unit: float) -> Cell:
        value, stated_by = figure if isinstance(figure, tuple) else (figure, source)
        return Cell(value * unit, stated_by)

    return Device(
        name=name,
        names=tuple(words_of(each) for each in found_by.split("|")),
        others=words_of(others),
        dense_flops=MappingProxyType({kind: cell(figure, 1e12) for kind, figure in teraflops.items()}),
        sold_memory_bytes=None if memory is None else cell(memory, 1e9),
        memory_bytes=None if visible is None else cell(visible, GIB),
        bytes_per_second=None if bandwidth is None else cell(bandwidth, 1e9),
    )


_Flops = dict[Kind, _Figure]


def _nvidia() -> Iterator[Device]:
    for size in (16, 32):
        yield _row(f"v100-sxm-{size}gb", f"V100-SXM2-{size}GB", "lightning", {"fp16": 125, "fp32": 15.7}, memory=size)
        yield _row(f"v100-pcie-{size}gb", f"V100-PCIE-{size}GB", "lightning", {"fp16": 112, "fp32": 14}, memory=size)
    yield _row("t4", "T4", "lightning", {"fp16": 65, "fp32": 8.1, "int8": 130}, memory=16)

    a100: _Flops = {"bf16": 312, "fp16": 312, "tf32": 156, "fp32": 19.5, "int8": 624}
    yield _row("a100-sxm-40gb", "A100-SXM4-40GB", "lightning", a100, memory=40, visible=(39.5, "seen"))
    yield _row("a100-pcie-40gb", "A100-PCIE-40GB", "lightning", a100, memory=40)
    for form, name, bandwidth in (("sxm", "A100-SXM4-80GB", 2039), ("pcie", "A100 80GB PCIe", 1935)):
        rate = (bandwidth, "ml-engineering")
        yield _row(f"a100-{form}", name, "lightning", a100, memory=80, visible=(79.25, "seen"), bandwidth=rate)
    a10: _Flops = {"bf16": 125, "fp16": 125, "tf32": 62.5, "fp32": 31.2}
    yield _row("a10", "A10", "lightning", a10, memory=24, bandwidth=600)
    a10g: _Flops = {"bf16": 70, "fp16": 70, "tf32": 35, "fp32": 31.5}
    yield _row("a10g", "A10G", "a10g", a10g, memory=24, bandwidth=600)
    a40: _Flops = {"bf16": 149.7, "fp16": 149.7, "tf32": 74.8, "fp32": 37.4}
    yield _row("a40", "A40", "lightning", a40, memory=48, bandwidth=696)
    a6000: _Flops = {"bf16": 154.8, "fp16": 154.8, "tf32": 77.4, "fp32": 38.7}
    yield _row("rtx-a6000", "RTX A6000", "torchtitan", a6000, memory=48, bandwidth=768)
    rtx_3090: _Flops = {"bf16": 71, "fp16": 71, "tf32": 35.6, "fp32": 35.6}
    yield _row("rtx-3090", "RTX 3090", "nanochat", rtx_3090, memory=24, bandwidth=936)

    l4: _Flops = {"bf16": 121, "fp16": 121, "tf32": 60, "fp32": 30.3, "fp8": 242.5}
    yield _row("l4", "L4", "lightning", l4, memory=24, bandwidth=300)
    l40: _Flops = {"bf16": 181.05, "fp16": 181.05, "tf32": 90.5, "fp32": 90.5, "fp8": 362}
    yield _row("l40", "L40", "l40", l40, memory=48, visible=(44.4, "seen"), bandwidth=864)
    l40s: _Flops = {"bf16": 362.05, "fp16": 362.05, "tf32": 183, "fp32": 91.6, "fp8": 733}
    yield _row("l40s", "L40S", "l40", l40s, memory=48, visible=(44.42, "seen"), bandwidth=864)
    ada: _Flops = {"bf16": 364, "fp16": 364, "fp32": 91.1}
    yield _row("rtx-6000-ada", "RTX 6000 Ada Generation", "nanochat", ada, memory=48, bandwidth=960)
    rtx_4090: _Flops = {"bf16": 165.2, "fp16": 165.2, "tf32": 82.6, "fp32": 82.6, "fp8": 330.3}
    yield _row("rtx-4090", "RTX 4090", "hmc", rtx_4090, memory=24, visible=(23.64, "seen"), bandwidth=1008)

    h100: _Flops = {"bf16": 989.4, "fp16": 989.4, "tf32": 494.7, "fp32": 66.9, "fp8": 1978.9}
    yield _row("h100-sxm", "H100 80GB HBM3", "lightning", h100, memory=80, visible=(79.18, "seen"), bandwidth=3350)
    pcie: _Flops = {"bf16": 756, "fp16": 756, "tf32": 378, "fp32": 51.2, "fp8": 1513}
    yield _row("h100-pcie", "H100 PCIe", "lightning", pcie, memory=80, bandwidth=2000)
    nvl: _Flops = {"bf16": 835.5, "fp16": 835.5, "tf32": 417.5, "fp32": 60, "fp8": 1670.5}
    yield _row("h100-nvl", "H100 NVL", "lightning", nvl, memory=94, bandwidth=3900)
    yield _row("h200-sxm", "H200", "ml-engineering", h100, memory=141, visible=(139.8, "seen"), bandwidth=4800)
    yield _row("h200-nvl", "H200 NVL", "nanochat", nvl, memory=141, bandwidth=(4800, "ml-engineering"))
    yield _row("h20", "H20", "torchtitan", {"bf16": 148, "fp16": 148}, memory=96)
    grace: _Flops = {**h100, "fp32": 67, "fp8": 1979}
    yield _row("gh200-96gb", "GH200 480GB", "ml-engineering", grace, memory=96, bandwidth=4000)
    yield _row("gh200-144gb", "GH200 144G HBM3e", "ml-engineering", grace, memory=141, bandwidth=4800)

    b200: _Flops = {"bf16": 2250, "fp16": 2250, "fp8": 4500}
    measured: _Flops = {"tf32": (1125, "hmc"), "fp32": (75, "hmc")}
    yield _row("b200", "B200", "blackwell", {**b200, **measured}, memory=180, bandwidth=(7700, "hmc"))
    gb200: _Flops = {"bf16": 2500, "fp16": 2500, "tf32": 1250, "fp32": 80, "fp8": 5000}
    yield _row("gb200", "GB200", "blackwell", gb200, memory=186, bandwidth=8000)
    yield _row("b300", "B300", "ml-engineering", {**b200, "tf32": 1125, "fp32": 80}, memory=288, bandwidth=8000)
    yield _row("gb300", "GB300", "ml-engineering", gb200, memory=288, bandwidth=8000)
    rtx_5090: _Flops = {"bf16": 209.5, "fp16": 209.5, "tf32": 104.8, "fp32": 104.8, "fp8": 419}
    yield _row("rtx-5090", "RTX 5090", "hmc", rtx_5090, memory=32, visible=(31.37, "seen"), bandwidth=1792)


def _amd() -> Iterator[Device]:
    mi250x: _Flops = {"bf16": 191.5, "fp16": 191.5, "fp32": 47.9}
    yield _row("mi250x", "MI250X|MI250X / MI250", "torchtitan", mi250x, memory=64, bandwidth=1640)
    mi300x: _Flops = {"bf16": 1307.4, "fp16": 1307.4, "tf32": 653.7, "fp32": 163.4, "fp8": 2614.9}
    yield _row("mi300x", "MI300X", "ml-engineering", mi300x, others="OAM", memory=192, bandwidth=5300)
    yield _row("mi325x", "MI325X", "ml-engineering", mi300x, others="OAM", memory=256, bandwidth=6000)
    mi355x: _Flops = {"bf16": 2500, "fp16": 2500, "fp32": 157.3, "fp8": 5000}
    yield _row("mi355x", "MI355X", "ml-engineering", mi355x, others="OAM", memory=288, bandwidth=8000)


def _google() -> Iterator[Device]:
    yield _row("tpu-v4", "TPU v4", "ml-engineering", {"bf16": 275, "int8": 275}, memory=32, bandwidth=1200)
    yield _row("tpu-v5e", "TPU v5e|TPU v5 lite", "tpu", {"bf16": 197, "int8": 393}, memory=16, bandwidth=819)
    yield _row("tpu-v5p", "TPU v5p", "ml-engineering", {"bf16": 459, "int8": 918}, memory=95, bandwidth=2765)
    v6e: _Flops = {"bf16": 918, "fp8": 918, "int8": 1836}
    yield _row("tpu-v6e", "TPU v6e|TPU v6 lite", "tpu", v6e, memory=32, bandwidth=1638)
    yield _row("tpu-7x", "TPU 7x|TPU v7x", "ml-engineering", {"bf16": 1153.5})  # a chip is two devices


DEVICES: tuple[Device, ...] = (*_nvidia(), *_amd(), *_google())
