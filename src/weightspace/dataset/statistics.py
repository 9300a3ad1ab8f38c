"""The mean and deviation of each tensor of a set of inputs, and standardisation by them."""

from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from weightspace.dataset.stored_weights import StoredWeights
from weightspace.weights import Weights

__all__ = ["CONSTANT", "Moments", "Statistics", "standardise", "tensor_statistics"]

Inputs = TypeVar("Inputs", Weights, Tensor)

# Below this share of the mean a deviation is float32 rounding of a constant.
CONSTANT = 1e-6
# Entries of a tensor at a time, so that what is computed of them stays in the cache.
_CHUNK = 2**16


@dataclass(frozen=True)
class Statistics:
    """One mean and one deviation per tensor: of all weights, then of all biases; or of raw data.

    One number per tensor and not per entry, so that standardisation commutes with
    permutations of the neurons.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def of_nothing(self) -> "Statistics":
        """Those of as many tensors that change nothing."""
        return Statistics((0.0,) * len(self.mean), (1.0,) * len(self.std))


class Moments:
    """The sum and the sum of squares of each example's entries of one tensor, in float64.

    Those of all examples follow from them and not from the pieces in which they came, so any
    way to read a set gives the same statistics, to the bit.

    Args:
        n: the number of examples.
        numel: the entries of one.
    """

    def __init__(self, n: int, numel: int) -> None:
        self.numel = numel
        self.sums, self.squares = np.empty(n), np.empty(n)

    def add(self, start: int, part: Tensor) -> None:
        """Take in the examples `(k, ...)` from number `start` on."""
        size = max(1, _CHUNK // self.numel)
        for first, piece in zip(count(start, size), part.flatten(1).split(size), strict=False):
            x = piece.double()
            places = slice(first, first + len(x))
            self.sums[places] = x.sum(dim=1).cpu().numpy()
            self.squares[places] = x.square().sum(dim=1).cpu().numpy()

    def of(self, rows: np.ndarray | slice = slice(None)) -> tuple[float, float]:
        """The mean and the deviation of some examples; the latter 1 of a constant."""
        sums, squares = self.sums[rows], self.squares[rows]
        n = self.numel * len(sums)
        mean = float(sums.sum()) / n
        std = max(0.0, float(squares.sum()) / n - mean**2) ** 0.5
        return mean, 1.0 if std <= CONSTANT * abs(mean) else std


def tensor_statistics(
    x: Weights | StoredWeights | Tensor, rows: Int64[Tensor, " rows"] | None = None
) -> Statistics:
    """The mean and deviation of each tensor over all its entries of all examples.

    A tensor that is constant has the deviation 1: there is nothing to scale. The sums are in
    float64, over a few examples at a time.

    Args:
        x: at least one network, or one example of raw data: images `(n,
            height, width, channels)` or points `(n, points, channels)`.
        rows: which examples to take; None takes all, and must be of networks in their file.

    Returns:
        The statistics, in the order in which `Weights` yields its tensors; one of each for
        raw data.

    Raises:
        ValueError: if there is no example.
    """
    if not len(x if rows is None else rows):
        raise ValueError("tensor_statistics needs at least one network or other example; got none")
    if isinstance(x, StoredWeights):
        found = [m.of() for m in _stored_moments(x)]
    else:
        found = [_moments(t, rows) for t in _tensors(x)]
    return Statistics(tuple(mean for mean, _ in found), tuple(std for _, std in found))


def _stored_moments(x: StoredWeights) -> list[Moments]:
    """Those of each tensor, in one pass over the file."""
    moments = [Moments(len(x), t[0].numel()) for t in x[:1]]
    start = 0
    for part in x.parts():
        for tensor, t in zip(moments, part, strict=True):
            tensor.add(start, t)
        start += len(part)
    return moments


def _moments(t: Tensor, rows: Tensor | None) -> tuple[float, float]:
    """The mean and the deviation of one tensor, a few examples at a time."""
    moments = Moments(len(t if rows is None else rows), t[0].numel())
    size = max(1, _CHUNK // t[0].numel())
    parts = t.split(size) if rows is None else (t[part] for part in rows.split(size))
    for start, part in zip(count(0, size), parts, strict=False):
        moments.add(start, part)
    return moments.of()


def standardise(x: Inputs, statistics: Statistics) -> Inputs:
    """(x - mean) / std, tensor by tensor.

    Args:
        x: networks, features with channels, or images or points of any number type.
        statistics: of networks of the same number of layers, or of raw data.

    Returns:
        The same of zero mean and unit deviation per tensor where `statistics` are theirs.

    Raises:
        ValueError: if the number of tensors differs.
    """
    n = len(_tensors(x))
    if not len(statistics.mean) == len(statistics.std) == n:
        what = (
            f"networks of layer_layout {x.layer_layout}" if isinstance(x, Weights) else "raw data"
        )
        raise ValueError(
            f"statistics hold {len(statistics.mean)} means and {len(statistics.std)} deviations; "
            f"{what} need {n} of each"
        )
    pairs = zip(_tensors(x), statistics.mean, statistics.std, strict=True)
    tensors = tuple((t - m) / s for t, m, s in pairs)
    if isinstance(x, Tensor):
        return tensors[0]
    return Weights(tensors[: n // 2], tensors[n // 2 :])


def _tensors(x: Weights | Tensor) -> tuple[Tensor, ...]:
    """Those that each have a mean and a deviation of their own."""
    return tuple(x) if isinstance(x, Weights) else (x,)
