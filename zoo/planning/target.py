"""The device that a plan is for: one of the table by its name, or the one at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from zoo.accounting.devices import DEVICES, SOURCES, find_device
from zoo.wording import nearest


@dataclass(frozen=True)
class Target:
    """Attributes:
    name: of the device.
    flops_per_second: its peak in the dtype of the run.
    peak_source: "published" by its maker, or "measured_gemm".
    memory_bytes: that torch may allocate of; None: no source states it.
    memory_kind: whose figure that is, in words.
    sources: where the figures stand; empty for the device at hand.
    bytes_per_second: of its memory; None: not known.
    cuda: whether a run there uses CUDA's kernels and allocator.
    spread: of the measurement, where the peak is measured: (best - worst) / median.
    """

    name: str
    flops_per_second: float
    peak_source: str
    memory_bytes: int | None
    memory_kind: str
    sources: tuple[str, ...]
    bytes_per_second: float | None
    cuda: bool
    spread: float | None = None


def target_of(device: str | None, dtype: torch.dtype, *, matmul: str = "highest") -> Target:
    """The device of a plan.

    Args:
        device: a name of the table ("h100-sxm"), or as torch gives it; cpu or cuda: the one at hand; None: the one that
            a run would take here.
        dtype: that the run multiplies in.
        matmul: torch's switch for float32 products.

    Raises:
        ValueError: the table has no such device, or nobody states its peak in this dtype.
    """
    if device in (None, "cpu", "cuda"):
        return _at_hand(device or ("cuda" if torch.cuda.is_available() else "cpu"), dtype, matmul)
    row = find_device(device or "")
    if row is None:
        names = [each.name for each in DEVICES]
        raise ValueError(f"no device {device!r} in the table{nearest(device or '', names)} It has {', '.join(names)}")
    peak = row.peak(dtype, matmul)
    if peak is None:
        wanted = str(dtype).removeprefix("torch.")
        raise ValueError(f"no source states the peak of {row.name} in {wanted}: it has {', '.join(row.dense_flops)}")
    memory = row.memory_bytes or row.sold_memory_bytes
    kind = "as torch reports it" if row.memory_bytes else "as sold: torch will see less"
    cells = [cell for cell in (peak, memory, row.bytes_per_second) if cell is not None]
    return Target(
        name=row.name,
        flops_per_second=peak.value,
        peak_source="published",
        memory_bytes=None if memory is None else int(memory.value),
        memory_kind="no source states it" if memory is None else kind,
        sources=tuple(dict.fromkeys(SOURCES[cell.source] for cell in cells)),
        bytes_per_second=None if row.bytes_per_second is None else row.bytes_per_second.value,
        cuda=True,
    )


def _at_hand(kind: str, dtype: torch.dtype, matmul: str) -> Target:
    from zoo.accounting.peak import peak_of

    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch sees no CUDA device here; a device of the table goes by its own name")
    peak = peak_of(kind, dtype, matmul=matmul)
    row, memory = None, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if kind == "cuda":
        row, memory = find_device(peak.device_name), torch.cuda.get_device_properties(0).total_memory
    return Target(
        name=row.name if row else peak.device_name,
        flops_per_second=peak.flops_per_second,
        peak_source=peak.source,
        memory_bytes=memory,
        memory_kind="this machine",
        sources=(),
        bytes_per_second=row.bytes_per_second.value if row and row.bytes_per_second else None,
        cuda=kind == "cuda",
        spread=peak.spread,
    )
