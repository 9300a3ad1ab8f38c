"""One fitting job: all views of a range of objects."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from weightspace.data.signals import Signals
from weightspace.data.study_objects import StudyObjects
from weightspace.fit.fitting import Schedule
from weightspace.fit.views import ViewFits, fit_views
from weightspace.inr_set import Header, InrSet

__all__ = ["fit_shard"]


def fit_shard(
    objects: StudyObjects,
    rows: np.ndarray,
    signals: Signals,
    *,
    hidden: list[int],
    omega_0: float,
    output_offset: float,
    views: Mapping[str, int],
    steps: int,
    lr: float,
    schedule: Schedule,
    betas: Sequence[float],
    target_psnr: float | None,
    min_psnr: float,
    retries: int,
    shared_init: bool,
    backend: str,
    seed: int,
    device: torch.device | str = "cpu",
    commit: str,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> InrSet:
    """Fit all views of some objects.

    Args:
        objects: the objects of the whole study.
        rows: those to fit, as positions in `objects`.
        signals: what the networks of these are to show.
        hidden: the widths of the hidden layers; inputs and outputs follow from the signals.
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.
        views: the number of views of an object of each split.
        steps: of Adam; see `fit_views`, also for the settings up to `seed`.
        lr: the learning rate of Adam.
        schedule: of the learning rate.
        betas: the two decay rates of Adam.
        target_psnr: where a fit stops early, in dB, or None.
        min_psnr: the floor under which a fit has failed, in dB.
        retries: how often a failed fit is repeated.
        shared_init: start all objects from the same initialisations.
        backend: of `fit_sirens`.
        seed: of the initialisations.
        device: where to fit.
        commit: of the code, for the header.
        threads: of the CPU backend.
        progress: called with the number of fits done and in all.

    Returns:
        The fitted networks, and the failed fits by name.

    Raises:
        ValueError: if a setting is out of its range.
    """
    counts = np.array([views[split] for split in objects.splits[rows]], dtype=np.int64)
    own = torch.from_numpy(np.repeat(np.arange(len(rows)), counts))  # the object of every fit
    rows = np.repeat(rows, counts)
    view = np.concatenate([np.arange(count) for count in counts])
    layer_layout = (signals.coords.shape[-1], *hidden, signals.values.shape[-1])
    settings: dict[str, Any] = {
        "steps": steps,
        "lr": lr,
        "schedule": schedule,
        "betas": (betas[0], betas[1]),
        "seed": seed,
        "target_psnr": target_psnr,
        "min_psnr": min_psnr,
        "retries": retries,
        "shared_init": shared_init,
        "backend": backend,
    }
    coords = signals.coords if signals.coords.ndim == 2 else signals.coords[own]
    fits = fit_views(
        signals.values[own].to(device),
        torch.from_numpy(objects.object_ids[rows]),
        torch.from_numpy(view),
        coords.to(device),
        layer_layout=layer_layout,
        omega_0=omega_0,
        output_offset=output_offset,
        points_per_step=signals.points_per_step,
        threads=threads,
        progress=progress,
        **settings,
    )
    header = Header(
        dataset=objects.dataset,
        layer_layout=layer_layout,
        omega_0=omega_0,
        output_offset=output_offset,
        coords=signals.description,
        classes=objects.classes,
        commit=commit,
        config=settings | {"betas": list(betas), "points_per_step": signals.points_per_step},
    )
    return _inr_set(header, fits, _columns(objects, rows, view, fits, seed))


def _columns(
    objects: StudyObjects, rows: np.ndarray, view: np.ndarray, fits: ViewFits, seed: int
) -> dict[str, np.ndarray]:
    """What is known of every fit, the failed ones too."""
    return {
        "object_id": objects.object_ids[rows],
        "view": view.astype(np.int32),
        "label": objects.labels[rows],
        "split": objects.splits[rows],
        "seed": np.full(len(rows), seed, dtype=np.int64),
        "psnr": fits.psnr.cpu().numpy().astype(np.float32),
        "attempts": fits.attempts.cpu().numpy().astype(np.int32),
        "steps": fits.result.steps.cpu().numpy().astype(np.int32),
    }


def _inr_set(header: Header, fits: ViewFits, columns: Mapping[str, Any]) -> InrSet:
    """Tell the kept fits from the failed ones, whose networks are dropped."""
    failed = fits.failed.cpu()
    return InrSet(
        header,
        fits.result.weights.to("cpu")[~failed],
        {name: x[~failed.numpy()] for name, x in columns.items()},
        {name: x[failed.numpy()] for name, x in columns.items()},
    )
