"""Which examples of the training objects are learnt from, held out, or open to a leak."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from weightspace.dataset.examples import Dataset
from weightspace.dataset.stored_weights import StoredWeights

__all__ = ["TrainingSelection", "needed", "require_in_memory", "select_training", "subset"]

Selected = TypeVar("Selected", bound=Dataset)


class TrainingSelection(NamedTuple):
    """The parts of a training split that a cell may touch.

    `train` is learnt from. `internal` are views of its objects that no training may see. `pool`
    gives `train` with the views that it excludes, but without the internal ones: only the leaky
    mix may ask for it.
    """

    train: Dataset
    internal: Dataset
    pool: Callable[[], Dataset]


def select_training(
    dataset: Dataset, *, views: int, objects: int | None, train_views: int | None
) -> TrainingSelection:
    """Choose the first views of the first objects of a training split.

    Args:
        dataset: the training split with all its views.
        views: learn from the views 0, ..., views - 1.
        objects: learn from that many objects, see `Dataset.select`; None takes all.
        train_views: the views from this one on are internal; None makes none internal.

    Raises:
        ValueError: if there are not as many views or objects, or some views are internal.
    """
    if train_views is not None and views > train_views:
        raise ValueError(
            f"{views} views are to be trained on, but those from {train_views} on are held out "
            f"to measure internal generalisation; ask for at most {train_views}"
        )
    chosen = dataset.select(objects=objects)
    train = chosen.select(views=views)
    open_to_training = (
        torch.ones_like(chosen.views, dtype=torch.bool)
        if train_views is None
        else chosen.views < train_views
    )
    trained_on = torch.isin(chosen.object_ids, train.object_ids)
    internal = chosen[~open_to_training & trained_on]
    return TrainingSelection(
        train,
        internal,
        lambda: require_in_memory(chosen[open_to_training], "partners of the leaky mix are drawn"),
    )


def require_in_memory(dataset: Selected, what: str) -> Selected:
    """Refuse networks that stay in their file where any of them may be asked for next.

    Raises:
        ValueError: naming `what` needs them, and the setting to change.
    """
    networks = dataset.inputs
    if isinstance(networks, StoredWeights):
        needed_mb = 1 + len(networks) * networks.network_bytes // 10**6
        raise ValueError(
            f"{what} from anywhere among {len(networks)} networks, which takes {needed_mb} MB; "
            f"train.memory_mb allows {networks.memory // 10**6} MB for all networks that are "
            f"read: raise it, or use fewer objects or views"
        )
    return dataset


def needed(
    columns: Mapping[str, np.ndarray], *, views: int, train_views: int | None, pool: bool
) -> np.ndarray:
    """Which networks of a file a cell may ever touch, so that the others need not be read.

    These are the training views, the internal ones, and view 0 of the other splits. The first
    network of each training object stays too, since `Dataset.select` counts objects by it.

    Args:
        columns: of the file: split, object_id and view, one entry per network.
        views: as in `select_training`.
        train_views: as in `select_training`.
        pool: whether the pool will be asked for.

    Returns:
        A mask of the networks.
    """
    view = columns["view"]
    bound = train_views if pool else views
    keep = np.ones_like(view, bool) if bound is None else view < bound
    if train_views is not None:
        keep |= view >= train_views
    first = np.zeros_like(keep)
    first[np.unique(columns["object_id"], return_index=True)[1]] = True
    return np.where(columns["split"] == "train", keep | first, view == 0)


def subset(dataset: Dataset, size: int, *, generator: torch.Generator) -> Dataset:
    """At most `size` examples of `dataset`, drawn without replacement, in their order.

    Args:
        dataset: the examples to draw from.
        size: how many to draw; all if there are fewer.
        generator: the source of the draw, on the CPU.
    """
    chosen = torch.randperm(len(dataset), generator=generator)[:size].sort().values
    return dataset[chosen.to(dataset.device)]
