"""A matrix of its own from the last hidden state to scores of the vocabulary.

Source: Bengio, Ducharme, Vincent & Jauvin 2003, "A Neural Probabilistic Language Model", JMLR 3:1137-1155; untied as in
Llama (Touvron et al. 2023, arXiv 2302.13971).
Equation: logits = W x (+ b); nats of target t = log Σ exp(logits) - logits_t.
"""

from __future__ import annotations

from torch import Tensor, nn

from zoo.component import Cost, Embedding, linear_cost, linear_roles
from zoo.heads.base import Head


class LinearHead(Head):
    """Untied: vocab_size x d_model parameters of its own.

    Args:
        d_model: width of the stream.
        vocab_size: in tokens.
        embedding: of the model; not used.
        bias: whether each token has a bias.
    """

    def __init__(self, *, d_model: int, vocab_size: int, embedding: Embedding, bias: bool = False):
        super().__init__()
        self.unembed = nn.Linear(d_model, vocab_size, bias=bias)
        self.roles = linear_roles("head", unembed=self.unembed)

    def logits(self, x_BTD: Tensor) -> Tensor:
        return self.unembed(x_BTD)

    def cost(self, seq_len: int, past_len: int = 0) -> Cost:
        return linear_cost(seq_len, self.unembed)
