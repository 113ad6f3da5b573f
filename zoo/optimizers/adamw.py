"""AdamW: Adam with decoupled weight decay.

Loshchilov and Hutter 2017 (arXiv 1711.05101), on Adam, Kingma and Ba 2014 (arXiv 1412.6980); t counts from 1:

    theta <- theta - lr * wd * theta
    m <- b1 * m + (1 - b1) * g
    v <- b2 * v + (1 - b2) * g^2
    theta <- theta - lr * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

The decay is coupled to the learning rate, as in torch. The paper's is not: its lambda is the product lr * wd here, so
that a change of lr alone changes the decay here and not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo.component import RoleKind
from zoo.optimizers.base import Optimizer, check_not_negative, run_closure, updated_parameters


class AdamW(Optimizer):
    """Adam with decoupled weight decay, `torch.optim.AdamW`.

    Args:
        params: parameters, or groups of them.
        lr: step size, and with it the scale of the decay.
        betas: shares of the old mean and of the old square that are kept, each in [0, 1).
        eps: added to the root of the corrected square.
        weight_decay: share of a weight that a step with lr = 1 takes off, for roles that decay.

    Raises:
        ValueError: an option is outside its range.
    """

    def __init__(
        self,
        params: Any,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
    ):
        check_not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        if len(betas) != 2 or not all(0.0 <= beta < 1.0 for beta in betas):
            raise ValueError(f"betas={tuple(betas)} must be two numbers in [0, 1)")
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = run_closure(closure)
        for group in self.param_groups:
            params, grads = updated_parameters(group)
            for step, members in self._by_step(params).items():
                _update([params[i] for i in members], [grads[i] for i in members], self.state, group, step)
        return loss

    def _by_step(self, params: list[Tensor]) -> dict[int, list[int]]:
        """Count the step of each parameter; indices of those that stand at the same one.

        Nearly always a single list: only a parameter that went without a gradient falls behind. The counter is a
        Python int, so that no device has to be asked.
        """
        members: dict[int, list[int]] = {}
        for i, p in enumerate(params):
            state = self.state[p]
            if not state:
                state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
            state["step"] += 1
            members.setdefault(state["step"], []).append(i)
        return members

    def state_bytes(self, shape: torch.Size, role: RoleKind, dtype: torch.dtype) -> int:
        return 2 * shape.numel() * dtype.itemsize

    def step_flops(self, shape: torch.Size, role: RoleKind) -> int:
        # Per element: m 3 (two products, a sum), v 4 (three products, a sum), the denominator 3 (root, division, sum),
        # the update 3 (division, product, subtraction), the decay 1 (a product with 1 - lr * wd).
        return (13 + self.decays(role)) * shape.numel()


def _update(params: list[Tensor], grads: list[Tensor], states: Any, group: dict[str, Any], step: int) -> None:
    """One step of parameters that have all been updated `step` times, this one included."""
    means, squares = [states[p]["exp_avg"] for p in params], [states[p]["exp_avg_sq"] for p in params]
    lr, (beta1, beta2) = group["lr"], group["betas"]
    if group["weight_decay"] != 0.0:
        torch._foreach_mul_(params, 1.0 - lr * group["weight_decay"])
    torch._foreach_lerp_(means, grads, 1.0 - beta1)
    torch._foreach_mul_(squares, beta2)
    torch._foreach_addcmul_(squares, grads, grads, 1.0 - beta2)
    denominators = torch._foreach_sqrt(squares)
    torch._foreach_div_(denominators, math.sqrt(1.0 - beta2**step))
    torch._foreach_add_(denominators, group["eps"])
    torch._foreach_addcdiv_(params, means, denominators, -lr / (1.0 - beta1**step))
