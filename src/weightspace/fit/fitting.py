"""Fit a batch of SIRENs, each to its own signal, through one of three backends."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from weightspace.fit.cpu import fit_cpu, unsupported
from weightspace.fit.cuda import fit_cuda, unsupported_by_cuda
from weightspace.fit.quality import mse_of_psnr
from weightspace.fit.reference import fit_reference, squared_error
from weightspace.parts import in_parts
from weightspace.threads import thread_count
from weightspace.weights import Weights, cat

__all__ = ["BACKENDS", "Backend", "FitResult", "Schedule", "check_problem", "fit_sirens"]


class Backend(Protocol):
    """What fits one chunk of networks; returns them and the steps each took."""

    def __call__(
        self,
        signals: Tensor,
        coords: Tensor,
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
    ) -> tuple[Weights, Tensor]:
        """Fit; the arguments are those of `fit_sirens`.

        But rates is the learning rate of each step, float64, `(steps,)`, and the target is an
        error.
        """
        ...


Schedule = Literal["constant", "cosine"]
"""How the learning rate of a fit goes on from its first value."""

BACKENDS: dict[str, Backend] = {"reference": fit_reference, "cpu": fit_cpu, "cuda": fit_cuda}
MOST_POINTS = 2**21  # of all networks of a chunk together
CACHED_POINTS = 2**14  # whose neurons the cache of a CPU holds


@dataclass(frozen=True)
class FitResult:
    """Fitted networks, the mean squared error of each over its whole signal, and its steps."""

    weights: Weights
    mse: Float[Tensor, " batch"]
    steps: Int[Tensor, " batch"]


def fit_sirens(
    signals: Float[Tensor, "batch points d_out"],
    coords: Float[Tensor, "*own points d_in"],
    *,
    init: Weights,
    omega_0: float,
    output_offset: float,
    steps: int,
    lr: float,
    schedule: Schedule = "constant",
    points_per_step: int | None = None,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    target_psnr: float | None = None,
    backend: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Fit each network to its signal by Adam on the mean squared error, `in_parts`.

    The networks are independent: each has its own loss and its own running means. With
    m = `points_per_step` of p points, step t = 0, 1, ... sees the m points from
    (t mod floor(p / m)) m on: slice after slice of the list, and again from its start. So points
    in random order are drawn without replacement in each pass; the p mod m last points serve
    the reported error alone.

    Args:
        signals: what each network is to show, in [0, 1] if `target_psnr` is to make sense.
        coords: the points, shared by all networks `(points, d_in)` or own ones of each
            `(batch, points, d_in)`.
        init: where each network starts, one per signal.
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.
        steps: the number of Adam steps.
        lr: the learning rate of Adam.
        schedule: "constant", or "cosine" for lr (1 + cos(pi t / steps)) / 2 in step t = 0, 1,
            ....
        points_per_step: how many points a step sees; None for all.
        betas: the decay rates of Adam's running means.
        eps: Adam's small number, outside the square root.
        target_psnr: a network that has reached it, in decibels, at the start of a step stops
            there; None for never, as it must be with `points_per_step`, since a step then
            does not know the error of the whole signal.
        backend: a name in `BACKENDS`, or "auto": "cpu" for float32 tensors on the CPU, "cuda"
            for those on a GPU if its kernel takes the layout, else "reference". The backends
            differ by float32 rounding; on a GPU, `torch.set_float32_matmul_precision("high")`
            makes "cuda" and "reference" faster and less exact.
        threads: the threads of the "cpu" backend, by default torch's number; at most as many
            as the machine has. The "reference" backend follows torch.
        progress: called with the number of networks done and in all.

    Returns:
        The fitted networks, their mean squared errors over all points and the steps each took. A
        fit that diverged has NaN in its error: nothing is hidden or repeated here.

    Raises:
        ValueError: if shapes, kinds of tensors or settings do not fit together, or the
            backend is unknown or cannot take the tensors.
    """
    check_problem(signals, coords, init)
    _check_settings(steps=steps, lr=lr, omega_0=omega_0, betas=betas, eps=eps, threads=threads)
    points = coords.shape[-2]
    _check_slices(points_per_step, points, target_psnr)
    signals, coords, init = signals.detach(), coords.detach(), init.map(torch.detach)
    name = _choose(backend, signals, coords, init)
    siren = {"omega_0": omega_0, "output_offset": output_offset}
    fit = partial(
        BACKENDS[name],
        **siren,
        rates=_rates(steps, lr, schedule),
        points_per_step=points_per_step or points,
        betas=betas,
        eps=eps,
        target_mse=None if target_psnr is None else mse_of_psnr(target_psnr),
        threads=threads,
    )

    def fit_part(part: slice) -> FitResult:
        here = coords if coords.ndim == 2 else coords[part]
        weights, taken = fit(signals[part], here, init=init[part])
        return FitResult(weights, _final_errors(weights, signals[part], here, **siren), taken)

    parts: list[FitResult] = []
    done, size = 0, _chunk_size(name, signals.device, threads, points)
    for found in in_parts(fit_part, len(init), size):
        parts.append(found)
        done += len(found.mse)
        if progress is not None:
            progress(done, len(init))
    return FitResult(
        cat([p.weights for p in parts]),
        torch.cat([p.mse for p in parts]),
        torch.cat([p.steps for p in parts]),
    )


@torch.no_grad()
def _final_errors(w: Weights, signals: Tensor, coords: Tensor, **siren: float) -> Tensor:
    """The `squared_error` of each network, on a CPU of a few at a time."""
    points = coords.shape[-2]
    size = max(1, CACHED_POINTS // points) if signals.device.type == "cpu" else len(w)
    errors = []
    for start in range(0, len(w), size):
        part = slice(start, start + size)
        here = coords if coords.ndim == 2 else coords[part]
        errors.append(squared_error(w[part], signals[part], here, **siren))
    return torch.cat(errors)


def _chunk_size(backend: str, device: torch.device, threads: int | None, points: int) -> int:
    """How many networks to fit between two reports of progress.

    Enough to fill the device, but few enough that their neurons at all points, which give the
    final error, find room in memory.
    """
    most = max(1, MOST_POINTS // points)
    if backend == "cpu":
        return min(most, max(64, 8 * thread_count(threads)))
    if backend == "cuda":
        return 2 * most  # nothing but the final error needs memory: several fill a GPU
    return min(most, 64 if device.type == "cpu" else 2048)


def _choose(backend: str, signals: Tensor, coords: Tensor, init: Weights) -> str:
    """The name of the backend to use."""
    reasons = {
        "cpu": unsupported(signals, coords, init),
        "cuda": unsupported_by_cuda(signals, coords, init),
    }
    if backend == "auto":
        fast = "cpu" if signals.device.type == "cpu" else "cuda"
        return "reference" if reasons[fast] else fast
    if backend not in BACKENDS:
        near = get_close_matches(backend, ["auto", *BACKENDS], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"unknown backend {backend!r}; choose 'auto' or one of {sorted(BACKENDS)}{hint}"
        )
    if reasons.get(backend):
        raise ValueError(
            f"backend {backend!r} cannot fit these tensors: {reasons[backend]}; "
            f"convert them, or choose backend='reference'"
        )
    return backend


def check_problem(signals: Tensor, coords: Tensor, init: Weights) -> None:
    """Refuse signals, points and networks that do not fit together.

    Raises:
        ValueError: naming the shape that was given and the one that was expected.
    """
    layout = init.layer_layout
    if init.channels:
        raise ValueError(f"init has channel axes {init.channels}; raw networks have none")
    n, shape = len(init), tuple(coords.shape)
    points = shape[-2] if len(shape) > 1 else 0
    if n == 0 or points == 0 or shape not in {(points, layout[0]), (n, points, layout[0])}:
        raise ValueError(
            f"got {n} networks and coords of shape {shape}; expected at least one network and "
            f"coords (points, {layout[0]}) shared by all or ({n}, points, {layout[0]}), own ones "
            f"of each, for layer_layout {layout}"
        )
    expected = (n, points, layout[-1])
    if tuple(signals.shape) != expected:
        raise ValueError(
            f"signals have shape {tuple(signals.shape)}; {n} networks of layer_layout "
            f"{layout} on {points} points need {expected}"
        )
    kinds = {f"{x.dtype} on {x.device}" for x in (signals, coords, *init)}
    if len(kinds) > 1 or not init.dtype.is_floating_point:
        raise ValueError(
            f"signals, coords and init must be of one floating-point type on one device; "
            f"got {', '.join(sorted(kinds))}"
        )


def _rates(steps: int, lr: float, schedule: str) -> np.ndarray:
    """The learning rate of each step, `(steps,)`."""
    if schedule not in get_args(Schedule):
        raise ValueError(
            f"schedule is {schedule!r}; it must be one of {', '.join(get_args(Schedule))}"
        )
    if schedule == "constant":
        return np.full(steps, float(lr))
    return lr * (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2


def _check_settings(
    *,
    steps: int,
    lr: float,
    omega_0: float,
    betas: tuple[float, float],
    eps: float,
    threads: int | None,
) -> None:
    """Refuse settings that no fit can have."""
    for name, value in (("steps", steps), ("threads", 1 if threads is None else threads)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    for name, value in (("lr", lr), ("omega_0", omega_0), ("eps", eps)):
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be positive")
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas are {betas}; both must lie in [0, 1)")


def _check_slices(points_per_step: int | None, points: int, target_psnr: float | None) -> None:
    """Refuse slices that the points do not fill, and an early stop that slices cannot judge."""
    if points_per_step is None:
        return
    if not 1 <= points_per_step <= points:
        raise ValueError(
            f"points_per_step is {points_per_step}; it must lie between 1 and the {points} points "
            f"of a signal, or be None for all"
        )
    if target_psnr is not None:
        raise ValueError(
            f"points_per_step is {points_per_step} and target_psnr is {target_psnr}: a step that "
            f"sees a part of the points cannot tell when to stop; set one of the two to None"
        )
