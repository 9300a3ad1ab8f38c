"""What a file of INRs holds, in a few lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weightspace.dataset.assemble import QUANTILES
from weightspace.store import Header, read_columns, read_inrs

__all__ = ["summary"]


def summary(path: Path | str) -> str:
    """Say what the networks of a file are, how many there are, and how good the fits are.

    The networks themselves are not read.

    Raises:
        StoreError: if the file cannot be read.
    """
    columns = read_columns(path)
    inrs = read_inrs(path, rows=slice(0, 0))
    failures = len(inrs.failures["view"])
    return "\n".join(
        [
            f"{path}: {len(columns['view'])} networks, {failures} failed fits",
            *_about(inrs.header),
            "",
            *_table(columns, inrs.failures),
            "",
            *_classes(columns, inrs.header.classes),
        ]
    )


def _about(header: Header) -> Iterator[str]:
    yield f"dataset        {header.dataset}"
    yield f"classes        {len(header.classes)}: {', '.join(header.classes)}"
    yield f"layer_layout   {'-'.join(map(str, header.layer_layout))}"
    yield f"activation     {header.activation}, omega_0 {header.omega_0:g}"
    yield f"output_offset  {header.output_offset:g}"
    yield f"coords         {_coords(header.coords)}"
    yield f"commit         {header.commit}"
    settings = (f"{key} {value}" for key, value in header.config.items() if value is not None)
    yield f"fitted with    {', '.join(settings) or 'unknown'}"


def _coords(coords: Mapping[str, Any]) -> str:
    """The grid, or the signal of shapes, and what else the header says of the points."""
    rest = dict(coords)
    words = []
    if "shape" in rest:
        words.append(f"grid {' x '.join(map(str, rest.pop('shape')))}")
    if "signal" in rest:
        words.append(f"{rest.pop('signal')} of shapes")
        if {"inside", "level"} <= rest.keys():
            words.append(f"inside {rest.pop('inside')} {rest.pop('level')}")
    return ", ".join([*words, *(f"{k} {v}" for k, v in rest.items() if v is not None)])


def _table(columns: Mapping[str, np.ndarray], failures: Mapping[str, np.ndarray]) -> Iterator[str]:
    """A line for each view of each split, in the order of the splits' first objects."""
    heads = [f"{100 * q:.0f} %" for q in QUANTILES]
    yield _line("split", "view", "networks", "failed", "PSNR in dB at " + heads[0], *heads[1:])
    splits = dict.fromkeys([*columns["split"].tolist(), *failures["split"].tolist()])
    for split in splits:
        views = {int(v) for c in (columns, failures) for v in c["view"][c["split"] == split]}
        for view in sorted(views):
            own, lost = ((c["split"] == split) & (c["view"] == view) for c in (columns, failures))
            counts = (str(int(own.sum())), str(int(lost.sum())))
            yield _line(
                split, str(view), *counts, *_psnr(columns["psnr"][own], columns["steps"][own])
            )


def _classes(columns: Mapping[str, np.ndarray], names: Sequence[str]) -> Iterator[str]:
    """A line for each class: its objects and networks in each split, and an object to render."""
    splits = list(dict.fromkeys(columns["split"].tolist()))
    heads = "".join(f"{split:>18}" for split in splits)
    yield f"objects (networks) of each class{heads}   first object".rstrip()
    for label in np.unique(columns["label"]).tolist():
        own = columns["label"] == label
        counts = [_counts(columns["object_id"][own & (columns["split"] == s)]) for s in splits]
        name = names[label] if names else f"class {label}"
        first = columns["object_id"][own].min()
        yield f"{name:<32}" + "".join(f"{count:>18}" for count in counts) + f"{first:>15}"


def _counts(object_ids: np.ndarray) -> str:
    return f"{len(np.unique(object_ids)):,} ({len(object_ids):,})"


def _psnr(psnr: np.ndarray, steps: np.ndarray) -> list[str]:
    if not len(psnr):
        return ["-"] * len(QUANTILES)
    if not steps.any() and not psnr.any():
        return ["unknown"]
    return [f"{x:.2f}" for x in np.quantile(psnr.astype(np.float64), QUANTILES)]


def _line(split: str, view: str, networks: str, failed: str, first: str, *rest: str) -> str:
    columns = f"{split:<9}{view:>5}{networks:>10}{failed:>8}{first:>20}"
    return (columns + "".join(f"{x:>8}" for x in rest)).rstrip()
