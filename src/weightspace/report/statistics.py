"""Means, intervals and paired differences over seeds and over test objects."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtr, stdtrit
from scipy.stats import false_discovery_control

from weightspace.report.collect import CELL, SETTING, ReportError

__all__ = [
    "BASELINE",
    "Interval",
    "chance_level",
    "comparison",
    "mean_over_objects",
    "mean_over_seeds",
    "paired_test",
    "summary",
]

BASELINE = "none"
"""The scheme that the others are compared with: no augmentation."""

ROUNDING = 1e-12  # what equal differences of accuracies may be apart

NAMES = ["dataset", "inputs", "model", "scheme"]
COUNTS = ["views", "objects", "train_inrs", "n_classes", "majority_accuracy", "budget", "updates"]


@dataclass(frozen=True)
class Interval:
    """A mean, the half-width of its 95 % interval (NaN if unknown) and the sample size."""

    mean: float
    half_width: float
    size: int


def mean_over_seeds(values: Iterable[float]) -> Interval:
    """The mean and its 95 % Student-t interval: mean +- t_{0.975, n-1} s / sqrt(n).

    With one value the half-width is NaN: one run says nothing about the spread of runs. With
    two values t = 12.7, so the interval is +-9 standard deviations; it is wide because two
    runs say little, and it shrinks to +-2.5 with three and to +-1.2 with five.

    Args:
        values: one number per seed.

    Returns:
        The interval; mean and half-width are NaN without any value.
    """
    x = np.asarray(list(values), dtype=float)
    if x.size == 0:
        return Interval(float("nan"), float("nan"), 0)
    if x.size == 1:
        return Interval(float(x[0]), float("nan"), 1)
    half_width = stdtrit(x.size - 1, 0.975) * x.std(ddof=1) / np.sqrt(x.size)
    return Interval(float(x.mean()), float(half_width), x.size)


def paired_test(differences: Interval) -> float:
    """The p value of the paired, two-sided t-test that the mean difference over seeds is 0.

    It is below 0.05 where the interval does not hold 0.

    Args:
        differences: of two cells, as `mean_over_seeds` returns for theirs.

    Returns:
        The p value; NaN with fewer than two seeds, or if they do not differ in their difference.
    """
    if not differences.half_width > ROUNDING:
        return float("nan")
    freedom = differences.size - 1
    t = differences.mean / (differences.half_width / stdtrit(freedom, 0.975))
    return float(2 * stdtr(freedom, -abs(t)))


def mean_over_objects(values: pd.DataFrame) -> Interval:
    """The mean and its 95 % interval over the draw of the test objects, for these seeds.

    The values of one object are averaged over seeds and views first, because they are not
    independent; the half-width is 1.96 s / sqrt(n) over the n objects. It says how far
    another test set of this size would move the result of these trained models; it does not
    hold the spread between trainings, which `mean_over_seeds` does.

    Args:
        values: the columns object_id and correct.

    Returns:
        The interval; its half-width is NaN with fewer than two objects.
    """
    x = values.groupby("object_id")["correct"].mean().to_numpy(dtype=float)
    if x.size < 2:
        return Interval(float(x.mean()) if x.size else float("nan"), float("nan"), x.size)
    half_width = ndtri(0.975) * x.std(ddof=1) / np.sqrt(x.size)
    return Interval(float(x.mean()), float(half_width), x.size)


def comparison(runs: pd.DataFrame, correctness: pd.DataFrame | None = None) -> pd.DataFrame:
    """Compare the cells: one row each, the models together, otherwise in the order of `runs`.

    The paired difference is to the cell with the scheme "none" of the same setting (dataset,
    model, views, objects, budget, updates), over the seeds that both have; it is NaN for
    "none" itself and where there is no such cell.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns; adds the intervals over test objects.

    Returns:
        The columns study, cell, dataset, inputs, model, scheme, views, objects, train_inrs,
        n_classes, majority_accuracy, budget, updates, seeds, best_update, improving (whether the
        best update of a seed is its last), val_accuracy, test_accuracy, test_ci95,
        test_balanced_accuracy, test_balanced_ci95, difference, difference_ci95, pairs, with
        `correctness` objects_ci95 and difference_objects_ci95, difference_p (of `paired_test`)
        and difference_q: p adjusted for all schemes of a setting, so that of those below 0.05 no
        more than 5 % are expected to be chance (Benjamini and Hochberg 1995). Accuracies are
        fractions, every `_ci95` is a half-width.

    Raises:
        ReportError: if `correctness` lacks a cell.
    """
    rows = []
    places = {} if correctness is None else correctness.groupby(CELL).indices
    for cell in _cells(runs):
        baseline = _baseline(runs, cell)
        accuracy = mean_over_seeds(cell["test_accuracy"])
        balanced = mean_over_seeds(cell["test_balanced_accuracy"])
        difference = mean_over_seeds(_paired(cell, baseline, "test_accuracy", ["seed"]))
        rows.append(
            _identity(cell)
            | {"val_accuracy": float(cell["val_accuracy"].mean())}
            | {"test_accuracy": accuracy.mean}
            | {"test_ci95": accuracy.half_width, "test_balanced_accuracy": balanced.mean}
            | {"test_balanced_ci95": balanced.half_width, "difference": difference.mean}
            | {"difference_ci95": difference.half_width, "pairs": difference.size}
            | {"difference_p": paired_test(difference)}
        )
        if correctness is not None:
            own, other = (_hits(correctness, places, part) for part in (cell, baseline))
            rows[-1] |= _over_objects(cell, own, other)
    table = pd.DataFrame(rows)
    tested = table[table["difference_p"].notna()]
    adjusted = tested.groupby(SETTING)["difference_p"].transform(false_discovery_control)
    return table.assign(difference_q=adjusted)


def summary(runs: pd.DataFrame, values: Iterable[str]) -> pd.DataFrame:
    """The mean and interval over seeds of several columns, one row per cell.

    Args:
        runs: as `collect_runs` returns, with further columns if so wished; the models stay
            together, otherwise the order is that of `runs`.
        values: columns of `runs`.

    Returns:
        The columns that `comparison` starts with, up to improving, and for each value its mean and
        the half-width of its 95 % interval: `test_accuracy` and `test_ci95`, `gap` and
        `gap_ci95`.
    """
    rows = []
    for cell in _cells(runs):
        row = _identity(cell)
        for value in values:
            interval = mean_over_seeds(cell[value])
            name = f"{value.removesuffix('_accuracy')}_ci95"
            row |= {value: interval.mean, name: interval.half_width}
        rows.append(row)
    return pd.DataFrame(rows)


def chance_level(runs: pd.DataFrame) -> float:
    """The accuracy of guessing, 1 / classes.

    Raises:
        ReportError: if the runs differ in their number of classes.
    """
    counts = sorted(runs["n_classes"].unique())
    if len(counts) != 1:
        raise ReportError(
            f"the runs have {', '.join(map(str, counts))} classes; give those of one dataset"
        )
    return 1.0 / counts[0]


def _cells(runs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The runs of each cell; the models together, otherwise in the order of `runs`."""
    model = runs.groupby(["study", "dataset", "model"], sort=False).ngroup()
    ordered = runs.loc[model.sort_values(kind="stable").index]
    return (cell for _, cell in ordered.groupby(CELL, sort=False))


def _identity(cell: pd.DataFrame) -> dict[str, Any]:
    """What names a cell, what it was trained with, and how long it got better."""
    first, best = cell.iloc[0], cell["best_update"]
    return (
        {key: first[key] for key in [*CELL, *NAMES, *COUNTS]}
        | {"seeds": len(cell), "best_update": float(best.mean())}
        | {"improving": bool((best == cell["updates"]).any())}
    )


def _baseline(runs: pd.DataFrame, cell: pd.DataFrame) -> pd.DataFrame:
    """The runs without augmentation to compare `cell` with; none for the baseline itself."""
    same = runs["scheme"] == BASELINE
    for key in SETTING:
        same &= runs[key] == cell[key].iloc[0]
    return runs[same & (cell["scheme"].iloc[0] != BASELINE)]


def _paired(cell: pd.DataFrame, baseline: pd.DataFrame, value: str, keys: list[str]) -> pd.Series:
    both = cell.merge(baseline, on=keys, suffixes=("", "_baseline"))
    return both[value] - both[f"{value}_baseline"]


def _hits(correctness: pd.DataFrame, places: Mapping[Any, Any], runs: pd.DataFrame) -> pd.DataFrame:
    """What these runs got right; `places` are the rows of `correctness` of each cell."""
    cells = runs[CELL].drop_duplicates().itertuples(index=False, name=None)
    rows = [row for cell in cells for row in places.get(cell, ())]
    return runs[[*CELL, "seed"]].merge(correctness.iloc[rows], on=[*CELL, "seed"])


def _over_objects(
    cell: pd.DataFrame, own: pd.DataFrame, baseline: pd.DataFrame
) -> dict[str, float]:
    if own["seed"].nunique() != len(cell):
        raise ReportError(
            f"the predictions lack seeds of the cell {cell['cell'].iloc[0]}; "
            "collect them from the same cells as the metrics"
        )
    keys = ["seed", "object_id"]
    both = own.merge(baseline, on=keys, suffixes=("", "_baseline"))
    both["correct"] = both["correct"] - both["correct_baseline"]
    return {
        "objects_ci95": mean_over_objects(own).half_width,
        "difference_objects_ci95": mean_over_objects(both).half_width,
    }
