"""The choice of the objects of a study from a set of images."""

from typing import Literal

from weightspace.data.image_set import ImageSet
from weightspace.data.objects import Objects
from weightspace.data.splits import in_order, stratified_split

__all__ = ["select_objects"]


def select_objects(
    image_set: ImageSet,
    *,
    train: int,
    val: int,
    test: int,
    seed: int,
    balance: Literal["equal", "proportional"] = "equal",
) -> Objects:
    """Choose objects of each split, stratified by class, as `stratified_split` does.

    Args:
        image_set: what to choose from.
        train: the number of training objects.
        val: the number of validation objects, other ones of the official training split.
        test: the number of test objects, of the official test split.
        seed: the seed of the choice.
        balance: "equal" counts of the classes, or "proportional" to those in the set.

    Returns:
        The objects, sorted by object_id.

    Raises:
        ValueError: if more are asked than there are.
    """
    chosen = stratified_split(
        image_set.labels,
        image_set.official_split,
        train=train,
        val=val,
        test=test,
        seed=seed,
        balance=balance,
    )
    positions, splits = in_order(chosen, image_set.object_ids)
    return Objects(
        dataset=image_set.name,
        images=image_set.images[positions],
        labels=image_set.labels[positions],
        object_ids=image_set.object_ids[positions],
        splits=splits,
        classes=image_set.classes,
    )
