"""The networks of one split as tensors on one device."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weightspace.dataset.examples import Dataset
from weightspace.store import InrSet, read_columns, read_inrs
from weightspace.weights import Weights

__all__ = ["InrDataset", "load_inr_dataset"]


@dataclass(frozen=True, kw_only=True)
class InrDataset(Dataset):
    """Networks with their labels; a view is an independent fit of its object.

    Attributes:
        weights: n raw networks.
        omega_0: the frequency of their sines.
        output_offset: what is added to their outputs.
    """

    weights: Weights
    omega_0: float
    output_offset: float

    @property
    def inputs(self) -> Weights:
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


def load_inr_dataset(
    path: Path | str,
    *,
    keep: Callable[[Mapping[str, np.ndarray]], np.ndarray] | None = None,
) -> dict[str, InrDataset]:
    """Read an assembled file, one dataset per split that has networks, on the CPU.

    Args:
        path: the file.
        keep: given the columns of the file, says of each network whether it is to be read; None
            reads all.

    Raises:
        StoreError: if the file cannot be read.
    """
    rows = None if keep is None else keep(read_columns(path)).nonzero()[0]
    inrs = read_inrs(path, rows)
    splits = inrs.columns["split"]
    return {split: _dataset(inrs, split) for split in dict.fromkeys(splits.tolist())}


def _dataset(inrs: InrSet, split: str) -> InrDataset:
    index = torch.from_numpy((inrs.columns["split"] == split).nonzero()[0])
    labels, object_ids, views = (
        torch.from_numpy(inrs.columns[name]).long()[index]
        for name in ("label", "object_id", "view")
    )
    return InrDataset(
        weights=inrs.weights[index],
        labels=labels,
        object_ids=object_ids,
        views=views,
        n_classes=len(inrs.header.classes),
        omega_0=inrs.header.omega_0,
        output_offset=inrs.header.output_offset,
    )
