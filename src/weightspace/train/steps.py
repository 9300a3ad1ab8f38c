"""One step of a training, the settings it allows, and the end of one that diverges."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from weightspace.train.schedule import warmup_cosine

__all__ = ["DivergedError", "Stepper", "check_settings", "means_since", "require_finite"]

PRECISIONS = ("float32", "bfloat16")


class DivergedError(ValueError):
    """A training or what it selected no longer gives finite numbers."""


class Stepper:
    """AdamW with `warmup_cosine` and clipped gradients.

    Args:
        parameters: what to train.
        updates: the number of steps of the whole training.
        lr: the peak learning rate.
        weight_decay: of AdamW.
        warmup: the number of updates over which the learning rate rises.
        clip_norm: scale gradients down to this norm; None never does.
        stacked: the first axis of all `parameters` is of several models, each with a norm of
            its own.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        *,
        updates: int,
        lr: float,
        weight_decay: float,
        warmup: int,
        clip_norm: float | None,
        stacked: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.clip = _clip_each if stacked else nn.utils.clip_grad_norm_
        self.updates, self.lr, self.warmup, self.clip_norm = updates, lr, warmup, clip_norm
        # The fused step is six times faster than the default loop over small tensors.
        self.optimizer = torch.optim.AdamW(self.parameters, weight_decay=weight_decay, fused=True)

    def step(self, loss: Tensor, update: int) -> float:
        """Step down the gradient of `loss` at update 1, 2, ...; give its learning rate."""
        self.optimizer.zero_grad()
        loss.backward()
        return self.descend(update)

    def descend(self, update: int) -> float:
        """The same with the gradients as they are."""
        if self.clip_norm is not None:
            self.clip(self.parameters, self.clip_norm)
        lr = self.lr * warmup_cosine(update - 1, updates=self.updates, warmup=self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        return lr


def _clip_each(parameters: Sequence[Tensor], clip_norm: float) -> None:
    """`clip_grad_norm_` for each index of the first axis of all parameters."""
    grads = [p.grad for p in parameters if p.grad is not None]
    norms = torch.stack([g.reshape(len(g), -1).norm(dim=1) for g in grads]).norm(dim=0)
    scale = (clip_norm / (norms + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(scale.view(-1, *[1] * (g.ndim - 1)))


def check_settings(
    *,
    updates: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    warmup: int,
    clip_norm: float | None,
    evaluate_every: int,
    precision: str = "float32",
    consistency: float = 0.0,
    **examples: int,
) -> None:
    """Stop before training if a setting is out of its range, or there are no `examples`.

    Raises:
        ValueError: naming what it is, its value, and what it must be.
    """
    counts = {f"the number of {name} examples": n for name, n in examples.items()}
    for name, value, in_range, expected in (
        *((name, n, n > 0, "at least 1") for name, n in counts.items()),
        ("updates", updates, updates > 0, "at least 1"),
        ("batch_size", batch_size, batch_size > 0, "at least 1"),
        ("consistency", consistency, 0 <= consistency < math.inf, "at least 0 and finite"),
        ("batch_size", batch_size, not consistency or batch_size % 2 == 0, "even, for pairs"),
        ("lr", lr, 0 < lr < math.inf, "positive and finite"),
        ("weight_decay", weight_decay, 0 <= weight_decay < math.inf, "at least 0 and finite"),
        ("warmup", warmup, 0 <= warmup <= updates, f"from 0 to updates = {updates}"),
        ("clip_norm", clip_norm, clip_norm is None or clip_norm > 0, "positive, or None"),
        ("evaluate_every", evaluate_every, evaluate_every > 0, "at least 1"),
        ("precision", precision, precision in PRECISIONS, " or ".join(PRECISIONS)),
    ):
        if not in_range:
            raise ValueError(f"{name} is {value}; it must be {expected}")


def means_since(values: Sequence[Tensor], update: int, *, loss: str) -> list[float]:
    """Average over the updates since the last row of a history.

    Args:
        values: a number, or a vector that starts with the loss, for each of the updates.
        update: the one of the last of them.
        loss: the name of the loss.

    Returns:
        The mean of each entry.

    Raises:
        DivergedError: if a loss is not finite.
    """
    table = torch.stack(list(values)).reshape(len(values), -1).tolist()
    for number, row in enumerate(table, start=update - len(table) + 1):
        require_finite(row[0], f"{loss} at update {number}")
    return [sum(column) / len(table) for column in zip(*table, strict=True)]


def require_finite(value: float, name: str) -> None:
    """Stop a training that has diverged.

    Raises:
        DivergedError: if the value is infinite or not a number.
    """
    if not math.isfinite(value):
        raise DivergedError(
            f"{name} is {value}; it must be finite. Lower lr, lengthen warmup or set clip_norm; "
            f"if it happens at the first update, look for non-finite inputs in the dataset"
        )
