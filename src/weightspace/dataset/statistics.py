"""The mean and deviation of each tensor of a set of inputs, and standardisation by them."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["Statistics", "standardise", "tensor_statistics"]

Inputs = TypeVar("Inputs", Weights, Tensor)

# Below this share of the mean a deviation is float32 rounding of a constant.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class Statistics:
    """One mean and one deviation per tensor: of all weights, then of all biases; or of images.

    One number per tensor and not per entry, so that standardisation commutes with
    permutations of the neurons.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def tensor_statistics(x: Weights | Tensor) -> Statistics:
    """The mean and deviation of each tensor over all its entries of all examples.

    A tensor that is constant has the deviation 1: there is nothing to scale.

    Args:
        x: at least one network, or one image as `(n, height, width, channels)`.

    Returns:
        The statistics, in the order in which `Weights` yields its tensors; one of each for
        images.

    Raises:
        ValueError: if there is no example.
    """
    if not len(x):
        raise ValueError("tensor_statistics needs at least one network or image; got none")
    tensors = _tensors(x)
    mean = [t.mean(dtype=torch.float64).item() for t in tensors]
    centred = [t - m for t, m in zip(tensors, mean, strict=True)]
    std = [t.square().mean(dtype=torch.float64).sqrt().item() for t in centred]
    scale = (1.0 if s <= _CONSTANT * abs(m) else s for m, s in zip(mean, std, strict=True))
    return Statistics(tuple(mean), tuple(scale))


def standardise(x: Inputs, statistics: Statistics) -> Inputs:
    """(x - mean) / std, tensor by tensor.

    Args:
        x: networks, features with channels, or images of any number type.
        statistics: of networks of the same number of layers, or of images.

    Returns:
        The same of zero mean and unit deviation per tensor where `statistics` are theirs.

    Raises:
        ValueError: if the number of tensors differs.
    """
    n = len(_tensors(x))
    if not len(statistics.mean) == len(statistics.std) == n:
        what = f"networks of layer_layout {x.layer_layout}" if isinstance(x, Weights) else "images"
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
