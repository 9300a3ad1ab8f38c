"""The tables that compare the schemes: at equal updates, and the best of a longer budget."""

import pandas as pd

from weightspace.report.collect import CELL, SETTING
from weightspace.report.statistics import comparison
from weightspace.report.tables import Table
from weightspace.report.wording import half_width, identity, intervals

__all__ = ["best_of_longer_budget", "comparison_words", "schemes_tables", "shortest_budget"]

NOTE = (
    "Accuracies and differences in percent and percentage points, on the test split, which was "
    "read once after selection on validation. In brackets: 95 % Student-t interval over seeds "
    '("-" with one seed; with two seeds it is ±9 standard deviations wide). The difference is '
    'paired by seed, to the scheme "none" of the same dataset, model, views and objects.'
)
OBJECTS_NOTE = (
    ' "± objects": half-width of the 95 % interval over the draw of the test objects, for '
    "these trained models."
)
EQUAL_NOTE = " All cells have the same number of updates."
LONGER_NOTE = (
    " Every scheme, none included, was trained with each of the budgets {budgets} (multiples of "
    "the updates of the study); the row shows the one with the best validation accuracy, "
    'named under "× updates". Schemes that were not trained with the longest budget are left out.'
)
CHOICE = [key for key in SETTING if key not in ("budget", "updates")]


def schemes_tables(runs: pd.DataFrame, correctness: pd.DataFrame | None = None) -> list[Table]:
    """Compare the schemes at equal updates and, where there are longer runs, at their best.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns; adds the intervals over test objects.

    Returns:
        The table at the shortest budget, and if there is a longer one the table of
        `best_of_longer_budget`. The column `table` of the numbers is "equal updates" or
        "best of longer budget".
    """
    equal = comparison(shortest_budget(runs), correctness)
    tables = [_table(equal, "equal updates", EQUAL_NOTE, correctness is not None)]
    if runs["budget"].nunique() > 1:
        longer = best_of_longer_budget(runs, correctness)
        budgets = ", ".join(f"{b:,}" for b in sorted(runs["budget"].unique()))
        note = LONGER_NOTE.format(budgets=budgets)
        tables.append(_table(longer, "best of longer budget", note, correctness is not None))
    return tables


def shortest_budget(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the fewest updates, at which every scheme is compared."""
    return runs[runs["budget"] == runs["budget"].min()]


def best_of_longer_budget(
    runs: pd.DataFrame, correctness: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Compare the schemes, each at the best of the budgets up to the longest.

    The budget of a scheme is that with the highest mean *validation* accuracy over its seeds
    (the shorter of two equal ones), so the test objects choose nothing. The difference is to
    "none" at the best of its own budgets.

    Args:
        runs: as `collect_runs` returns.
        correctness: as `collect_correctness` returns.

    Returns:
        As `comparison`; `budget` and `updates` are those chosen. Schemes that were not trained
        with the longest budget in their setting are left out.
    """
    chosen = _chosen(runs)
    own = runs.merge(chosen[CELL], on=CELL)
    level = own.assign(budget=0, updates=0)  # pairs cells whose budgets differ
    table = comparison(level, correctness).drop(columns=["budget", "updates"])
    return table.merge(chosen[[*CELL, "budget", "updates"]], on=CELL)


def comparison_words(numbers: pd.DataFrame, *, budget: bool = False) -> pd.DataFrame:
    """Word the numbers of `comparison` for reading: one row of texts per cell.

    Args:
        numbers: as `comparison` returns.
        budget: whether there is a column for the budget even if it is the same for all.
    """
    words = identity(numbers, also=["budget"] if budget else [])
    with_objects = "objects_ci95" in numbers
    words["test accuracy [95 %]"] = intervals(numbers, "test_accuracy")
    if with_objects:
        words["± objects"] = numbers["objects_ci95"].map(half_width)
    words["difference to none [95 %]"] = intervals(numbers, "difference", signed=True)
    if with_objects:
        words["difference ± objects"] = numbers["difference_objects_ci95"].map(half_width)
    words["best update"] = numbers["best_update"].map("{:,.0f}".format)
    return words


def _chosen(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per scheme: the cell of its best budget by validation."""
    groups = [*CELL, *CHOICE[1:], "scheme", "budget", "updates"]
    cells = runs.groupby(groups, as_index=False, sort=False)["val_accuracy"].mean()
    longest = cells.groupby([*CHOICE, "scheme"])["budget"].transform("max")
    complete = cells[longest == cells["budget"].max()].sort_values("budget", kind="stable")
    best = complete.groupby([*CHOICE, "scheme"], sort=False)["val_accuracy"].idxmax()
    return cells.loc[best]


def _table(numbers: pd.DataFrame, name: str, note: str, with_objects: bool) -> Table:
    words = comparison_words(numbers, budget=name != "equal updates")
    text = NOTE + (OBJECTS_NOTE if with_objects else "") + note
    return Table(numbers.assign(table=name), words, text, title=name.capitalize())
