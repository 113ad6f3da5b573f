"""Scores of the vocabulary by the embedding table itself.

Source: Press & Wolf 2017, "Using the Output Embedding to Improve Language Models", arXiv 1608.05859; Inan, Khosravi &
Socher 2017, arXiv 1611.01462.
Equation: logits = E x, with E the table that embeds the input.
"""

from __future__ import annotations

from torch import Tensor, nn

from zoo.component import Cost, Embedding, Role
from zoo.heads.base import Head


class TiedHead(Head):
    """Adds no parameters, and costs what an untied head costs.

    The table's role becomes an embedding that sums over d_model inputs: an init that gives a pure lookup N(0, 1) would
    start this model at a loss of over a hundred nats.

    Args:
        d_model: width of the stream.
        vocab_size: in tokens.
        embedding: whose table is shared.

    Raises:
        ValueError: the table is of another shape than (vocab_size, d_model).
    """

    weight: nn.Parameter

    def __init__(self, *, d_model: int, vocab_size: int, embedding: Embedding):
        super().__init__()
        if embedding.weight.shape != (vocab_size, d_model):
            came = tuple(embedding.weight.shape)
            raise ValueError(f"a tied head needs an embedding of shape {(vocab_size, d_model)}, got {came}")
        self.weight = embedding.weight
        self.roles = {"weight": Role("embedding", fan_in=d_model)}

    def logits(self, x_BTD: Tensor) -> Tensor:
        return nn.functional.linear(x_BTD, self.weight)

    def cost(self, seq_len: int, past_len: int = 0) -> Cost:
        flops = 2 * seq_len * self.weight.numel()
        return Cost(matmul=flops, weight_grad=flops if self.weight.requires_grad else 0)
