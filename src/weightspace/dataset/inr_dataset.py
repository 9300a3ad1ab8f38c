"""The networks of one split as tensors on one device, and the choice of views and objects."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from weightspace.rng import stream
from weightspace.store import InrSet, read_inrs
from weightspace.weights import Weights

__all__ = ["InrDataset", "load_inr_dataset"]


@dataclass(frozen=True)
class InrDataset:
    """Networks with their labels, the objects they represent and their views.

    Attributes:
        weights: n raw networks.
        labels: the class of each, `(n,)`.
        object_ids: the object that each represents, `(n,)`.
        views: which independent fit of its object each is, `(n,)`.
        n_classes: how many classes there are.

    Raises:
        ValueError: if the lengths differ.
    """

    weights: Weights
    labels: Int64[Tensor, " n"]
    object_ids: Int64[Tensor, " n"]
    views: Int64[Tensor, " n"]
    n_classes: int

    def __post_init__(self) -> None:
        for name in ("labels", "object_ids", "views"):
            if len(getattr(self, name)) != len(self.weights):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} entries; "
                    f"{len(self.weights)} networks need {len(self.weights)}"
                )

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, index: Tensor | slice) -> "InrDataset":
        """Select networks by an index tensor, a mask or a slice."""
        return InrDataset(
            self.weights[index],
            self.labels[index],
            self.object_ids[index],
            self.views[index],
            self.n_classes,
        )

    def to(self, device: torch.device | str) -> "InrDataset":
        """Move every tensor to a device."""
        return InrDataset(
            self.weights.to(device),
            self.labels.to(device),
            self.object_ids.to(device),
            self.views.to(device),
            self.n_classes,
        )

    def select(
        self, *, views: int | None = None, objects: int | None = None, seed: int = 0
    ) -> "InrDataset":
        """Keep the first views of the first objects, in the order of this dataset.

        The order of objects takes one of each class in turn, shuffled by `seed` within each
        class, so every selection is class-balanced and contains every smaller one. It does not
        depend on `views`: an object whose fits of the kept views all failed counts among
        `objects`, though none of its networks is left.

        Args:
            views: keep the views below it; None keeps all.
            objects: how many objects to keep; None keeps all.
            seed: of the order of the objects.

        Returns:
            The selected networks.

        Raises:
            ValueError: if more views are asked for than any object has, or more objects than
                there are, or fewer than one.
        """
        keep = torch.ones_like(self.views, dtype=torch.bool)
        if views is not None:
            _check_count("views", views, int(self.views.max()) + 1 if len(self) else 0)
            keep &= self.views < views
        if objects is not None:
            order = self._object_order(seed)
            _check_count("objects", objects, len(order))
            keep &= torch.isin(self.object_ids, order[:objects].to(keep.device))
        return self[keep]

    def _object_order(self, seed: int) -> Int64[Tensor, " objects"]:
        """All objects, one of each class in turn."""
        ids, inverse = self.object_ids.cpu().unique(return_inverse=True)
        labels = torch.empty_like(ids).scatter_(0, inverse, self.labels.cpu())
        turn = torch.empty_like(ids)
        for label in labels.unique().tolist():
            members = (labels == label).nonzero()[:, 0]
            generator = stream(seed, "select", "objects", label)
            turn[members] = torch.randperm(len(members), generator=generator)
        return ids[turn.argsort(stable=True)]


def load_inr_dataset(path: Path | str) -> dict[str, InrDataset]:
    """Read an assembled file, one dataset per split that has networks, on the CPU.

    Raises:
        StoreError: if the file cannot be read.
    """
    inrs = read_inrs(path)
    splits = inrs.columns["split"]
    return {split: _dataset(inrs, split) for split in dict.fromkeys(splits.tolist())}


def _dataset(inrs: InrSet, split: str) -> InrDataset:
    index = torch.from_numpy((inrs.columns["split"] == split).nonzero()[0])
    labels, object_ids, views = (
        torch.from_numpy(inrs.columns[name]).long()[index]
        for name in ("label", "object_id", "view")
    )
    n_classes = len(inrs.header.classes)
    return InrDataset(inrs.weights[index], labels, object_ids, views, n_classes)


def _check_count(name: str, asked: int, available: int) -> None:
    if not 1 <= asked <= available:
        raise ValueError(
            f"{asked} {name} were asked for; this dataset has {available}: "
            f"ask for 1 to {available}, or fit more"
        )
