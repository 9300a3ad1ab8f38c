"""Reading what the models of a cell read: networks, images or points."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from weightspace.data.shapes.points import read_points
from weightspace.data.study_objects import read_study_objects
from weightspace.dataset.examples import Dataset
from weightspace.dataset.image_dataset import load_image_dataset
from weightspace.dataset.inr_dataset import load_inr_dataset
from weightspace.dataset.point_dataset import load_point_datasets

__all__ = ["load_datasets"]


def load_datasets(
    inputs: str,
    files: Mapping[str, Any],
    *,
    keep: Callable[[Mapping[str, np.ndarray]], np.ndarray] | None = None,
    memory: int | None = None,
) -> Mapping[str, Dataset]:
    """Read the examples of a study, one dataset per split, on the CPU.

    Args:
        inputs: what the models read: "weights", "pixels", "points" (of surfaces) or "queries"
            (points of the space with their occupancy).
        files: the path `inrs` for weights, `objects` for pixels; for points and queries
            `objects` (of shapes) and the list of paths `points`.
        keep: which networks to read, see `load_inr_dataset`; the others are always read whole.
        memory: how many bytes of networks may be held at a time, likewise.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a file is damaged or the files do not fit together, `inputs` is unknown, or
            there is nothing to learn from them: no examples of a split, or one class.
    """
    path = files["inrs" if inputs == "weights" else "objects"]
    if inputs == "weights":
        datasets = load_inr_dataset(path, keep=keep, memory=memory)
    elif inputs == "pixels":
        datasets = load_image_dataset(path)
    else:
        parts = (read_points(Path(path)) for path in files["points"])
        datasets = load_point_datasets(parts, read_study_objects(Path(path)), kind=inputs)
    _check_learnable(datasets, path)
    return datasets


def _check_learnable(datasets: Mapping[str, Dataset], path: Any) -> None:
    if lacking := [s for s in ("train", "val", "test") if not len(datasets.get(s, ()))]:
        raise ValueError(
            f"{path} has nothing of the split {', '.join(lacking)}; training needs train, val and "
            f"test: if fits failed, change fit.lr, fit.steps or fit.min_psnr; if it was imported, "
            f"call its splits so"
        )
    if len(datasets["train"].labels.unique()) < 2:
        raise ValueError(
            f"{path} has training objects of one class alone; to tell classes apart takes two: "
            f"add objects of another class"
        )
