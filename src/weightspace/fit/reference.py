"""The reference backend: batched fits by automatic differentiation, on any device and layout.

The losses of the networks are summed, so the gradient of each network is that of its own
loss, and Adam, which works element by element, makes independent fits of them.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from weightspace.siren import siren
from weightspace.weights import Weights

__all__ = ["adam_step", "fit_reference", "squared_error"]


def squared_error(
    w: Weights,
    signals: Float[Tensor, "batch points d_out"],
    coords: Float[Tensor, "*own points d_in"],
    *,
    omega_0: float,
    output_offset: float,
) -> Float[Tensor, " batch"]:
    """The mean squared error of each network over all points and outputs of its signal."""
    outputs = siren(w, coords, omega_0=omega_0, output_offset=output_offset)
    return (outputs - signals).square().mean((1, 2))


def adam_step(
    w: Weights,
    gradient: Weights,
    mean: Weights,
    square: Weights,
    *,
    t: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
) -> tuple[Weights, Weights, Weights]:
    """One step of Adam: w <- w - lr mean' / (sqrt(square') + eps).

    mean' and square' are the running means of the gradient and of its square, divided by
    1 - beta^t to correct their start at zero.

    Args:
        w: the parameters.
        gradient: the gradient at `w`.
        mean: the running mean of the gradient before the step.
        square: the running mean of the squared gradient before the step.
        t: the number of this step; the first is 1.
        lr: the learning rate.
        betas: the decay rates of the two running means.
        eps: a small number that keeps the quotient finite.

    Returns:
        The parameters and both running means after the step.

    Reference: Kingma and Ba 2015, Adam: A Method for Stochastic Optimization, algorithm 1.
    """
    beta_1, beta_2 = betas
    rate, root = lr / (1 - beta_1**t), (1 - beta_2**t) ** 0.5
    mean = mean.map(lambda m, g: beta_1 * m + (1 - beta_1) * g, gradient)
    square = square.map(lambda v, g: beta_2 * v + (1 - beta_2) * g * g, gradient)
    w = w.map(lambda x, m, v: x - rate * m / (v.sqrt() / root + eps), mean, square)
    return w, mean, square


def fit_reference(
    signals: Float[Tensor, "batch points d_out"],
    coords: Float[Tensor, "*own points d_in"],
    *,
    init: Weights,
    points_per_step: int,
    omega_0: float,
    output_offset: float,
    rates: np.ndarray,
    betas: tuple[float, float],
    eps: float,
    target_mse: float | None,
    threads: int | None,
) -> tuple[Weights, Int[Tensor, " batch"]]:
    """Fit each network to its signal; arguments as `fitting.fit_sirens`.

    `threads` is ignored: torch has its own setting. A network that has reached the target leaves
    the batch, so the others go on faster.

    Returns:
        The fitted networks and the number of steps each took.
    """
    del threads
    w = found = init.map(torch.detach)
    mean = square = w.map(torch.zeros_like)
    going = torch.arange(len(w), device=w.device)
    taken = torch.full_like(going, len(rates))
    slices = signals.shape[1] // points_per_step
    for t, rate in enumerate(rates.tolist(), start=1):
        first = (t - 1) % slices * points_per_step
        points = slice(first, first + points_per_step)
        with torch.enable_grad():
            leaves = w.map(lambda x: x.detach().requires_grad_())
            loss = squared_error(
                leaves,
                signals[:, points],
                coords[..., points, :],
                omega_0=omega_0,
                output_offset=output_offset,
            )
            gradient = _unlist(torch.autograd.grad(loss.sum(), list(leaves)))
        if target_mse is not None and (there := loss.detach() <= target_mse).any():
            found, taken[going[there]] = _put(found, going[there], w[there]), t - 1
            far = ~there
            going, signals = going[far], signals[far]
            w, mean, square, gradient = (x[far] for x in (w, mean, square, gradient))
            coords = coords[far] if coords.ndim == 3 else coords
            if not len(going):
                break
        w, mean, square = adam_step(w, gradient, mean, square, t=t, lr=rate, betas=betas, eps=eps)
    return _put(found, going, w), taken


def _unlist(tensors: tuple[Tensor, ...]) -> Weights:
    """The networks whose tensors, in the order of iteration, are `tensors`."""
    half = len(tensors) // 2
    return Weights(tensors[:half], tensors[half:])


def _put(w: Weights, index: Int[Tensor, " some"], some: Weights) -> Weights:
    """`w` with the networks at `index` replaced."""
    return w.map(lambda x, y: x.index_copy(0, index, y), some)
