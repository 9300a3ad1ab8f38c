"""The networks of one split, as tensors on one device or in their file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from weightspace.dataset.examples import Dataset
from weightspace.dataset.stored_weights import StoredWeights
from weightspace.store import Header, read_columns, read_entries, read_inrs
from weightspace.weights import Weights

__all__ = ["InrDataset", "load_inr_dataset"]


@dataclass(frozen=True, kw_only=True)
class InrDataset(Dataset):
    """Networks with their labels; a view is an independent fit of its object.

    Attributes:
        weights: n raw networks, in memory or in their file.
        omega_0: the frequency of their sines.
        output_offset: what is added to their outputs.
    """

    weights: Weights | StoredWeights
    omega_0: float
    output_offset: float

    @property
    def inputs(self) -> Weights | StoredWeights:
        """The networks."""
        return self.weights

    @property
    def input_settings(self) -> dict[str, Any]:
        """The layout of the networks and the constants of their SIRENs."""
        return {
            "layer_layout": self.weights.layer_layout,
            "omega_0": self.omega_0,
            "output_offset": self.output_offset,
        }

    def __getitem__(self, index: Tensor | slice) -> "InrDataset":
        """Select networks; those in a file stay there unless they are few."""
        if isinstance(self.weights, Weights):
            return super().__getitem__(index)
        columns = {k: getattr(self, k)[index] for k in ("labels", "object_ids", "views")}
        return replace(self, weights=self.weights.select(index), **columns)

    def to(self, device: torch.device | str) -> "InrDataset":
        """Move every tensor to a device; networks in a file, when they are read."""
        return replace(super().to(device), weights=self.weights.to(device))


def load_inr_dataset(
    path: Path | str,
    *,
    keep: Callable[[Mapping[str, np.ndarray]], np.ndarray] | None = None,
    memory: int | None = None,
) -> dict[str, InrDataset]:
    """Read an assembled file, one dataset per split that has networks, on the CPU.

    Args:
        path: the file.
        keep: given the columns of the file, says of each network whether it is to be read; None
            reads all.
        memory: how many bytes of networks may be held at a time. If those to be read take more,
            large splits stay in the file, see `StoredWeights`; None allows any number.

    Raises:
        StoreError: if the file cannot be read.
    """
    entries = None if memory is None else read_entries(path)
    rows = None
    if keep is not None:
        rows = keep(read_columns(path) if entries is None else entries.columns).nonzero()[0]
    if memory is not None and entries is not None:
        kept = np.arange(len(entries.columns["view"])) if rows is None else rows
        stored = StoredWeights(Path(path), entries, kept, memory)
        if len(stored) * stored.network_bytes > memory:
            columns = {name: x[kept] for name, x in entries.columns.items()}
            return _per_split(entries.header, columns, stored.select)
    inrs = read_inrs(path, rows)
    return _per_split(inrs.header, inrs.columns, inrs.weights.__getitem__)


def _per_split(
    header: Header,
    columns: Mapping[str, np.ndarray],
    networks: Callable[[Tensor], Weights | StoredWeights],
) -> dict[str, InrDataset]:
    """A dataset of each split; `networks` gives those at some entries of the columns."""
    found = {}
    for split in dict.fromkeys(columns["split"].tolist()):
        index = torch.from_numpy((columns["split"] == split).nonzero()[0])
        found[split] = _dataset(header, columns, networks(index), index)
    return found


def _dataset(
    header: Header,
    columns: Mapping[str, np.ndarray],
    weights: Weights | StoredWeights,
    index: Tensor,
) -> InrDataset:
    labels, object_ids, views = (
        torch.from_numpy(columns[name]).long()[index] for name in ("label", "object_id", "view")
    )
    return InrDataset(
        weights=weights,
        labels=labels,
        object_ids=object_ids,
        views=views,
        n_classes=len(header.classes),
        omega_0=header.omega_0,
        output_offset=header.output_offset,
    )
