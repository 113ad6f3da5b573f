"""FLOPs of a model by what does them."""

from __future__ import annotations

from collections import Counter

from zoo.accounting.flops import Documents
from zoo.decoder import Decoder


def forward_flops_by_family(model: Decoder, seq_len: int, documents: Documents | None = None) -> dict[str, int | float]:
    """Exact forward FLOPs of one sequence: attention's products with weights, its query-key pairs, recurrences, and
    each other family that multiplies.

    Args:
        model: whose parts are asked.
        seq_len: tokens of the sequence.
        documents: as for `zoo.accounting.flops.forward_flops`.
    """
    found: Counter[str] = Counter()
    within = {seq_len: 1.0} if documents is None else documents
    for block in model.blocks:
        attention, ffn = block.attention.cost(seq_len), block.ffn.cost(seq_len)
        found["attention projections"] += attention.matmul
        pairs = sum(number * block.attention.cost(length).attention for length, number in within.items())
        found["attention pairs"] += pairs  # type: ignore[assignment]  # a mean
        found["attention recurrence"] += attention.recurrent
        found["ffns"] += ffn.exact
        found["blocks"] += block.cost(seq_len).exact - attention.exact - ffn.exact
    for family, part in model.parts():
        if family != "blocks":
            found[family] += part.cost(seq_len).exact
    return {family: flops for family, flops in found.items() if flops}
