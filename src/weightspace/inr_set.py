"""What a file of fitted INRs holds, and the rules it must keep, apart from how it is stored."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from weightspace.chunks import Chunks
from weightspace.weights import Weights

__all__ = [
    "COLUMNS",
    "STATISTICS",
    "Header",
    "InrEntries",
    "InrSet",
    "check_columns",
    "empty_columns",
]

COLUMNS: dict[str, type[np.generic]] = {
    "object_id": np.int64,  # the object's index in its official set
    "view": np.int32,  # which independent fit of the object, from 0
    "label": np.int64,  # an index into Header.classes
    "split": np.str_,  # the split of the object
    "seed": np.int64,  # the study's seed
    "psnr": np.float32,  # of the fit, in dB for signals in [0, 1]
    "attempts": np.int32,  # initialisations tried, at least 1
    "steps": np.int32,  # optimiser steps of the last attempt
}

STATISTICS: dict[str, type[np.generic]] = {
    "count": np.int64,  # (), the number of networks
    "psnr_quantiles": np.float64,  # (7,), at 0, 5, 25, 50, 75, 95 and 100 %
    "mean": np.float64,  # (2 L,), one per tensor: all weights, then all biases
    "std": np.float64,  # (2 L,)
}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What is needed to render the networks of a file, and where they come from.

    Attributes:
        dataset: the name of the set of pictures or shapes.
        layer_layout: the widths (d_0, ..., d_L).
        omega_0: the frequency of every sine.
        output_offset: the constant added to every output.
        coords: the grid of the fit, as `{"shape": [28, 28], "range": [-1.0, 1.0], "order": "C",
            "axes": "ij"}`, or the kind of points, see docs/format.md.
        classes: the names of the labels, or `()` where there are none.
        commit: the commit of the code that fitted the networks.
        config: the settings of the fit; JSON.
        activation: the non-linearity of the hidden layers.

    Raises:
        ValueError: if a field cannot be.
    """

    dataset: str
    layer_layout: tuple[int, ...]
    omega_0: float
    output_offset: float
    coords: dict[str, Any]
    classes: tuple[str, ...]
    commit: str
    config: dict[str, Any]
    activation: str = "sine"

    def __post_init__(self) -> None:
        if len(self.layer_layout) < 2 or min(self.layer_layout) < 1:
            raise ValueError(
                f"layer_layout {self.layer_layout} needs at least two widths, all positive"
            )
        if not (math.isfinite(self.omega_0) and self.omega_0 > 0):
            raise ValueError(f"omega_0 is {self.omega_0}; it must be positive and finite")
        if not math.isfinite(self.output_offset):
            raise ValueError(f"output_offset is {self.output_offset}; it must be finite")
        for name in ("coords", "config"):
            try:
                json.dumps(getattr(self, name), allow_nan=False)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{name} must be plain JSON: {error}") from error


def empty_columns() -> dict[str, np.ndarray]:
    """The columns of no entries, as of `failures` when every fit succeeded."""
    return {name: np.empty(0, dtype) for name, dtype in COLUMNS.items()}


@dataclass(frozen=True)
class InrSet:
    """Fitted networks with what is known of each; one shard, or a whole dataset.

    Attributes:
        header: what all networks share.
        weights: n float32 networks of `header.layer_layout`; n may be 0.
        columns: one array `(n,)` for each of `COLUMNS`.
        failures: the same columns for the fits that were given up, whose networks are not kept.
        statistics: for each split an array for each of `STATISTICS`, or None.

    Raises:
        ValueError: if the parts do not fit together, an (object_id, view) appears twice, or a
            number is not finite.
    """

    header: Header
    weights: Weights
    columns: dict[str, np.ndarray]
    failures: dict[str, np.ndarray] = field(default_factory=empty_columns)
    statistics: dict[str, dict[str, np.ndarray]] | None = None

    def __post_init__(self) -> None:
        _check_weights(self.header, self.weights)
        check_columns(self.columns, self.failures, self.header.classes, len(self.weights))
        for split, values in (self.statistics or {}).items():
            _check_statistics(split, values, len(self.header.layer_layout) - 1)


@dataclass(frozen=True)
class InrEntries:
    """All that a file says of its networks but their weights; see `InrSet`.

    `chunks` has the arrays of which it is known where their bytes lie, `chunk_height` how many
    networks are in a chunk of the array with the fewest.
    """

    header: Header
    columns: dict[str, np.ndarray]
    failures: dict[str, np.ndarray]
    chunks: dict[str, Chunks]
    chunk_height: int


def _check_weights(header: Header, w: Weights) -> None:
    if w.layer_layout != tuple(header.layer_layout) or w.channels:
        raise ValueError(
            f"weights have layer_layout {w.layer_layout} and channels {w.channels}; "
            f"the header needs layer_layout {header.layer_layout} and no channels"
        )
    for l, pair in enumerate(zip(w.weights, w.biases, strict=True)):
        for name, x in zip(("weights", "biases"), pair, strict=True):
            if x.dtype != torch.float32:
                raise ValueError(f"{name}[{l}] is {x.dtype}; it must be torch.float32")
            finite = x.isfinite().flatten(1).all(1)
            if not finite.all():
                first = int((~finite).nonzero()[0])
                raise ValueError(
                    f"{name}[{l}] of network {first} holds NaN or infinity; "
                    f"such a network must be recorded in failures"
                )


def check_columns(
    columns: Mapping[str, np.ndarray],
    failures: Mapping[str, np.ndarray],
    classes: tuple[str, ...],
    n: int,
) -> None:
    """Check the columns of `n` networks and of the fits that were given up; see `InrSet`.

    Raises:
        ValueError: at the first rule that they break.
    """
    for name, part in (("columns", columns), ("failures", failures)):
        _check_columns(name, part, classes)
    if n != (n_rows := len(columns["object_id"])):
        raise ValueError(f"columns have {n_rows} entries; {n} networks need {n}")
    if np.isnan(columns["psnr"]).any():
        row = int(np.isnan(columns["psnr"]).argmax())
        raise ValueError(f"columns['psnr'] is NaN at entry {row}; such a fit is a failure")
    _check_unique(columns, failures)


def _check_columns(name: str, columns: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> None:
    if set(columns) != set(COLUMNS):
        raise ValueError(f"{name} has {sorted(columns)}; it needs {sorted(COLUMNS)}")
    n = len(columns["object_id"])
    for key, dtype in COLUMNS.items():
        x = columns[key]
        if x.shape != (n,) or not np.issubdtype(x.dtype, dtype):
            raise ValueError(
                f"{name}[{key!r}] is {x.dtype} {x.shape}; it must be {dtype.__name__} {(n,)}"
            )
    labels = columns["label"]
    if classes and n and (labels.min() < 0 or labels.max() >= len(classes)):
        raise ValueError(
            f"{name}['label'] runs from {labels.min()} to {labels.max()}; "
            f"there are {len(classes)} classes"
        )
    if n and columns["view"].min() < 0:
        raise ValueError(f"{name}['view'] holds {columns['view'].min()}; views count from 0")


def _check_unique(columns: Mapping[str, np.ndarray], failures: Mapping[str, np.ndarray]) -> None:
    object_id, view = (np.concatenate([columns[k], failures[k]]) for k in ("object_id", "view"))
    order = np.lexsort((view, object_id))
    again = (np.diff(object_id[order]) == 0) & (np.diff(view[order]) == 0)
    if again.any():
        first = order[again.argmax()]
        times = ((object_id == object_id[first]) & (view == view[first])).sum()
        raise ValueError(
            f"object {object_id[first]} view {view[first]} appears {times} times, not once"
        )


def _check_statistics(split: str, values: Mapping[str, np.ndarray], n_layers: int) -> None:
    shapes = {"count": (), "psnr_quantiles": (7,), "mean": (2 * n_layers,), "std": (2 * n_layers,)}
    if not split.isidentifier():
        raise ValueError(f"statistics: {split!r} is not a split; use letters, digits and '_'")
    if set(values) != set(STATISTICS):
        raise ValueError(f"statistics[{split!r}] has {sorted(values)}; needs {sorted(STATISTICS)}")
    for key, dtype in STATISTICS.items():
        x = values[key]
        if x.shape != shapes[key] or x.dtype != dtype:
            raise ValueError(
                f"statistics[{split!r}][{key!r}] is {x.dtype} {x.shape}; "
                f"it must be {dtype.__name__} {shapes[key]}"
            )
