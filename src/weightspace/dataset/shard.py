"""One fitting job: all views of a range of objects."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from weightspace.data.coordinates import grid
from weightspace.data.objects import Objects, signals
from weightspace.fit.views import ViewFits, fit_views
from weightspace.inr_set import Header, InrSet

__all__ = ["fit_shard"]


def fit_shard(
    objects: Objects,
    shard: int,
    *,
    shard_size: int,
    hidden: list[int],
    omega_0: float,
    output_offset: float,
    views: Mapping[str, int],
    steps: int,
    lr: float,
    target_psnr: float | None,
    min_psnr: float,
    retries: int,
    backend: str,
    seed: int,
    device: torch.device | str = "cpu",
    commit: str,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> InrSet:
    """Fit all views of the objects `shard * shard_size` up to the next shard's.

    Args:
        objects: the objects of the whole study.
        shard: the number of the shard, from 0.
        shard_size: objects per shard.
        hidden: the widths of the hidden layers; inputs and outputs follow from the images.
        omega_0: the frequency of every sine.
        output_offset: a constant added to every output.
        views: the number of views of an object of each split.
        steps: of Adam; see `fit_views`, also for the settings up to `seed`.
        lr: the learning rate of Adam.
        target_psnr: where a fit stops early, in dB, or None.
        min_psnr: the floor under which a fit has failed, in dB.
        retries: how often a failed fit is repeated.
        backend: of `fit_sirens`.
        seed: of the initialisations.
        device: where to fit.
        commit: of the code, for the header.
        threads: of the CPU backend.
        progress: called with the number of fits done and in all.

    Returns:
        The fitted networks, and the failed fits by name.

    Raises:
        ValueError: if there is no such shard, or a setting is out of its range.
    """
    n_shards = -(-len(objects) // shard_size)
    if not 0 <= shard < n_shards:
        raise ValueError(
            f"shard is {shard}; {len(objects)} objects make shards 0 to {n_shards - 1}"
        )
    own = np.arange(shard * shard_size, min((shard + 1) * shard_size, len(objects)))
    counts = np.array([views[split] for split in objects.splits[own]])
    rows = np.repeat(own, counts)  # the object of every fit
    view = np.concatenate([np.arange(count) for count in counts])
    shape = objects.images.shape[1:3]
    values = signals(objects.images[own])  # (objects, points, d_out)
    layer_layout = (len(shape), *hidden, values.shape[2])
    settings = {
        "steps": steps,
        "lr": lr,
        "seed": seed,
        "target_psnr": target_psnr,
        "min_psnr": min_psnr,
        "retries": retries,
        "backend": backend,
    }
    fits = fit_views(
        values[torch.from_numpy(rows - own[0])].to(device),
        torch.from_numpy(objects.object_ids[rows]),
        torch.from_numpy(view),
        grid(shape).to(device),
        layer_layout=layer_layout,
        omega_0=omega_0,
        output_offset=output_offset,
        threads=threads,
        progress=progress,
        **settings,
    )
    header = Header(
        dataset=objects.dataset,
        layer_layout=layer_layout,
        omega_0=omega_0,
        output_offset=output_offset,
        coords={"shape": list(shape), "range": [-1.0, 1.0], "order": "C", "axes": "ij"},
        classes=objects.classes,
        commit=commit,
        config=settings,
    )
    return _inr_set(header, fits, _columns(objects, rows, view, fits, seed))


def _columns(
    objects: Objects, rows: np.ndarray, view: np.ndarray, fits: ViewFits, seed: int
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
