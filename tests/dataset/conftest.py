"""A small study whose fits are known, as shards of any cut."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from strategies import random_networks

from weightspace.store import Header, InrSet, write_inrs
from weightspace.weights import Weights, cat

HEADER = Header(
    dataset="pictures",
    layer_layout=(2, 3, 2),
    omega_0=30.0,
    output_offset=0.5,
    coords={"shape": [4, 4], "range": [-1.0, 1.0], "order": "C", "axes": "ij"},
    classes=("shoe", "shirt"),
    commit="aaa",
    config={"steps": 120, "lr": 0.002},
)


@dataclass(frozen=True)
class Study:
    """Eight objects of two classes, in no order, with several views."""

    folder: Path
    header: Header = HEADER
    object_ids: np.ndarray = field(
        default_factory=lambda: np.array([3, 60007, 10, 12, 60001, 7, 4, 31])
    )
    labels: np.ndarray = field(default_factory=lambda: np.array([0, 1, 1, 0, 0, 1, 0, 1]))
    splits: np.ndarray = field(
        default_factory=lambda: np.array(
            ["train", "test", "train", "val", "test", "train", "train", "val"]
        )
    )
    views: dict[str, int] = field(default_factory=lambda: {"train": 3, "val": 1, "test": 2})

    @property
    def objects(self):
        return self.object_ids, self.labels, self.splits

    @property
    def entries(self):
        """All (object_id, view) that are to be fitted."""
        return [
            (int(object_id), view)
            for object_id, split in zip(self.object_ids, self.splits, strict=True)
            for view in range(self.views[str(split)])
        ]

    def network(self, object_id: int, view: int) -> Weights:
        return random_networks((2, 3, 2), 1, seed=10 * object_id + view, dtype=torch.float32)

    def inr_set(self, entries, *, failed=(), header=HEADER) -> InrSet:
        kept = [entry for entry in entries if entry not in failed]
        lost = [entry for entry in entries if entry in failed]
        weights = cat([self.network(0, 0)[:0], *(self.network(*entry) for entry in kept)])
        return InrSet(header, weights, self._columns(kept), self._columns(lost))

    def _columns(self, entries):
        row = np.array([self.object_ids.tolist().index(i) for i, _ in entries], np.int64)
        view = np.array([view for _, view in entries], np.int32)
        return {
            "object_id": self.object_ids[row],
            "view": view,
            "label": self.labels[row],
            "split": self.splits[row],
            "seed": np.full(len(entries), 5, np.int64),
            "psnr": (40 + row + view / 10).astype(np.float32),
            "attempts": np.ones(len(entries), np.int32),
            "steps": np.full(len(entries), 120, np.int32),
        }

    def write(self, name, entries, **settings) -> Path:
        """Write a shard of some entries and return its path."""
        write_inrs(self.folder / name, self.inr_set(entries, **settings))
        return self.folder / name


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path)
