"""Accuracy against views: internal and external generalisation, and views against objects."""

import pandas as pd

from weightspace.report.statistics import BASELINE, summary
from weightspace.report.tables import Table
from weightspace.report.wording import best_updates, identity, improving, intervals

__all__ = ["MORE_OBJECTS", "MORE_VIEWS", "families", "views_table"]

MORE_VIEWS = "more views of the same objects"
MORE_OBJECTS = "more objects, one view each"
SERIES = ["study", "dataset", "model", "budget"]

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
    words["best update"] = best_updates(numbers)
    return Table(numbers, words, NOTE + improving(numbers))


def families(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Sort runs without augmentation into two ways of growing the same small training set.

    Both start, for each model and budget, from its fewest objects with one view each. One
    family adds views of these objects, the other adds objects; at an equal number of networks
    (train_inrs) their difference is what a view is worth in objects. A run may be in both or
    in neither; a model that has but one of the families is in none.

    Args:
        runs: as `collect_runs` or `summary` return.

    Returns:
        The runs of `MORE_VIEWS` and of `MORE_OBJECTS`; empty if there is nothing to compare:
        no model with several numbers of objects, and several views of the fewest.
    """
    parts = []
    for _, own in runs[runs["scheme"] == BASELINE].groupby(SERIES, sort=False):
        views, objects = own[own["objects"] == own["objects"].min()], own[own["views"] == 1]
        if views["views"].nunique() > 1 and objects["objects"].nunique() > 1:
            parts.append((views, objects))
    if not parts:
        return {}
    views, objects = (pd.concat(family) for family in zip(*parts, strict=True))
    return {MORE_VIEWS: views, MORE_OBJECTS: objects}
