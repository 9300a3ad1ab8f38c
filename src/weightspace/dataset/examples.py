"""What datasets of networks and of raw data share: labels, and the choice of views and objects."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Any, TypeVar

import torch
from jaxtyping import Int64
from torch import Tensor

from weightspace.weights import Weights

__all__ = ["Dataset"]

Self = TypeVar("Self", bound="Dataset")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled examples of one split on one device: of networks, images or points.

    A subclass adds its examples, `inputs`. Everything that trains or evaluates a model takes
    any of them and asks for `inputs` alone.

    Attributes:
        labels: the class of each example, `(n,)`.
        object_ids: the object that each represents, `(n,)`.
        views: which of the examples of its object each is, from 0, `(n,)`.
        n_classes: how many classes there are.

    Raises:
        ValueError: if the lengths differ.
    """

    labels: Int64[Tensor, " n"]
    object_ids: Int64[Tensor, " n"]
    views: Int64[Tensor, " n"]
    n_classes: int

    def __post_init__(self) -> None:
        n = len(self.inputs)
        for name in ("labels", "object_ids", "views"):
            if len(getattr(self, name)) != n:
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} entries; {n} examples need {n}"
                )

    @property
    def inputs(self) -> Any:
        """What a model reads, before standardisation: `Weights`, or a tensor of raw data."""
        raise NotImplementedError

    @property
    def input_settings(self) -> dict[str, Any]:
        """What `build_model` must know of the inputs, e.g. their layer_layout."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.labels.device

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self: Self, index: Tensor | slice) -> Self:
        """Select examples by an index tensor, a mask or a slice."""
        return self._each(lambda x: x[index])

    def to(self: Self, device: torch.device | str) -> Self:
        """Move every tensor to a device."""
        return self._each(lambda x: x.to(device))

    def _each(self: Self, f: Callable[[Any], Any]) -> Self:
        """Apply `f` to all that has one entry per example."""
        held = ((field.name, getattr(self, field.name)) for field in fields(self))
        return replace(self, **{k: f(v) for k, v in held if isinstance(v, Tensor | Weights)})

    def select(
        self: Self, *, views: int | None = None, objects: int | None = None, seed: int = 0
    ) -> Self:
        """Keep the first views of the first objects, in the order of this dataset.

        The order of objects takes one of each class in turn, shuffled by `seed` within each
        class, so every selection is class-balanced and contains every smaller one. It does not
        depend on `views`: an object whose fits of the kept views all failed counts among
        `objects`, though none of its networks is left. Nor does the order of two objects depend
        on which others there are: where all fits of an object failed, the networks and the
        raw data still choose the same objects, but for that one.

        Args:
            views: keep the views below it; None keeps all.
            objects: how many objects to keep; None keeps all.
            seed: of the order of the objects.

        Returns:
            The selected examples.

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
        return self if keep.all() else self[keep]  # all: no copy

    def _object_order(self, seed: int) -> Int64[Tensor, " objects"]:
        """All objects, one of each class in turn."""
        ids, inverse = self.object_ids.cpu().unique(return_inverse=True)
        labels = torch.empty_like(ids).scatter_(0, inverse, self.labels.cpu())
        keys = [blake2b(f"{seed} {i}".encode(), digest_size=8).digest() for i in ids.tolist()]
        shuffled = torch.tensor(sorted(range(len(ids)), key=keys.__getitem__), dtype=torch.int64)
        turn = torch.empty_like(ids)
        for label in labels.unique().tolist():
            members = shuffled[labels[shuffled] == label]
            turn[members] = torch.arange(len(members))
        return ids[turn.argsort(stable=True)]


def _check_count(name: str, asked: int, available: int) -> None:
    if not 1 <= asked <= available:
        raise ValueError(
            f"{asked} {name} were asked for; this dataset has {available}: "
            f"ask for 1 to {available}, or fit more"
        )
