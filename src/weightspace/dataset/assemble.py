"""Shards of fitted networks to one dataset file, with a report of the quality of the fits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weightspace.dataset.completeness import AssemblyError, Expected, check_entries
from weightspace.dataset.merge import QUANTILES, merge, psnr_quantiles, split_statistics
from weightspace.dataset.statistics import tensor_statistics
from weightspace.store import Header, InrSet, read_entries

__all__ = ["QUANTILES", "AssemblyError", "assemble", "with_statistics"]


def assemble(
    shard_paths: Sequence[Path | str],
    out_path: Path | str,
    *,
    objects: tuple[np.ndarray, np.ndarray, np.ndarray],
    views: Mapping[str, int],
    dataset: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, Any]]:
    """Join shards to one file, sorted by (object_id, view), once they are known to be complete.

    Any sharding of the same fits gives the same bytes. The commits of the shards may differ,
    as when some are run again; the file names all of them, joined by "+". The columns are in
    memory, the networks never but a few MiB of them. That is as fast as the disk where each shard
    holds a range of object_ids; where they interleave, each shard is read many times.

    Args:
        shard_paths: the files of `write_inrs`, in any order.
        out_path: the file to write.
        objects: the object_ids, labels and splits that were to be fitted, each `(n,)`.
        views: for each split the number of views that were to be fitted.
        dataset: the name that the shards must have; None takes that of the first.
        progress: called with the bytes of the networks that are written and in all.

    Returns:
        For each split the numbers of objects, of inrs and of failures, and the psnr_mean,
        psnr_min and psnr_quantiles of the inrs (dB; None where there is none). Plain JSON.

    Raises:
        AssemblyError: if a fit is missing, is there twice, was not asked for, has another label
            or split than its object, or comes from another kind of fit than the first shard's.
        StoreError: if a shard cannot be read or the file cannot be written.
    """
    expected = Expected(*objects, dict(views))
    shards = {str(path): read_entries(path) for path in shard_paths}
    if len(shards) != len(shard_paths) or not shards:
        raise AssemblyError(
            f"{len(shard_paths)} shards were given, {len(shards)} of them different; "
            f"give each shard once, and at least one"
        )
    header = _common_header({path: shard.header for path, shard in shards.items()}, dataset)
    check_entries(shards, expected)
    columns, failures = merge(out_path, header, shards, progress)
    return {split: _quality(columns, failures, split, expected) for split in views}


def _common_header(headers: Mapping[str, Header], dataset: str | None) -> Header:
    """The header of all shards; they may differ in the commit only."""
    (first_path, first), *_ = headers.items()
    if dataset is not None and first.dataset != dataset:
        raise AssemblyError(
            f"{first_path} holds fits of {first.dataset!r}; expected {dataset!r}: "
            f"delete it and run again"
        )
    for path, header in headers.items():
        for name in (f.name for f in fields(Header) if f.name != "commit"):
            if getattr(header, name) != getattr(first, name):
                raise AssemblyError(
                    f"{path} has {name} {getattr(header, name)!r}, but {first_path} has "
                    f"{getattr(first, name)!r}: delete the one that is out of place and run again"
                )
    commits = {commit for header in headers.values() for commit in header.commit.split("+")}
    return replace(first, commit="+".join(sorted(commits)))


def with_statistics(inrs: InrSet) -> InrSet:
    """The same set with the statistics of each split that has networks."""
    statistics = {}
    for split in np.unique(inrs.columns["split"]).tolist():
        rows = inrs.columns["split"] == split
        tensors = tensor_statistics(inrs.weights, torch.from_numpy(np.flatnonzero(rows)))
        psnr = inrs.columns["psnr"][rows]
        statistics[split] = split_statistics(psnr, tensors.mean, tensors.std)
    return replace(inrs, statistics=statistics or None)


def _quality(
    columns: Mapping[str, np.ndarray],
    failures: Mapping[str, np.ndarray],
    split: str,
    expected: Expected,
) -> dict[str, Any]:
    psnr = columns["psnr"][columns["split"] == split].astype(np.float64)
    quantiles = psnr_quantiles(psnr).tolist() if len(psnr) else [None] * len(QUANTILES)
    return {
        "objects": int((expected.splits == split).sum()),
        "inrs": len(psnr),
        "failures": int((failures["split"] == split).sum()),
        "psnr_mean": float(psnr.mean()) if len(psnr) else None,
        "psnr_min": float(psnr.min()) if len(psnr) else None,
        "psnr_quantiles": dict(zip(map(str, QUANTILES), quantiles, strict=True)),
    }
