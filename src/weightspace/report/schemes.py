"""The tables that compare the schemes: at equal updates, and the best of a longer budget."""

from collections.abc import Iterable

import pandas as pd

from weightspace.report.collect import CELL, SETTING, ReportError
from weightspace.report.labels import varying
from weightspace.report.statistics import comparison
from weightspace.report.tables import Table
from weightspace.report.wording import (
    best_updates,
    half_width,
    identity,
    improving,
    intervals,
    number,
)

__all__ = ["best_of_longer_budget", "comparison_words", "schemes_tables", "shortest_budget"]

NOTE = (
    "Accuracies and differences in percent and percentage points, on the test split, which was "
    "read once after selection on validation. In brackets: 95 % Student-t interval over seeds "
    '("-" with one seed; with two seeds it is ±9 standard deviations wide). The difference is '
    'paired by seed, to the scheme "none" of the same dataset, model, views and objects; p is '
    "that of the paired t-test, q the same adjusted for all schemes there: of those with q below "
    "0.05 no more than 5 % are expected to be chance (Benjamini-Hochberg)."
)
OBJECTS_NOTE = (
    ' "± objects": half-width of the 95 % interval over the draw of the test objects, for '
    "these trained models."
)
BALANCED_NOTE = (
    " Balanced accuracy: the mean over the classes of the share of their test objects that is "
    "right; guessing one class gives 1 / classes. The selection, the intervals over objects and "
    "the differences are of the plain accuracy."
)
EQUAL_NOTE = " The rows of one dataset, model, views and objects have the same number of updates."
LONGER_NOTE = (
    " Every scheme shown was trained with each of the budgets of its dataset, model, views and "
    "objects ({budgets} times the updates of the study); the row shows the one with the best "
    'validation accuracy, named under "× updates". Schemes that lack one of the budgets are left '
    'out; where "none" does, there is no difference ("-").'
)
PLACE = [key for key in SETTING if key not in ("budget", "updates")]
"""A setting but for its budget; of these, each has budgets of its own."""


def schemes_tables(runs: pd.DataFrame, correctness: pd.DataFrame | None = None) -> list[Table]:
    """Compare the schemes at equal updates and, where there are longer runs, at their best.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns; adds the intervals over test objects.

    Returns:
        The table at the shortest budgets, and if some scheme was trained with several the table
        of `best_of_longer_budget`. The column `table` of the numbers is "equal updates" or
        "best of longer budget".
    """
    equal = comparison(shortest_budget(runs), correctness)
    names = varying(runs, ["study", "dataset"])
    tables = [_table(equal, "equal updates", EQUAL_NOTE, names)]
    complete = _with_all_budgets(runs)
    if len(complete):
        note = LONGER_NOTE.format(budgets=_budgets(complete))
        longer = best_of_longer_budget(complete, correctness)
        tables.append(_table(longer, "best of longer budget", note, [*names, "budget"]))
    return tables


def shortest_budget(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the fewest updates of their dataset, model, views and objects."""
    return runs[runs["budget"] == runs.groupby(PLACE)["budget"].transform("min")]


def best_of_longer_budget(
    runs: pd.DataFrame, correctness: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Compare the schemes, each at the best of the budgets of its dataset, model, views, objects.

    The budget of a scheme is that with the highest mean *validation* accuracy over its seeds
    (the shorter of two equal ones), so the test objects choose nothing. The difference is to
    "none" at the best of its own budgets.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns.

    Returns:
        As `comparison`; `budget` and `updates` are those chosen. Left out are schemes that were
        not trained with all budgets, and everything where there is but one budget.

    Raises:
        ReportError: if nothing is left.
    """
    complete = _with_all_budgets(runs)
    if complete.empty:
        raise ReportError("no scheme was trained with all of several budgets; train one with each")
    chosen = _chosen(complete)
    own = runs.merge(chosen[CELL], on=CELL)
    level = own.assign(budget=0, updates=0)  # pairs cells whose budgets differ
    table = comparison(level, correctness).drop(columns=["budget", "updates"])
    return table.merge(chosen[[*CELL, "budget", "updates"]], on=CELL)


def comparison_words(numbers: pd.DataFrame, *, also: Iterable[str] = ()) -> pd.DataFrame:
    """Word the numbers of `comparison` for reading: one row of texts per cell.

    The balanced accuracy has a column where it is another number than the accuracy, at the
    precision of the table. With equally many test objects of every class it never is.

    Args:
        numbers: as `comparison` returns.
        also: names, or the budget, to show even if they are the same for all.
    """
    words = identity(numbers, also=also)
    with_objects = "objects_ci95" in numbers
    words["test accuracy [95 %]"] = intervals(numbers, "test_accuracy")
    if with_objects:
        words["± objects"] = numbers["objects_ci95"].map(half_width)
    if _unbalanced(numbers):
        words["balanced accuracy [95 %]"] = intervals(numbers, "test_balanced_accuracy")
    words["difference to none [95 %]"] = intervals(numbers, "difference", signed=True)
    words["p"] = [number(p, 3) for p in numbers["difference_p"]]
    words["q"] = [number(q, 3) for q in numbers["difference_q"]]
    if with_objects:
        words["difference ± objects"] = numbers["difference_objects_ci95"].map(half_width)
    words["best update"] = best_updates(numbers)
    return words


def _unbalanced(numbers: pd.DataFrame) -> bool:
    """Whether the balanced accuracy is somewhere another number, in tenths of a percent."""
    gap = numbers["test_balanced_accuracy"] - numbers["test_accuracy"]
    return bool((gap.abs() >= 0.0005).any())


def _with_all_budgets(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of schemes that have every budget of their place, where it has several."""
    known = runs.groupby(PLACE)["budget"].transform("nunique")
    own = runs.groupby([*PLACE, "scheme"])["budget"].transform("nunique")
    return runs[(own == known) & (known > 1)]


def _budgets(runs: pd.DataFrame) -> str:
    """The budgets of each place in words: "1, 3", or where they differ "1, 3 or 1, 2"."""
    sets = [sorted(own.unique()) for _, own in runs.groupby(PLACE, sort=False)["budget"]]
    return " or ".join(dict.fromkeys(", ".join(f"{b:,}" for b in budgets) for budgets in sets))


def _chosen(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per scheme: the cell of its best budget by validation."""
    groups = [*CELL, *PLACE[1:], "scheme", "budget", "updates"]
    shortest_first = runs.sort_values("budget", kind="stable")
    cells = shortest_first.groupby(groups, as_index=False, sort=False)["val_accuracy"].mean()
    return cells.loc[cells.groupby([*PLACE, "scheme"], sort=False)["val_accuracy"].idxmax()]


def _table(numbers: pd.DataFrame, name: str, note: str, also: list[str]) -> Table:
    words = comparison_words(numbers, also=also)
    objects = OBJECTS_NOTE if "objects_ci95" in numbers else ""
    balanced = BALANCED_NOTE if _unbalanced(numbers) else ""
    text = NOTE + objects + balanced + note + improving(numbers)
    return Table(numbers.assign(table=name), words, text, title=name.capitalize())
