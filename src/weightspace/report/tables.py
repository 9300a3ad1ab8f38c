"""The comparison table for people: Markdown and LaTeX beside the numbers in CSV."""

import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from weightspace.report.collect import ReportError
from weightspace.report.labels import display_name, varying
from weightspace.report.saving import save_csv, save_text
from weightspace.report.statistics import BASELINE

__all__ = ["comparison_latex", "comparison_markdown", "comparison_table", "save_comparison"]

NOTE = (
    "Accuracies and differences in percent and percentage points, on the test split, which was "
    "read once after selection on validation. In brackets: 95 % Student-t interval over seeds "
    '("-" with one seed; with two seeds it is ±9 standard deviations wide). The difference is '
    'paired by seed, to the scheme "none" of the same model, views, objects and updates.'
)
OBJECTS_NOTE = (
    ' "± objects": half-width of the 95 % interval over the draw of the test objects, for '
    "these trained models."
)


def comparison_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """Word the numbers of `statistics.comparison` for reading: one row of texts per cell.

    Columns that hold one value only (study, dataset, updates) are left out.
    """
    table = pd.DataFrame()
    for key in varying(comparison, ["study", "dataset"]):
        table[key] = comparison[key].map(display_name)
    table["model"] = comparison["model"].map(display_name)
    table["scheme"] = comparison["scheme"].map(display_name)
    for key in ["views", "objects", *varying(comparison, ["updates"]), "seeds"]:
        table[key] = comparison[key].map("{:,}".format)
    rows = comparison.to_dict("records")
    with_objects = "objects_ci95" in comparison
    table["test accuracy [95 %]"] = [_accuracy(row) for row in rows]
    if with_objects:
        table["± objects"] = [_points(row["objects_ci95"]) for row in rows]
    table["difference to none [95 %]"] = [_difference(row) for row in rows]
    if with_objects:
        table["difference ± objects"] = [_points(row["difference_objects_ci95"]) for row in rows]
    table["best update"] = comparison["best_update"].map("{:,.0f}".format)
    return table


def comparison_markdown(comparison: pd.DataFrame) -> str:
    """The comparison as a Markdown table, with a note on how to read it."""
    table = comparison_table(comparison)
    left = {"study", "dataset", "model", "scheme"}
    align = ["left" if column in left else "right" for column in table.columns]
    text = table.to_markdown(index=False, disable_numparse=True, colalign=align)
    return f"{text}\n\n{_note(comparison)}\n"


def comparison_latex(comparison: pd.DataFrame) -> str:
    """The comparison as a LaTeX tabular (needs the package booktabs)."""
    style = comparison_table(comparison).style.hide(axis="index")
    style = style.format(escape="latex").format_index(escape="latex", axis=1)
    return f"% {_note(comparison)}\n{style.to_latex(hrules=True)}"


def save_comparison(comparison: pd.DataFrame, paths: Iterable[str | Path]) -> None:
    """Write the comparison to every path, in the form of its ending (.csv, .md or .tex).

    Raises:
        ReportError: if an ending is not one of these; nothing is written then.
    """
    targets = [Path(path) for path in paths]
    for path in targets:
        if path.suffix not in (".csv", ".md", ".tex"):
            raise ReportError(
                f"cannot write the comparison to {path}: the ending is {path.suffix!r}, "
                "it must be .csv, .md or .tex"
            )
    for path in targets:
        if path.suffix == ".csv":
            save_csv(comparison, path)
        else:
            word = comparison_markdown if path.suffix == ".md" else comparison_latex
            save_text(word(comparison), path)


def _note(comparison: pd.DataFrame) -> str:
    return NOTE + (OBJECTS_NOTE if "objects_ci95" in comparison else "")


def _accuracy(row: dict) -> str:
    mean, half = row["test_accuracy"], row["test_ci95"]
    return f"{100 * mean:.1f} {_bracket(mean, half, '.1f')}"


def _difference(row: dict) -> str:
    mean, half = row["difference"], row["difference_ci95"]
    if row["scheme"] == BASELINE or math.isnan(mean):
        return "-"
    return f"{100 * mean:+.1f} {_bracket(mean, half, '+.1f')}"


def _bracket(mean: float, half: float, form: str) -> str:
    if math.isnan(half):
        return "[-]"
    return f"[{100 * (mean - half):{form}}, {100 * (mean + half):{form}}]"


def _points(half: float) -> str:
    return "-" if math.isnan(half) else f"{100 * half:.1f}"
