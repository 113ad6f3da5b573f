"""FLOPs of a training step, derived from what each part states about its forward pass. No training, no model files.

Conventions (one multiply-add is 2 FLOPs; norms, activations, softmax and lookups are left out): *exact* counts the
query-key pairs that the mask keeps, what an ideal kernel must do; *palm* counts all of them (Chowdhery et al. 2022,
arXiv 2204.02311, appendix B), for comparison with published numbers.

Derivation: a product y = W x costs its forward once more for the gradient of W, if W trains, and once more for the
gradient of x, if anything below it trains. Attention and recurrences take their gradients on both sides of each
product: twice the forward, if anything below trains. All trains: exactly 3x forward (6 N per token).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from zoo.component import Component, Cost

Parts = Sequence[tuple[str, Component]]  # (name, part) from input to output: `Decoder.parts()`


def forward_flops(parts: Parts, seq_len: int, *, palm: bool = False) -> int:
    """FLOPs of one sequence's forward pass.

    Args:
        parts: from input to output.
        seq_len: tokens of the sequence.
        palm: all query-key pairs, instead of those that the mask keeps.
    """
    costs = [part.cost(seq_len) for _, part in parts]
    return sum(cost.palm if palm else cost.exact for cost in costs)


def training_flops(parts: Parts, seq_len: int, *, palm: bool = False) -> int:
    """FLOPs of one sequence's forward and backward pass, without the optimizer's.

    Args:
        parts: from input to output; what trains is read from `requires_grad`.
        seq_len: tokens of the sequence.
        palm: all query-key pairs, instead of those that the mask keeps.

    Raises:
        ValueError: training begins inside a part of several products, so that its cost alone does not tell which of
            them need input gradients.
    """
    total, trains_below = 0, False
    for name, part in parts:
        cost = part.cost(seq_len)
        mixing = (cost.attention_dense if palm else cost.attention) + cost.recurrent
        total += cost.matmul + mixing + cost.weight_grad
        trains = any(p.requires_grad for p in part.parameters())
        if trains_below:
            total += cost.matmul + 2 * mixing
        elif trains and cost != Cost() and not _is_one_product(part):
            raise ValueError(
                f"training begins inside a part of {name} ({type(part).__name__}) that is more than one product, so "
                "its input gradients cannot be counted: let something before it train, or freeze all of it"
            )
        trains_below = trains_below or trains
    return total


def _is_one_product(part: Component) -> bool:
    """Whether one weight matrix (and its bias) is all there is: then nothing inside stands below what trains."""
    owners = [module for module in part.modules() if list(module.parameters(recurse=False))]
    if len(owners) != 1:
        return False
    return isinstance(owners[0], nn.Linear) or len(list(owners[0].parameters(recurse=False))) == 1


def count_flops(run: Callable[[], object]) -> int:
    """FLOPs that torch's counter sees while `run` runs: run it on the meta device, where they cost nothing.

    The plain SDPA kernel is forced: the CPU's fused one escapes the counter, the GPU's count its recomputation.
    """
    from torch.utils.flop_counter import FlopCounterMode  # here, as it imports triton, and a planner counts nothing

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()
