"""The table of the data equivalence: accuracy against training-set size, and the factor."""

import math

import pandas as pd
import torch

from weightspace.report.collect import CELL
from weightspace.report.equivalence import FACTORS, data_factors
from weightspace.report.statistics import comparison
from weightspace.report.tables import Table
from weightspace.report.wording import identity, intervals

__all__ = ["equivalence_points", "equivalence_table", "factor_words"]

NOTE = (
    "Accuracies in percent, differences in percentage points, with 95 % Student-t intervals over "
    'seeds ("-" with one seed). A scheme trained on n objects is worth x times more data if the '
    'scheme "none" reaches its test accuracy with x n objects. The curve of "none" is made '
    "non-decreasing (isotonic regression) and read linearly in log(objects) between the sizes "
    'that were trained; outside them nothing is extrapolated: ">x" and "<x" say that the factor '
    "is beyond what these sizes can show. In brackets: 95 % percentile interval of a bootstrap "
    "over seeds and test objects, drawn together for both curves."
)


def equivalence_points(
    runs: pd.DataFrame,
    correctness: pd.DataFrame | None = None,
    *,
    draws: int = 2000,
    generator: torch.Generator,
) -> pd.DataFrame:
    """Gather accuracy, difference to "none" and factor of every cell.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns.
        draws: see `data_factors`.
        generator: of these draws.

    Returns:
        One row per cell, by scheme and size: the columns of `comparison` and those of
        `data_factors`, which are NaN for "none".
    """
    points = comparison(runs, correctness)
    factors = data_factors(runs, correctness, draws=draws, generator=generator)
    factors = factors.rename(columns={"pairs": "factor_pairs"})
    points = points.merge(factors, on=CELL, how="left")
    keys = ["study", "dataset", "model", "views", "budget", "scheme"]
    place = points.groupby(keys, sort=False).ngroup()
    order = pd.DataFrame({"place": place, "objects": points["objects"]})
    return points.loc[order.sort_values(["place", "objects"], kind="stable").index].reset_index(
        drop=True
    )


def equivalence_table(points: pd.DataFrame) -> Table:
    """Tabulate accuracies and factors.

    Args:
        points: as `equivalence_points` returns.
    """
    words = identity(points)
    words["test accuracy [95 %]"] = intervals(points, "test_accuracy")
    words["difference to none [95 %]"] = intervals(points, "difference", signed=True)
    words["worth × data [95 %]"] = [factor_words(row) for row in points.to_dict("records")]
    return Table(points, words, NOTE)


def factor_words(row: dict) -> str:
    """A factor with its interval, each end censored where it is beyond the measured sizes."""
    if math.isnan(row["factor"]):
        return "-"
    value, low, high = (_factor(row[key], row) for key in FACTORS[:3])
    return f"{value} [-]" if math.isnan(row["factor_low"]) else f"{value} [{low}, {high}]"


def _factor(value: float, row: dict) -> str:
    if value == math.inf:
        return f">{_number(row['factor_most'])}"
    if value == 0:
        return f"<{_number(row['factor_least'])}"
    return _number(value)


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"
