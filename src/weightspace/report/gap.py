"""How far models of weights stay behind models of the raw data, on every dataset."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from weightspace.report.statistics import Interval, mean_over_seeds, summary
from weightspace.report.tables import Table
from weightspace.report.wording import best_updates, identity, improving, intervals

__all__ = ["WEIGHTS", "gap_points", "gap_table"]

SHARED = ["study", "dataset", "objects", "budget"]  # by cells that are compared

WEIGHTS = "weights"
"""What models of networks read; the others read the raw data."""

NOTE = (
    "Accuracies on test objects in percent; in brackets: 95 % Student-t interval over seeds "
    '("-" with one seed). Balanced: the mean of the recalls of the classes. Behind: the accuracy '
    "of the best model of raw data on the same objects (chosen by its mean validation accuracy) "
    "less that of this one, in percentage points, paired by seed. Chance is 1 / classes; "
    "majority: always the most frequent class of training."
)


def gap_points(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare every cell with the best model of raw data on its dataset.

    Args:
        runs: as `collect_runs` returns.

    Returns:
        The columns of `summary` for test_accuracy and test_balanced_accuracy, and behind with
        behind_ci95: best raw - this, NaN for the best raw model itself and where there is none.
    """
    points = summary(runs, ["test_accuracy", "test_balanced_accuracy"])
    behind = [_behind(runs, row) for row in points.to_dict("records")]
    return points.assign(
        behind=[interval.mean for interval in behind],
        behind_ci95=[interval.half_width for interval in behind],
    )


def gap_table(runs: pd.DataFrame) -> Table:
    """Tabulate `gap_points`.

    Args:
        runs: as `collect_runs` returns.
    """
    numbers = gap_points(runs)
    words = identity(numbers, also=["dataset", "train_inrs"])
    words.insert(list(words).index("model") + 1, "reads", numbers["inputs"])
    words["test accuracy [95 %]"] = intervals(numbers, "test_accuracy")
    words["balanced [95 %]"] = intervals(numbers, "test_balanced_accuracy")
    words["behind raw data [95 %]"] = intervals(numbers, "behind", signed=True)
    words["chance"] = [f"{100 / n:.1f}" for n in numbers["n_classes"]]
    words["majority"] = [f"{100 * share:.1f}" for share in numbers["majority_accuracy"]]
    words["best update"] = best_updates(numbers)
    return Table(numbers, words, NOTE + improving(numbers))


def _behind(runs: pd.DataFrame, row: Mapping[Hashable, Any]) -> Interval:
    """By how much a cell is worse than the best raw model of its dataset."""
    same = (runs[SHARED] == [row[key] for key in SHARED]).all(axis=1)
    raw = runs[same & (runs["inputs"] != WEIGHTS)]
    if raw.empty:
        return mean_over_seeds([np.nan])
    best = raw.groupby("cell", sort=False)["val_accuracy"].mean().idxmax()
    if best == row["cell"]:
        return mean_over_seeds([np.nan])
    own = runs[same & (runs["cell"] == row["cell"])]
    both = own.merge(raw[raw["cell"] == best], on="seed", suffixes=("", "_raw"))
    return mean_over_seeds(both["test_accuracy_raw"] - both["test_accuracy"])
