"""A linear classifier on frozen embeddings: what an encoder knows without being changed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from weightspace.train.accuracy import scores

__all__ = [
    "LinearProbe",
    "SelectedProbe",
    "UnconvergedError",
    "fit_linear_probe",
    "probe_objective",
    "select_probe",
]

MAX_ITERATIONS = 10_000
TOLERANCE = 1e-6  # the largest entry of the gradient at which the optimum counts as found


class UnconvergedError(ValueError):
    """The fit of a probe stopped before its optimum."""


@dataclass(frozen=True)
class LinearProbe:
    """Logits x W^T + b."""

    weight: Float[Tensor, "classes dim"]
    bias: Float[Tensor, " classes"]

    def __call__(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n classes"]:
        """The logits of embeddings, in the number type of the embeddings."""
        return x @ self.weight.to(x.dtype).T + self.bias.to(x.dtype)


@dataclass(frozen=True)
class SelectedProbe:
    """The probe of best validation accuracy, and the strength of the penalty that gave it."""

    probe: LinearProbe
    l2: float
    val_accuracy: float


def probe_objective(
    probe: LinearProbe, x: Float[Tensor, "n dim"], labels: Int[Tensor, " n"], *, l2: float
) -> Float[Tensor, ""]:
    """Mean cross-entropy + l2 / 2 |W|^2, in nats; the bias is free."""
    return cross_entropy(probe(x), labels) + l2 / 2 * probe.weight.square().sum()


def fit_linear_probe(
    x: Float[Tensor, "n dim"], labels: Int[Tensor, " n"], *, n_classes: int, l2: float
) -> LinearProbe:
    """Multinomial logistic regression: the minimum of `probe_objective`, from W = 0, b = 0.

    The objective is convex, so the result depends on the data alone. Computed in float64.

    Args:
        x: embeddings, best of unit deviation, since one penalty holds for all dimensions.
        labels: their classes, in [0, n_classes).
        n_classes: the number of classes, also of those that `labels` lacks.
        l2: the strength of the penalty, positive.

    Returns:
        The probe, in float64.

    Raises:
        UnconvergedError: if MAX_ITERATIONS do not bring the gradient down to TOLERANCE.
        ValueError: if there are no embeddings, one is not finite, or `l2` is not positive.
    """
    if not len(x) or not x.isfinite().all():
        raise ValueError(f"got {len(x)} embeddings; a probe needs at least one, all finite")
    if not l2 > 0:
        raise ValueError(f"l2 is {l2}; it must be positive, or separable classes have no optimum")
    x = x.double()
    weight = x.new_zeros(n_classes, x.shape[1], requires_grad=True)
    bias = x.new_zeros(n_classes, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=MAX_ITERATIONS,
        max_eval=10 * MAX_ITERATIONS,
        tolerance_grad=TOLERANCE,
        tolerance_change=0.0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        value = probe_objective(LinearProbe(weight, bias), x, labels, l2=l2)
        value.backward()
        return value

    optimizer.step(objective)  # pyright: ignore[reportArgumentType]
    objective()
    _require_optimum(weight, bias, l2)
    return LinearProbe(weight.detach(), bias.detach())


def _require_optimum(weight: Tensor, bias: Tensor, l2: float) -> None:
    """Stop unless the gradient, which the tensors hold, has vanished."""
    slope = max(t.grad.abs().max().item() for t in (weight, bias) if t.grad is not None)
    if not slope <= TOLERANCE:
        raise UnconvergedError(
            f"a linear probe with l2 = {l2} has a gradient of {slope:.2g} after at most "
            f"{MAX_ITERATIONS} iterations; its optimum has at most {TOLERANCE:g}. Leave out the "
            "smallest l2, or raise MAX_ITERATIONS"
        )


def select_probe(
    x: Float[Tensor, "n dim"],
    labels: Int[Tensor, " n"],
    val_x: Float[Tensor, "m dim"],
    val_labels: Int[Tensor, " m"],
    *,
    n_classes: int,
    l2: Sequence[float],
) -> SelectedProbe:
    """Fit a probe with each strength of the penalty and keep the best on validation.

    Ties in accuracy go to the lower validation loss.

    Args:
        x: the embeddings to learn from.
        labels: their classes.
        val_x: the embeddings to select on.
        val_labels: their classes.
        n_classes: the number of classes.
        l2: the strengths to try, at least one.

    Returns:
        The selected probe.

    Raises:
        UnconvergedError: as `fit_linear_probe`.
        ValueError: if `l2` is empty, or as `fit_linear_probe` does.
    """
    if not l2:
        raise ValueError("l2 is empty; it must hold at least one strength of the penalty")
    best, best_rank = None, (-1.0, 0.0)
    for strength in l2:
        probe = fit_linear_probe(x, labels, n_classes=n_classes, l2=strength)
        accuracy, loss = scores(probe(val_x), val_labels)
        if best is None or (accuracy, -loss) > best_rank:
            best, best_rank = SelectedProbe(probe, strength, accuracy), (accuracy, -loss)
    assert best is not None
    return best
