"""The words of a table's cells: accuracies, differences and factors with their intervals."""

import math
from collections.abc import Iterable

import pandas as pd

from weightspace.report.labels import display_name, varying

__all__ = [
    "accuracy",
    "best_updates",
    "difference",
    "half_width",
    "identity",
    "improving",
    "intervals",
    "number",
]

NAMES = ["study", "dataset"]
HEADINGS = {"train_inrs": "networks", "budget": "× updates"}
IMPROVING = (
    " †: the last update was the best one of at least one seed: training was still improving."
)


def identity(frame: pd.DataFrame, *, scheme: bool = True, also: Iterable[str] = ()) -> pd.DataFrame:
    """The columns that say which cell a row is, without names that are the same for all.

    Args:
        frame: as `summary` or `comparison` return.
        scheme: whether there is a column for the scheme.
        also: what else to show: train_inrs, or names and a budget that are the same for all.

    Returns:
        A table of texts with the rows of `frame`.
    """
    words = pd.DataFrame(index=frame.index)
    shown = [*also, *varying(frame, [*NAMES, "budget"])]
    for key in (name for name in NAMES if name in shown):
        words[key] = frame[key].map(display_name)
    words["model"] = frame["model"].map(display_name)
    if scheme:
        words["scheme"] = frame["scheme"].map(display_name)
    counts = [key for key in dict.fromkeys(shown) if key not in NAMES]
    for key in ["views", "objects", *counts, "seeds"]:
        words[HEADINGS.get(key, key)] = frame[key].map("{:,}".format)
    return words


def intervals(frame: pd.DataFrame, value: str, *, signed: bool = False) -> list[str]:
    """A column of means with their intervals in percent: "41.2 [39.0, 43.4]"."""
    form = difference if signed else accuracy
    halves = frame[f"{value.removesuffix('_accuracy')}_ci95"]
    return [form(mean, half) for mean, half in zip(frame[value], halves, strict=True)]


def best_updates(frame: pd.DataFrame) -> list[str]:
    """The mean of the selected updates of each row, "†" behind it where training still improved."""
    marks = frame["improving"].map({True: " †", False: ""})
    return [f"{n:,.0f}{mark}" for n, mark in zip(frame["best_update"], marks, strict=True)]


def improving(frame: pd.DataFrame) -> str:
    """What the mark of `best_updates` says, for the note of a table; nothing without a mark."""
    return IMPROVING if frame["improving"].any() else ""


def accuracy(mean: float, half: float) -> str:
    """An accuracy in percent with its interval, "[-]" where there is none."""
    return _with_bracket(mean, half, ".1f")


def difference(mean: float, half: float) -> str:
    """A difference in percentage points, always with its sign, with its interval."""
    return _with_bracket(mean, half, "+.1f")


def number(value: float, digits: int) -> str:
    """A number with so many decimals; "-" for one that is unknown."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def half_width(half: float) -> str:
    """The half-width of an interval in percentage points."""
    return "-" if math.isnan(half) else f"{100 * half:.1f}"


def _with_bracket(mean: float, half: float, form: str) -> str:
    if math.isnan(mean):
        return "-"
    if math.isnan(half):
        return f"{100 * mean:{form}} [-]"
    return f"{100 * mean:{form}} [{100 * (mean - half):{form}}, {100 * (mean + half):{form}}]"
