"""FLOPs of a model by what does them."""

from __future__ import annotations

from collections import Counter

from zoo.decoder import Decoder


def forward_flops_by_family(model: Decoder, seq_len: int) -> dict[str, int]:
    """Exact forward FLOPs of one sequence: attention's products with weights, its query-key pairs, recurrences, and
    each other family that multiplies."""
    found: Counter[str] = Counter()
    for block in model.blocks:
        attention, ffn = block.attention.cost(seq_len), block.ffn.cost(seq_len)
        found["attention projections"] += attention.matmul
        found["attention pairs"] += attention.attention
        found["attention recurrence"] += attention.recurrent
        found["ffns"] += ffn.exact
        found["blocks"] += block.cost(seq_len).exact - attention.exact - ffn.exact
    for family, part in model.parts():
        if family != "blocks":
            found[family] += part.cost(seq_len).exact
    return {family: flops for family, flops in found.items() if flops}
