"""The loss: soft targets, which label smoothing and MixUp need, and consistency of two views."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weightspace.dataset.statistics import Statistics, standardise
from weightspace.train.stacked import Objective

__all__ = ["classification", "one_hot", "soft_cross_entropy", "symmetric_kl"]


def one_hot(
    labels: Int[Tensor, " batch"], n_classes: int, *, smoothing: float = 0.0
) -> Float[Tensor, "batch classes"]:
    """Turn labels into soft targets (1 - s) e_y + s / C.

    Args:
        labels: the classes, in [0, n_classes).
        n_classes: the number of classes C.
        smoothing: the share s that is spread evenly over all classes.

    Returns:
        One float32 distribution per label.

    Raises:
        ValueError: if `smoothing` is outside [0, 1).

    Reference: Szegedy et al. 2016, Rethinking the Inception Architecture, section 7.
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"label smoothing is {smoothing}; it must lie in [0, 1)")
    hard = torch.nn.functional.one_hot(labels, n_classes).to(torch.float32)
    return (1 - smoothing) * hard + smoothing / n_classes


def soft_cross_entropy(
    logits: Float[Tensor, "batch classes"], target: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """The mean over the batch of -sum_c target_c log softmax(logits)_c, in nats."""
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()


def symmetric_kl(
    logits: Float[Tensor, "batch classes"], other: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """The mean over the batch of (KL(p, q) + KL(q, p)) / 2 between two predictions, in nats."""
    p, q = logits.log_softmax(dim=1), other.log_softmax(dim=1)
    return ((p.exp() - q.exp()) * (p - q)).sum(dim=1).mean() / 2


def classification(
    statistics: Statistics, device: torch.device, precision: str, consistency: float = 0.0
) -> Objective:
    """The loss of a model on a batch of raw inputs with soft targets.

    Args:
        statistics: for `standardise`.
        device: of the model.
        precision: "float32" or "bfloat16".
        consistency: the weight of `symmetric_kl` between the two halves of the batch.
    """
    half = precision == "bfloat16"

    def objective(model: Callable[[Any], Tensor], x: Any, target: Tensor) -> Tensor:
        x = standardise(x, statistics)  # before anything is rounded
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = model(x)
        logits = logits.float() if half else logits
        loss = soft_cross_entropy(logits, target)
        return loss + consistency * symmetric_kl(*logits.chunk(2)) if consistency else loss

    return objective
