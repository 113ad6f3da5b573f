"""Stochastic gradient descent with heavy-ball or Nesterov momentum.

Robbins and Monro 1951; Polyak 1964 (heavy ball); Nesterov 1983, in the form of Sutskever et al. 2013 (ICML, "On the
importance of initialization and momentum in deep learning") as `torch.optim.SGD` writes it:

    g <- g + wd * theta                      weight decay is a gradient here (L2), unlike AdamW's
    b <- momentum * b + g                    the first time b = g
    theta <- theta - lr * b                  Nesterov: theta - lr * (g + momentum * b)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo.component import RoleKind
from zoo.optimizers.base import Optimizer, check_not_negative, run_closure, updated_parameters


class SGD(Optimizer):
    """Gradient descent, `torch.optim.SGD` without dampening.

    Args:
        params: parameters, or groups of them.
        lr: step size.
        momentum: share of the last direction that is kept, in [0, 1).
        nesterov: look ahead along the momentum.
        weight_decay: L2, added to the gradient, for roles that decay.

    Raises:
        ValueError: an option is outside its range, or nesterov has no momentum to look along.
    """

    def __init__(
        self,
        params: Any,
        *,
        lr: float = 0.1,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ):
        check_not_negative(lr=lr, weight_decay=weight_decay)
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"momentum={momentum} must be in [0, 1)")
        if nesterov and momentum == 0.0:
            raise ValueError("nesterov=True needs momentum above 0, got momentum=0.0")
        super().__init__(params, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = run_closure(closure)
        for group in self.param_groups:
            params, grads = updated_parameters(group)
            if not params:
                continue
            if group["weight_decay"] != 0.0:
                grads = list(torch._foreach_add(grads, params, alpha=group["weight_decay"]))
            directions = self._with_momentum(params, grads, group) if group["momentum"] else grads
            torch._foreach_add_(params, directions, alpha=-group["lr"])
        return loss

    def _with_momentum(self, params: list[Tensor], grads: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        """Directions of descent; brings the momentum up to date."""
        for p in params:
            if not self.state[p]:  # zeros, so that the update below leaves the gradient itself
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        momenta = [self.state[p]["momentum_buffer"] for p in params]
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_add_(momenta, grads)
        if group["nesterov"]:
            return list(torch._foreach_add(grads, momenta, alpha=group["momentum"]))
        return momenta

    def state_bytes(self, shape: torch.Size, role: RoleKind, dtype: torch.dtype) -> int:
        return shape.numel() * dtype.itemsize if self.defaults["momentum"] else 0

    def step_flops(self, shape: torch.Size, role: RoleKind) -> int:
        # Per element: lr * d and its subtraction 2, weight decay 2, momentum 2, Nesterov's look ahead 2.
        flops = 2 + 2 * self.decays(role) + 2 * bool(self.defaults["momentum"]) + 2 * self.defaults["nesterov"]
        return flops * shape.numel()
