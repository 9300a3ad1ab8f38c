"""Views: independent fits of the same objects, each a function of its name and the seed alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from weightspace.fit.fitting import FitResult, Schedule, fit_sirens
from weightspace.fit.quality import psnr
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.weights import Weights, cat

__all__ = ["ViewFits", "fit_views", "init_views"]

Ids = Sequence[int] | np.ndarray | Tensor


@dataclass(frozen=True)
class ViewFits:
    """The fits of a list of views and what became of each.

    `attempts` counts the initialisations tried. A view whose last attempt missed the floor
    is marked in `failed`: its weights are there to look at, not to use.
    """

    result: FitResult
    psnr: Float[Tensor, " batch"]
    attempts: Int[Tensor, " batch"]
    failed: Bool[Tensor, " batch"]


def init_views(
    layer_layout: Sequence[int],
    object_ids: Ids,
    views: Ids,
    *,
    seed: int,
    attempt: int,
    omega_0: float,
    shared: bool = False,
) -> Weights:
    """Draw the initial network of each view from the stream (seed, object, view, attempt).

    Args:
        layer_layout: the widths (d_0, ..., d_L).
        object_ids: the object of each view.
        views: the number of each view among those of its object.
        seed: the study's seed.
        attempt: 0 for the first try, 1 for the first retry, ...
        omega_0: the frequency of every sine.
        shared: leave the object out, so that all objects start from the same networks.

    Returns:
        One network per view, on the CPU.
    """
    names = [
        ("shared init", int(view)) if shared else ("init", int(object_id), int(view))
        for object_id, view in zip(object_ids, views, strict=True)
    ]
    return cat(
        [
            init_siren(layer_layout, omega_0=omega_0, generator=stream(seed, *name, int(attempt)))
            for name in names
        ]
    )


def fit_views(
    signals: Float[Tensor, "batch points d_out"],
    object_ids: Ids,
    views: Ids,
    coords: Float[Tensor, "*own points d_in"],
    *,
    layer_layout: Sequence[int],
    omega_0: float,
    output_offset: float,
    steps: int,
    lr: float,
    schedule: Schedule = "constant",
    betas: tuple[float, float] = (0.9, 0.999),
    seed: int,
    points_per_step: int | None = None,
    target_psnr: float | None = None,
    min_psnr: float,
    retries: int,
    shared_init: bool = False,
    backend: str = "auto",
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ViewFits:
    """Fit every view from its own initialisation; refit those that fail from a new one.

    A fit fails if its PSNR is NaN or under `min_psnr`. Nothing depends on which other views
    are in the list, so an object gets the same networks in any sharding of the work.

    Args:
        signals: the signal of each view in [0, 1], repeated for the views of one object.
        object_ids: the object of each view.
        views: the number of each view among those of its object.
        coords: the points, shared by all views `(points, d_in)` or own ones of each
            `(batch, points, d_in)`, repeated like the signals. Retries see the same points.
        layer_layout: the widths (d_0, ..., d_L).
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.
        steps: the number of Adam steps.
        lr: the learning rate of Adam.
        schedule: as in `fit_sirens`.
        betas: the decay rates of Adam's running means.
        seed: the study's seed.
        points_per_step: as in `fit_sirens`.
        target_psnr: stop a fit that has reached it, in decibels; None for never.
        min_psnr: the floor under which a fit has failed, in decibels.
        retries: how often a failed fit is repeated from a new initialisation.
        shared_init: start the views of one number from one initialisation for all objects.
        backend: as in `fit_sirens`.
        threads: as in `fit_sirens`.
        progress: called with the number of fits done and in all; retries add to both.

    Returns:
        The last attempt of every view, its PSNR, the attempts made and whether it failed.

    Raises:
        ValueError: if the numbers of signals, sets of own points, objects and views differ,
            `retries` is negative, or as `fit_sirens`.
    """
    if not len(signals) == len(object_ids) == len(views):
        raise ValueError(
            f"got {len(signals)} signals, {len(object_ids)} object_ids and {len(views)} views; "
            f"each view needs one of each"
        )
    own = coords.ndim > 2
    if own and len(coords) != len(signals):
        raise ValueError(
            f"got {len(signals)} signals and coords of shape {tuple(coords.shape)}; give the "
            f"points (points, d_in) shared by all, or own ones of each signal"
        )
    if retries < 0:
        raise ValueError(f"retries is {retries}; it must be at least 0")
    ids = torch.tensor([[int(i), int(v)] for i, v in zip(object_ids, views, strict=True)])
    pending = torch.arange(len(signals), device=signals.device)
    attempts = torch.zeros_like(pending)
    result: FitResult | None = None
    fitted = 0
    for attempt in range(retries + 1):
        objects, numbers = ids[pending.cpu()].T
        init = init_views(
            layer_layout,
            objects,
            numbers,
            seed=seed,
            attempt=attempt,
            omega_0=omega_0,
            shared=shared_init,
        )
        again = fit_sirens(
            signals[pending],
            coords[pending] if own else coords,
            init=init.to(signals.device).to(signals.dtype),
            omega_0=omega_0,
            output_offset=output_offset,
            steps=steps,
            lr=lr,
            schedule=schedule,
            betas=betas,
            points_per_step=points_per_step,
            target_psnr=target_psnr,
            backend=backend,
            threads=threads,
            progress=_after(fitted, progress),
        )
        result = again if result is None else _replace(result, pending, again)
        attempts[pending] = attempt + 1
        fitted += len(pending)
        # NaN compares as false, so it counts as missed.
        pending = torch.nonzero(~(psnr(result.mse) >= min_psnr)).flatten()
        if len(pending) == 0:
            break
    assert result is not None
    failed = torch.zeros(len(signals), dtype=torch.bool, device=signals.device)
    failed[pending] = True
    return ViewFits(result, psnr(result.mse), attempts, failed)


def _replace(result: FitResult, index: Tensor, new: FitResult) -> FitResult:
    """The result with the rows `index` taken from `new`."""
    return FitResult(
        result.weights.map(lambda x, y: x.index_copy(0, index, y), new.weights),
        result.mse.index_copy(0, index, new.mse),
        result.steps.index_copy(0, index, new.steps),
    )


def _after(
    fitted: int, progress: Callable[[int, int], None] | None
) -> Callable[[int, int], None] | None:
    """`progress` with `fitted` earlier fits added to both numbers."""
    if progress is None:
        return None
    return lambda done, total: progress(fitted + done, fitted + total)
