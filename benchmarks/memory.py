"""How near the predicted memory of a step comes to what a CUDA device allocates, over a grid of ways to train.

python benchmarks/memory.py                # predictions; with a CUDA device the measurements beside them

A step of a 12 x 768 decoder (sequences of 1,024) runs on tensors without memory, then for real: two steps to settle, a
third with the allocator's peak counter at zero. Without a CUDA device the measured column stays null: "not measured".
"""

from __future__ import annotations

import argparse
import functools
import itertools
from contextlib import nullcontext
from typing import Any

import torch
from _results import write
from torch import Tensor, nn

from zoo.accounting.memory import StepMemory, fake_tensors, step_memory
from zoo.attention import FullAttention
from zoo.blocks import PreNorm
from zoo.decoder import Decoder
from zoo.ffns import GLU
from zoo.heads import LinearHead, TiedHead
from zoo.inits import GPT2Init
from zoo.inits.base import initialise
from zoo.norms import RMSNorm
from zoo.optimizers import SGD, AdamW
from zoo.optimizers.base import role_groups
from zoo.positions import RotaryEmbedding

SEQ_LEN, SEQUENCES, VOCAB_SIZE = 1024, 8, 50_304
GRID: dict[str, dict[str, Any]] = {
    "dtype": {"float32": False, "bf16 mixed": True},
    "checkpointing": {"off": False, "on": True},
    "optimizer": {"AdamW": AdamW, "SGD": SGD, "torch AdamW": torch.optim.AdamW},
    "accumulate": {"1": 1, "4": 4},
    "head": {"linear": LinearHead, "tied": TiedHead},
}


def make(head: Any) -> Decoder:
    return Decoder(
        vocab_size=VOCAB_SIZE,
        d_model=768,
        num_layers=12,
        position=RotaryEmbedding,
        attention=functools.partial(FullAttention, num_heads=12),
        ffn=GLU,
        norm=RMSNorm,
        block=PreNorm,
        head=head,
        layers=None,
    )


def loss_of(model: Decoder, ids_BT: Tensor, mixed: bool, device: str) -> Tensor:
    with torch.autocast(device, torch.bfloat16, cache_enabled=False) if mixed else nullcontext():
        return model.loss(ids_BT, ids_BT).nats_sum


def predicted(mixed: bool, checkpointing: bool, optimizer: Any, accumulate: int, head: Any) -> StepMemory:
    with fake_tensors():
        model = make(head)
        model.checkpointing = checkpointing
        ids_BT = torch.zeros(SEQUENCES, SEQ_LEN, dtype=torch.long)
        return step_memory(
            model,
            loss=lambda: loss_of(model, ids_BT, mixed, "cpu"),
            batch=[ids_BT],
            optimizer=optimizer(role_groups(model)),
            accumulate=accumulate,
            gradient_clip=1.0,
            cuda=True,
        )


def measured(mixed: bool, checkpointing: bool, optimizer: Any, accumulate: int, head: Any) -> dict[str, int]:
    """What the allocator gave out at most, and what it held of the device for that."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    model = make(head)
    initialise(model, GPT2Init(), seed=0, num_layers=12)
    model.cuda().checkpointing = checkpointing
    made = optimizer(role_groups(model))
    ids_BT = torch.zeros(SEQUENCES, SEQ_LEN, dtype=torch.long, device="cuda")
    for step in range(3):
        made.zero_grad(set_to_none=True)
        if step == 2:
            torch.cuda.reset_peak_memory_stats()
        for _ in range(accumulate):
            loss_of(model, ids_BT, mixed, "cuda").backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        made.step()
    torch.cuda.synchronize()
    return {
        "allocated": torch.cuda.max_memory_allocated() - before,
        "reserved": torch.cuda.max_memory_reserved(),
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rows = []
    on_cuda = torch.cuda.is_available()
    for names in itertools.product(*GRID.values()):
        options = [GRID[key][name] for key, name in zip(GRID, names, strict=True)]
        memory = predicted(*options)
        found = measured(*options) if on_cuda else None
        row: dict[str, Any] = {
            **dict(zip(GRID, names, strict=True)),
            "predicted_bytes": memory.peak_bytes,
            "peak_phase": memory.peak_phase,
            "measured_bytes": found["allocated"] if found else None,
            "reserved_bytes": found["reserved"] if found else None,
            "predicted_over_measured": memory.peak_bytes / found["allocated"] if found else None,
        }
        rows.append(row)
        said = f"{row['predicted_over_measured']:.3f} of measured" if found else "not measured"
        print(f"{', '.join(f'{key} {name}' for key, name in zip(GRID, names, strict=True))}: "
              f"{memory.peak_bytes / 2**30:.2f} GiB in {memory.peak_phase}, {said}")  # fmt: skip
    print(write("memory", rows))


if __name__ == "__main__":
    main()
