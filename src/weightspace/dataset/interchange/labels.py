"""The labels of a set as numbers, and the names of the classes."""

from collections.abc import Sequence

import numpy as np

from weightspace.dataset.interchange.listing import InterchangeError, Label, Listing

__all__ = ["agreed_labels", "numbered_labels"]

_MOST_CLASSES = 10_000


def agreed_labels(listing: Listing, inside: Sequence[Label | None]) -> list[Label]:
    """One label for each network: of the list and of its file, which must agree.

    Args:
        listing: the set.
        inside: the labels in the files, None where a file has none.

    Returns:
        The labels.

    Raises:
        InterchangeError: if there is none, or two, for a network or for the views of an object.
    """
    labels: list[Label] = []
    for path, listed, found in zip(listing.paths, listing.labels, inside, strict=True):
        label = found if listed is None else listed
        if label is None:
            raise InterchangeError(
                f"{listing.root / path} has no label, and neither has {listing.source}: give the "
                f"key 'label' in every file, or a list 'label' in every split"
            )
        if found is not None and found != label:
            raise InterchangeError(
                f"{listing.root / path} has the label {found!r}, but {listing.source} says "
                f"{listed!r}: mend the one that is wrong"
            )
        labels.append(label)
    listing.check_same("label", labels)
    return labels


def numbered_labels(
    labels: Sequence[Label], classes: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels as indices of classes.

    Args:
        labels: whole numbers from 0, or names.
        classes: the names in the order of the numbers; None takes the numbers themselves, or
            the names in alphabetical order.

    Returns:
        The numbers, int64, and the names of the classes.

    Raises:
        InterchangeError: if names and numbers are mixed, a name is none of the classes, or a
            number cannot be an index of them.
    """
    names = sorted({label for label in labels if isinstance(label, str)})
    numbers = [label for label in labels if not isinstance(label, str)]
    if names and numbers:
        raise InterchangeError(
            f"some labels are numbers, as {numbers[0]}, and some are names, as {names[0]!r}: "
            f"use one or the other"
        )
    if classes is None:
        if numbers and not 0 <= min(numbers) <= max(numbers) < _MOST_CLASSES:
            raise InterchangeError(
                f"labels run from {min(numbers)} to {max(numbers)}; numbers without names of "
                f"classes must run from 0 to less than {_MOST_CLASSES}"
            )
        classes = names or [str(i) for i in range(max(numbers) + 1)]
    if foreign := sorted(set(names) - set(classes)):
        raise InterchangeError(
            f"the label {foreign[0]!r} is none of the classes {', '.join(classes)}"
        )
    if numbers and classes and not 0 <= min(numbers) <= max(numbers) < len(classes):
        raise InterchangeError(
            f"labels run from {min(numbers)} to {max(numbers)}; there are {len(classes)} classes"
        )
    index = {name: i for i, name in enumerate(classes)} if names else {}
    column = [index[x] if isinstance(x, str) else x for x in labels]
    return np.array(column, np.int64), tuple(classes)
