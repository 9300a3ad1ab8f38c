"""Which examples of the training objects are learnt from, held out, or open to a leak."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from weightspace.dataset.examples import Dataset

__all__ = ["TrainingSelection", "select_training"]


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
    return TrainingSelection(train, internal, lambda: chosen[open_to_training])
