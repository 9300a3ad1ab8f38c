"""The mean and deviation of each tensor of a set of networks, and standardisation by them."""

from dataclasses import dataclass

import torch

from weightspace.weights import Weights

__all__ = ["Statistics", "standardise", "tensor_statistics"]

# Below this share of the mean a deviation is float32 rounding of a constant.
_CONSTANT = 1e-6


@dataclass(frozen=True)
class Statistics:
    """One mean and one deviation per tensor: of all weights, then of all biases.

    One number per tensor and not per entry, so that standardisation commutes with
    permutations of the neurons.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def tensor_statistics(w: Weights) -> Statistics:
    """The mean and deviation of each tensor over all its entries of all networks.

    A tensor that is constant has the deviation 1: there is nothing to scale.

    Args:
        w: at least one network.

    Returns:
        The statistics, in the order in which `w` yields its tensors.

    Raises:
        ValueError: if there is no network.
    """
    if not len(w):
        raise ValueError("tensor_statistics needs at least one network; got none")
    mean = [x.mean(dtype=torch.float64).item() for x in w]
    centred = [x - m for x, m in zip(w, mean, strict=True)]
    std = [x.square().mean(dtype=torch.float64).sqrt().item() for x in centred]
    scale = (1.0 if s <= _CONSTANT * abs(m) else s for m, s in zip(mean, std, strict=True))
    return Statistics(tuple(mean), tuple(scale))


def standardise(w: Weights, statistics: Statistics) -> Weights:
    """(x - mean) / std, tensor by tensor.

    Args:
        w: networks, or features with channels.
        statistics: of networks of the same number of layers.

    Returns:
        Networks of zero mean and unit deviation per tensor where `statistics` are theirs.

    Raises:
        ValueError: if the number of tensors differs.
    """
    n = len(w.weights)
    if not len(statistics.mean) == len(statistics.std) == 2 * n:
        raise ValueError(
            f"statistics hold {len(statistics.mean)} means and {len(statistics.std)} deviations; "
            f"networks of layer_layout {w.layer_layout} need {2 * n} of each"
        )
    tensors = tuple((x - m) / s for x, m, s in zip(w, statistics.mean, statistics.std, strict=True))
    return Weights(tensors[:n], tensors[n:])
