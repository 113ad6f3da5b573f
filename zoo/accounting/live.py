"""What tensors a run holds, by what they are for: every storage that torch makes is noted until it is freed.

It works on real tensors and on fake ones alike (`FakeTensorMode`: shapes without memory), so that a step can be weighed
before any machine has room for it.
"""

from __future__ import annotations

import contextlib
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Category = str  # one of CATEGORIES
CATEGORIES = (
    "weights",
    "master copy",
    "gradients",
    "optimizer state",
    "autocast copies",
    "activations",
    "loss",
    "temporaries",
    "batch",
)
LOSS = "loss"  # owner of what is saved outside of every part of the model

# Casts, as autocast makes them of each weight that enters a product.
_CASTS = {torch.ops.aten._to_copy}


class _Storage(NamedTuple):
    reference: Any  # weak: its callback forgets the storage
    num_bytes: int
    category: Category
    owner: str  # the part of the model that saved it for the backward pass; "" where none did


class LiveStorages(TorchDispatchMode):
    """Counts the bytes of storages that are alive, each once, however many tensors look at it.

    Args:
        granularity: an allocation takes a multiple of so many bytes (512 with torch's CUDA allocator).
        shares: category -> among how many devices it is divided; where the highest moment is depends on it. All figures
            are of one device.

    Attributes:
        now: bytes by category, at this moment.
        peak: bytes by category at the highest moment since `start_phase`.
    """

    def __init__(self, *, granularity: int = 1, shares: Mapping[Category, int] = MappingProxyType({})):
        super().__init__()
        self.now: Counter[Category] = Counter()
        self.peak: Counter[Category] = Counter()
        self._owners = [LOSS]  # the part of the model that runs, and those that called it
        self._granularity, self.shares = granularity, dict(shares)
        self._storages: dict[int, _Storage] = {}
        self._total = self._peak_total = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        category = "autocast copies" if self._casts_a_weight(func, args) else "temporaries"
        for made in tree_leaves(out):
            if isinstance(made, Tensor):
                self._note(made, category)
        return out

    def hold(self, tensors: Iterable[Tensor], category: Category) -> None:
        """Put tensors down to a category, whatever they were before."""
        for tensor in tensors:
            self._note(tensor, category)
            self._move(tensor.untyped_storage()._cdata, category)

    def start_phase(self) -> None:
        """Forget the peak so far."""
        self._peak_total, self.peak = -1.0, Counter()
        self._look()

    def divide(self, category: Category, num_devices: int) -> None:
        """From here on a category is divided among so many devices."""
        self._total += self.now[category] * (1 / num_devices - self._part(category))
        self.shares[category] = num_devices

    def of_one_device(self, counts: Mapping[Category, int]) -> dict[Category, int]:
        """What is left of some bytes on each of the devices."""
        return {c: -(-num_bytes // self.shares.get(c, 1)) for c, num_bytes in counts.items() if num_bytes}

    def saved_by(self) -> dict[str, int]:
        """Bytes that are saved for the backward pass, by the part of the model that saved them; weights and their
        copies apart."""
        found: Counter[str] = Counter()
        for storage in self._storages.values():
            if storage.owner:
                found[storage.owner] += storage.num_bytes
        return dict(found)

    @contextlib.contextmanager
    def owned(self, owners: Mapping[nn.Module, str]) -> Iterator[None]:
        """Within, what a module saves while it runs is put down to its owner, the innermost where they are nested."""
        removable = []
        for module, owner in owners.items():
            enter = partial(self._enter, owner)
            removable.append(module.register_forward_pre_hook(enter))
            removable.append(module.register_forward_hook(self._leave, always_call=True))
        try:
            yield
        finally:
            for hook in removable:
                hook.remove()

    @contextlib.contextmanager
    def noting_saved(self) -> Iterator[None]:
        """Within, what autograd saves for the backward pass is put down to activations, or to the loss."""
        with torch.autograd.graph.saved_tensors_hooks(self._save, lambda tensor: tensor):
            yield

    def _enter(self, owner: str, *args: Any) -> None:
        self._owners.append(owner)

    def _leave(self, *args: Any) -> None:
        self._owners.pop()

    def _save(self, tensor: Tensor) -> Tensor:
        self._note(tensor, "temporaries")
        key = tensor.untyped_storage()._cdata
        known, owner = self._storages[key], self._owners[-1]
        if not known.owner and known.category in ("temporaries", "batch"):
            self._storages[key] = known._replace(owner=owner)
            if known.category == "temporaries":
                self._move(key, LOSS if owner == LOSS else "activations")
        return tensor

    def _move(self, key: int, category: Category) -> None:
        known = self._storages[key]
        self.now[known.category] -= known.num_bytes
        self.now[category] += known.num_bytes
        self._total += known.num_bytes * (self._part(category) - self._part(known.category))
        self._storages[key] = known._replace(category=category)
        self._look()

    def _casts_a_weight(self, func: Any, args: Any) -> bool:
        if func.overloadpacket not in _CASTS or not isinstance(args[0], Tensor):
            return False
        known = self._storages.get(args[0].untyped_storage()._cdata)
        return known is not None and known.category == "weights"

    def _note(self, tensor: Tensor, category: Category) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._storages:
            return
        num_bytes = -(-storage.nbytes() // self._granularity) * self._granularity
        reference = weakref.ref(storage, partial(self._forget, key))
        self._storages[key] = _Storage(reference, num_bytes, category, "")
        self.now[category] += num_bytes
        self._total += num_bytes * self._part(category)
        self._look()

    def _forget(self, key: int, _reference: Any) -> None:
        gone = self._storages.pop(key)
        self.now[gone.category] -= gone.num_bytes
        self._total -= gone.num_bytes * self._part(gone.category)

    def _part(self, category: Category) -> float:
        return 1 / self.shares.get(category, 1)

    def _look(self) -> None:
        if self._total > self._peak_total or (self._total == self._peak_total and self.now != self.peak):
            self._peak_total, self.peak = self._total, Counter(self.now)


class SavedTensors:
    """Bytes that autograd saves for the backward pass, parameters apart: each storage once, and held, so that none is
    freed and its place taken by another.

    Within `with SavedTensors(model) as saved:`, run a forward pass; then `saved.num_bytes`.
    """

    def __init__(self, model: nn.Module):
        self._parameters = {p.untyped_storage()._cdata for p in model.parameters()}
        self._held: dict[int, Tensor] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._save, lambda tensor: tensor)

    def __enter__(self) -> SavedTensors:
        self._hooks.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._hooks.__exit__(*args)

    @property
    def num_bytes(self) -> int:
        return sum(tensor.untyped_storage().nbytes() for tensor in self._held.values())

    def _save(self, tensor: Tensor) -> Tensor:
        key = tensor.untyped_storage()._cdata
        if key not in self._parameters:
            self._held[key] = tensor
        return tensor
