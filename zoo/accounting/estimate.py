"""The field's rules of thumb, each with its source: how much work, how long, how many bytes; no model is needed."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS_PER_DAY = 86_400
TOKENS_PER_PARAM = 20  # Hoffmann et al. 2022 (Chinchilla), arXiv 2203.15556: 1.4T tokens for 70B parameters


def six_nd(params: float, tokens: float) -> float:
    """Training FLOPs of a dense model without its attention: 2 forward and 4 backward per parameter and token (Kaplan
    et al. 2020, arXiv 2001.08361, section 2.1)."""
    return 6 * params * tokens


def compute_optimal_tokens(params: float) -> float:
    """Tokens at which a model of this size is the best for its training FLOPs, by Chinchilla's rule."""
    return TOKENS_PER_PARAM * params


def seconds_needed(flops: float, *, flops_per_second: float, mfu: float, num_devices: int = 1) -> float:
    """Time of so much work.

    Args:
        flops: that the model needs.
        flops_per_second: peak of one device.
        mfu: share of the peak that is reached, above 0.
        num_devices: that share the work.
    """
    return flops / (num_devices * flops_per_second * mfu)


def palm_flops_per_token(params: float, *, num_layers: int, num_heads: int, head_dim: int, seq_len: int) -> float:
    """Training FLOPs of one token with all its query-key pairs: 6 N + 12 L H Q T (Chowdhery et al. 2022, PaLM, arXiv
    2204.02311, appendix B)."""
    return 6 * params + 12 * num_layers * num_heads * head_dim * seq_len


def recomputed_seconds(params: float, tokens: float, *, num_devices: int, achieved: float) -> float:
    """Time with activations computed twice, 8 T P / (n X) at X achieved FLOPs per second and device (Narayanan et al.
    2021, arXiv 2104.04473, equation 4)."""
    return 8 * tokens * params / (num_devices * achieved)


def activation_bytes_per_layer(
    *,
    seq_len: int,
    batch_size: int,
    d_model: int,
    num_heads: int,
    tensor_parallel: int = 1,
    sequence_parallel: bool = False,
    recompute: str = "none",
) -> float:
    """Activations that one layer of a 2-byte transformer saves, with dropout and the scores of attention (Korthikanti
    et al. 2022, arXiv 2205.05198, table 2).

    Args:
        tensor_parallel: devices that share each layer.
        sequence_parallel: whether they share norms and dropout too.
        recompute: "none"; "selective": attention's inside, with its scores, runs again; "full": the layer's input alone
            is kept.

    Raises:
        ValueError: an unknown `recompute`.
    """
    if recompute not in ("none", "selective", "full"):
        raise ValueError(f"recompute={recompute!r}: expected one of none, selective, full")
    if recompute == "full":
        return 2 * seq_len * batch_size * d_model
    scores = 5 * num_heads * seq_len / d_model if recompute == "none" else 0
    factor = 10 / (tensor_parallel if sequence_parallel else 1) + (24 + scores) / tensor_parallel
    return seq_len * batch_size * d_model * factor


def usual_shape(params: float) -> tuple[int, int]:
    """(num_layers, d_model) of a dense decoder of this size in the shape of GPT-3 and Llama: d_model = 128 layers, 12
    d_model^2 parameters a layer (Brown et al. 2020, arXiv 2005.14165, table 2.1, 6.7B: 32 layers of 4,096)."""
    num_layers = max(1, round((params / (12 * 128**2)) ** (1 / 3)))
    return num_layers, 128 * num_layers


@dataclass(frozen=True)
class ParameterBytes:
    """Bytes that training keeps of each parameter.

    Attributes:
        weights, gradients: in the dtype that multiplies.
        master: a copy of the weights that the optimizer updates; 0 where it updates the weights themselves.
        state: of the optimizer.
    """

    weights: float
    gradients: float
    master: float
    state: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.master + self.state

    def sharded(self, stage: int, num_devices: int) -> ParameterBytes:
        """On one of several devices: what a stage shards lies on each in equal parts (Rajbhandari et al. 2020, ZeRO,
        arXiv 1910.02054, section 5): 1 the optimizer's state and master copy, 2 gradients too, 3 weights too.

        Raises:
            ValueError: the stage is not 0 to 3.
        """
        if stage not in range(4):
            raise ValueError(f"ZeRO stage {stage}: expected 0 (nothing is sharded), 1, 2 or 3")
        return ParameterBytes(
            weights=self.weights / (num_devices if stage >= 3 else 1),
            gradients=self.gradients / (num_devices if stage >= 2 else 1),
            master=self.master / (num_devices if stage >= 1 else 1),
            state=self.state / (num_devices if stage >= 1 else 1),
        )
