"""The peak of the device at hand: what its maker states, or else what its products are measured to reach.

Never a guess: a device that is not in the table is measured, as every CPU is.
"""

from __future__ import annotations

import torch

from zoo.accounting.devices import Peak, find_device
from zoo.accounting.gemm_peak import measured_peak


def peak_of(device: torch.device | str, dtype: torch.dtype, *, matmul: str | None = None, again: bool = False) -> Peak:
    """The peak for products in a dtype.

    Args:
        device: cpu or cuda.
        dtype: that the run multiplies in.
        matmul: torch's switch for float32 products; None: as it stands now.
        again: measure anew where it has to be measured, and keep the higher.

    Raises:
        ValueError: neither a maker nor a measurement gives a peak for this device and dtype.
    """
    device = torch.device(device)
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        row = find_device(name)
        cell = row.peak(dtype, matmul or torch.get_float32_matmul_precision()) if row else None
        if cell:
            return Peak(cell.value, "published", dtype, name)
    return measured_peak(device, dtype, matmul=matmul, again=again)
