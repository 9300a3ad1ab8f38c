"""Accuracy against the strength of the augmentations that have one."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from weightspace.report.collect import SETTING, ReportError
from weightspace.report.labels import display_name
from weightspace.report.statistics import BASELINE, comparison, summary
from weightspace.report.tables import Table
from weightspace.report.wording import identity, intervals

__all__ = ["strength_points", "strength_table"]

NOTE = (
    "Accuracies in percent, differences in percentage points; in brackets: 95 % Student-t "
    'interval over seeds ("-" with one seed). The difference to the scheme "none" is paired by '
    'seed, on the test split. "chosen" marks the strength with the best validation accuracy of '
    "an augmentation, the one that may be used elsewhere; the test accuracies of the others are "
    "shown to see what the choice was worth."
)
SWEEP = [*(key for key in SETTING if key != "updates"), "augmentation", "parameter"]


def strength_points(runs: pd.DataFrame, sweeps: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Gather the cells of the sweeps, each with its strength.

    Args:
        runs: as `collect_runs` returns.
        sweeps: for each scheme of a sweep {"augmentation": its name, "parameter": the name of
            its strength, "value": the strength}; schemes without runs are passed over.

    Returns:
        One row per cell, the sweeps together, by value: the columns of `summary` for
        test_accuracy and val_accuracy, then difference, difference_ci95, pairs, augmentation,
        parameter, value, and `chosen`: whether its validation accuracy is the best of its
        sweep. The rows of "none" have no augmentation.

    Raises:
        ReportError: if a scheme other than "none" is not in `sweeps`, or none is.
    """
    foreign = sorted(set(runs["scheme"]) - set(sweeps) - {BASELINE})
    swept = runs["scheme"].isin(list(sweeps))
    if foreign or not swept.any():
        raise ReportError(
            f"the sweeps name {', '.join(sweeps) or 'no scheme'}; the runs have the schemes "
            f"{', '.join(runs['scheme'].unique())}; give the strength of each but {BASELINE}"
        )
    points = summary(runs, ["test_accuracy", "val_accuracy"])
    paired = comparison(runs)[["study", "cell", "difference", "difference_ci95", "pairs"]]
    points = points.merge(paired, on=["study", "cell"])
    for key in ("augmentation", "parameter", "value"):
        points[key] = [sweeps.get(scheme, {}).get(key) for scheme in points["scheme"]]
    order = {name: i for i, name in enumerate(s["augmentation"] for s in sweeps.values())}
    points = points.assign(value=points["value"].astype(float), chosen=False)
    points["place"] = points["augmentation"].map(order)
    points = points.sort_values(["place", "value"], kind="stable", na_position="first")
    best = points[points["augmentation"].notna()].groupby(SWEEP)["val_accuracy"].idxmax()
    points.loc[best, "chosen"] = True
    return points.drop(columns="place").reset_index(drop=True)


def strength_table(points: pd.DataFrame) -> Table:
    """Tabulate the sweeps.

    Args:
        points: as `strength_points` returns.
    """
    words = identity(points, scheme=False)
    words["augmentation"] = points["augmentation"].fillna(BASELINE).map(display_name)
    words["parameter"] = points["parameter"].fillna("-").map(display_name)
    words["value"] = ["-" if pd.isna(value) else f"{value:g}" for value in points["value"]]
    words["chosen"] = points["chosen"].map({True: "yes", False: ""})
    words["validation [95 %]"] = intervals(points, "val_accuracy")
    words["test accuracy [95 %]"] = intervals(points, "test_accuracy")
    words["difference to none [95 %]"] = intervals(points, "difference", signed=True)
    return Table(points, words, NOTE)
