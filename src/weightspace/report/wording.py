"""The words of a table's cells: accuracies, differences and factors with their intervals."""

import math
from collections.abc import Iterable

import pandas as pd

from weightspace.report.labels import display_name, varying

__all__ = ["accuracy", "difference", "half_width", "identity", "intervals"]

NAMES = ["study", "dataset"]
HEADINGS = {"train_inrs": "networks", "budget": "× updates"}


def identity(frame: pd.DataFrame, *, scheme: bool = True, also: Iterable[str] = ()) -> pd.DataFrame:
    """The columns that say which cell a row is, without names that are the same for all.

    Args:
        frame: as `summary` or `comparison` return.
        scheme: whether there is a column for the scheme.
        also: further counts to show: train_inrs, or a budget that is the same for all.

    Returns:
        A table of texts with the rows of `frame`.
    """
    words = pd.DataFrame(index=frame.index)
    for key in varying(frame, NAMES):
        words[key] = frame[key].map(display_name)
    words["model"] = frame["model"].map(display_name)
    if scheme:
        words["scheme"] = frame["scheme"].map(display_name)
    for key in ["views", "objects", *dict.fromkeys([*also, *varying(frame, ["budget"])]), "seeds"]:
        words[HEADINGS.get(key, key)] = frame[key].map("{:,}".format)
    return words


def intervals(frame: pd.DataFrame, value: str, *, signed: bool = False) -> list[str]:
    """A column of means with their intervals in percent: "41.2 [39.0, 43.4]"."""
    form = difference if signed else accuracy
    halves = frame[f"{value.removesuffix('_accuracy')}_ci95"]
    return [form(mean, half) for mean, half in zip(frame[value], halves, strict=True)]


def accuracy(mean: float, half: float) -> str:
    """An accuracy in percent with its interval, "[-]" where there is none."""
    return _with_bracket(mean, half, ".1f")


def difference(mean: float, half: float) -> str:
    """A difference in percentage points, always with its sign, with its interval."""
    return _with_bracket(mean, half, "+.1f")


def half_width(half: float) -> str:
    """The half-width of an interval in percentage points."""
    return "-" if math.isnan(half) else f"{100 * half:.1f}"


def _with_bracket(mean: float, half: float, form: str) -> str:
    if math.isnan(mean):
        return "-"
    if math.isnan(half):
        return f"{100 * mean:{form}} [-]"
    return f"{100 * mean:{form}} [{100 * (mean - half):{form}}, {100 * (mean + half):{form}}]"
