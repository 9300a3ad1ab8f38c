"""The table of the overfitting: accuracy on training and on unseen objects, and the gap."""

import pandas as pd

from weightspace.report.statistics import summary
from weightspace.report.tables import Table
from weightspace.report.wording import best_updates, identity, improving, intervals

__all__ = ["overfitting_table"]

NOTE = (
    "Accuracies in percent at the update that was selected on validation; in brackets: 95 % "
    'Student-t interval over seeds ("-" with one seed). The gap is that between training and '
    "test networks in percentage points, paired by seed. The training accuracy is measured on a "
    "random subset of the training networks, at most as many as there are for validation, as they "
    "are, without augmentation, in evaluation mode. Models on pixels or points "
    "read the pictures or shapes themselves, of the same objects and splits."
)


def overfitting_table(runs: pd.DataFrame) -> Table:
    """Tabulate for every cell how much better it does on what it was trained on.

    gap = training accuracy - test accuracy, of the same run.

    Args:
        runs: as `collect_runs` returns.

    Returns:
        The table; its numbers are the columns of `summary` for train_accuracy, val_accuracy,
        test_accuracy and gap, as fractions.
    """
    gap = runs["train_accuracy"] - runs["test_accuracy"]
    values = ["train_accuracy", "val_accuracy", "test_accuracy", "gap"]
    numbers = summary(runs.assign(gap=gap), values)
    words = identity(numbers, scheme=numbers["scheme"].nunique() > 1, also=["train_inrs"])
    words["training [95 %]"] = intervals(numbers, "train_accuracy")
    words["validation [95 %]"] = intervals(numbers, "val_accuracy")
    words["test accuracy [95 %]"] = intervals(numbers, "test_accuracy")
    words["gap training - test [95 %]"] = intervals(numbers, "gap", signed=True)
    words["best update"] = best_updates(numbers)
    return Table(numbers, words, NOTE + improving(numbers))
