"""Accuracy against views: internal and external generalisation, and views against objects."""

import pandas as pd

from weightspace.report.statistics import BASELINE, summary
from weightspace.report.tables import Table
from weightspace.report.wording import identity, intervals

__all__ = ["MORE_OBJECTS", "MORE_VIEWS", "families", "views_table"]

MORE_VIEWS = "more views of the same objects"
MORE_OBJECTS = "more objects, one view each"

NOTE = (
    "Accuracies in percent; in brackets: 95 % Student-t interval over seeds "
    '("-" with one seed). External: on test objects, which are unseen. Internal: on further '
    'views of the training objects, which are unseen too ("-" where there are none); the '
    "difference is in percentage points, paired by seed."
)


def views_table(runs: pd.DataFrame) -> Table:
    """Tabulate external and internal generalisation of every cell.

    Args:
        runs: as `collect_runs` returns.

    Returns:
        The table; its numbers are the columns of `summary` for test_accuracy (external),
        internal_accuracy and difference (internal - external, of the same run).
    """
    difference = runs["internal_accuracy"] - runs["test_accuracy"]
    values = ["test_accuracy", "internal_accuracy", "difference"]
    numbers = summary(runs.assign(difference=difference), values)
    words = identity(numbers, scheme=numbers["scheme"].nunique() > 1, also=["train_inrs"])
    words["external [95 %]"] = intervals(numbers, "test_accuracy")
    words["internal [95 %]"] = intervals(numbers, "internal_accuracy")
    words["internal - external [95 %]"] = intervals(numbers, "difference", signed=True)
    return Table(numbers, words, NOTE)


def families(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Sort runs without augmentation into two ways of growing the same small training set.

    Both start from the fewest objects with one view each. One family adds views of these
    objects, the other adds objects; at an equal number of networks (train_inrs) their
    difference is what a view is worth in objects. A run may be in both or in neither.

    Args:
        runs: as `collect_runs` returns, of one dataset.

    Returns:
        The runs of `MORE_VIEWS` and of `MORE_OBJECTS`; empty if there is nothing to compare:
        without several numbers of objects, or without several views at the fewest objects.
    """
    runs = runs[runs["scheme"] == BASELINE]
    fewest = runs["objects"] == runs["objects"].min()
    found = {MORE_VIEWS: runs[fewest], MORE_OBJECTS: runs[runs["views"] == 1]}
    varied = {MORE_VIEWS: "views", MORE_OBJECTS: "objects"}
    if all(found[name][column].nunique() > 1 for name, column in varied.items()):
        return found
    return {}
