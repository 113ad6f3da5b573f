"""Keys and values of past tokens, for attention that reads them again with every new one."""

from __future__ import annotations

import torch
from torch import Tensor


class KVCache:
    """Keys and values of the last `capacity` tokens, with their positions and documents.

    Keys are stored turned by their absolute position, so that nothing is computed twice.

    Args:
        batch_size, capacity, num_kv_heads, head_dim: shape; capacity in tokens.
        rolling: whether the oldest tokens make room for new ones, because no query reads that far back.
    """

    def __init__(
        self,
        batch_size: int,
        capacity: int,
        num_kv_heads: int,
        head_dim: int,
        *,
        rolling: bool = False,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        self.capacity, self.rolling = capacity, rolling
        self.length = 0  # slots in use
        self.keys_BKSE = torch.zeros(batch_size, num_kv_heads, capacity, head_dim, device=device, dtype=dtype)
        self.values_BKSE = torch.zeros_like(self.keys_BKSE)
        self.positions_BS = torch.full((batch_size, capacity), -1, device=device)
        self.documents_BS = torch.zeros((batch_size, capacity), dtype=torch.long, device=device)

    @staticmethod
    def bytes_for(batch_size: int, capacity: int, num_kv_heads: int, head_dim: int, dtype: torch.dtype) -> int:
        keys_and_values = 2 * batch_size * capacity * num_kv_heads * head_dim * dtype.itemsize
        positions_and_documents = 2 * batch_size * capacity * torch.long.itemsize
        return keys_and_values + positions_and_documents

    def num_bytes(self) -> int:
        tensors = (self.keys_BKSE, self.values_BKSE, self.positions_BS, self.documents_BS)
        return sum(t.numel() * t.element_size() for t in tensors)

    def append(self, k_BKTE: Tensor, v_BKTE: Tensor, positions_BT: Tensor, documents_BT: Tensor | None) -> list[Tensor]:
        """Remember new tokens; returns [keys, values, positions, documents] that the new queries may read: what was
        remembered before, then all new ones. Of those, the last `capacity` stay.

        Raises:
            ValueError: more tokens than a cache that does not roll was made for.
        """
        length = self.length + k_BKTE.shape[2]
        if length > self.capacity and not self.rolling:
            raise ValueError(f"the cache was made for max_len={self.capacity} tokens, and these make {length}")
        if documents_BT is None:
            documents_BT = torch.zeros_like(positions_BT)
        new = (k_BKTE, v_BKTE, positions_BT, documents_BT)
        stored = (self.keys_BKSE, self.values_BKSE, self.positions_BS, self.documents_BS)
        axes = (2, 2, 1, 1)
        readable = []
        kept = min(self.capacity, length)
        for tensor, fresh, axis in zip(stored, new, axes, strict=True):
            seen = torch.cat([tensor.narrow(axis, 0, self.length), fresh.to(tensor.dtype)], dim=axis)
            tensor.narrow(axis, 0, kept).copy_(seen.narrow(axis, seen.shape[axis] - kept, kept))
            readable.append(seen)
        self.length = kept
        return readable
