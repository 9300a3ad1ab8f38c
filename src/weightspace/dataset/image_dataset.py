"""The images of one split as tensors on one device, for the baselines on raw data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from weightspace.data.objects import Objects, read_objects
from weightspace.dataset.examples import Dataset

__all__ = ["ImageDataset", "load_image_dataset"]


@dataclass(frozen=True, kw_only=True)
class ImageDataset(Dataset):
    """The images of objects with their labels; an object has one, its view 0.

    Attributes:
        images: raw pixels, `(n, height, width, channels)`; standardisation makes them float32.
    """

    images: UInt8[Tensor, "n height width channels"]

    @property
    def inputs(self) -> UInt8[Tensor, "n height width channels"]:
        """The images."""
        return self.images

    @property
    def input_settings(self) -> dict[str, Any]:
        """The shape of an image."""
        return {"image_shape": tuple(self.images.shape[1:])}


def load_image_dataset(path: Path | str) -> dict[str, ImageDataset]:
    """Read the objects of a study, one dataset per split, on the CPU.

    These are all objects. Of a file of INRs the objects whose fits failed are missing.

    Raises:
        FileNotFoundError: if there is no such file.
        ArchiveError: if the file is damaged or something else.
    """
    objects = read_objects(Path(path))
    return {split: _dataset(objects, split) for split in dict.fromkeys(objects.splits.tolist())}


def _dataset(objects: Objects, split: str) -> ImageDataset:
    rows = (objects.splits == split).nonzero()[0]
    images = torch.from_numpy(objects.images[rows])
    object_ids = torch.from_numpy(objects.object_ids[rows]).long()
    return ImageDataset(
        images=images if images.ndim == 4 else images[..., None],
        labels=torch.from_numpy(objects.labels[rows]).long(),
        object_ids=object_ids,
        views=torch.zeros_like(object_ids),
        n_classes=len(objects.classes),
    )
