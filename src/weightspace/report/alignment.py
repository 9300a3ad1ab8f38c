"""The table of the alignment experiment: the matchings, and the accuracy of mixing with them."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from weightspace.report.alignment_pairs import ALIGNMENTS, PAIR_KINDS
from weightspace.report.collect import CELL, collect_runs
from weightspace.report.labels import display_name, with_labels
from weightspace.report.saving import save_csv, save_text
from weightspace.report.statistics import BASELINE, comparison

__all__ = [
    "NO_MIX",
    "alignment_cells",
    "alignment_markdown",
    "alignment_table",
    "classify",
    "save_alignment",
]

NO_MIX = "no MixUp"

UNIFORM = {"low": 0.0, "high": 1.0, "alpha": 1.0, "beta": 1.0}

NOTE = (
    "Pairs of training networks; after ± half of the 95 % Student-t interval over pairs. "
    "Distance: |a - g b|² / ((|a|² + |b|²) / 2), 2 for independent networks and 0 for equal "
    "ones. Function error: squared difference between the function of lam a + (1 - lam) g b and "
    "lam f_a + (1 - lam) f_b, relative to the variance of a function over the points. PSNR: of "
    "the picture of the midpoint to the mean of both pictures."
)
ACCURACY_NOTE = (
    "Test accuracy in percent, with its 95 % Student-t interval over seeds; the difference, in "
    'points, is paired by seed, to the scheme "none" of the same setting. Chance: {chance}.'
)


def classify(scheme: Mapping[str, Any]) -> tuple[str, str] | None:
    """Tell how a scheme aligns partners and which lam it mixes with.

    Args:
        scheme: its settings, as in the config.

    Returns:
        One of `ALIGNMENTS` and the words for lam (`NO_MIX` if it does not mix); None if the
        scheme does something else too, or mixes in another way.
    """
    mix, reference = scheme.get("mix"), scheme.get("align_to_reference")
    if scheme.get("augment"):
        return None
    alignment = f"reference_{reference}" if reference else "none"
    if mix is None:
        return alignment, NO_MIX
    if not reference and mix["kind"] == "randomised":
        alignment = "randomised"
    elif not reference and mix["kind"] == "aligned":
        alignment = "signed" if mix["signed"] else "permutation"
    elif mix["kind"] != "direct":
        return None
    return alignment, _lam(mix)


def alignment_cells(metrics_paths: Iterable[str | Path]) -> pd.DataFrame:
    """Compare the cells that differ in how partners are aligned and in lam alone.

    Args:
        metrics_paths: one `metrics.json` per cell. Cells of other schemes are left out.

    Returns:
        The columns of `statistics.comparison`, `alignment` and `lam` as `classify` gives them,
        and `series`: model and setting in words. Each series in the order of `ALIGNMENTS`.

    Raises:
        ReportError: as `collect_runs`.
    """
    paths = list(metrics_paths)
    table = comparison(collect_runs(paths))
    found = {}
    for path in paths:
        metrics = json.loads(Path(path).read_text(encoding="utf-8"))
        key = tuple(metrics[name] for name in CELL)
        found[key] = classify(metrics["config"]["scheme_settings"])
    kinds = [found[key] for key in table[CELL].itertuples(index=False, name=None)]
    table = table[[kind is not None for kind in kinds]]
    kinds = [kind for kind in kinds if kind is not None]
    table = table.assign(alignment=[a for a, _ in kinds], lam=[lam for _, lam in kinds])
    words = with_labels(table)[["series", "setting"]].agg(", ".join, axis=1)
    table = table.assign(series=words.str.removesuffix(", "))
    place = table.groupby("series", sort=False).ngroup() * len(ALIGNMENTS)
    place += table["alignment"].map(list(ALIGNMENTS).index)
    return table.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def alignment_table(quality: pd.DataFrame, cells: pd.DataFrame | None = None) -> pd.DataFrame:
    """All numbers of the experiment, one per row, each with its interval.

    Args:
        quality: as `matching_quality` returns.
        cells: as `alignment_cells` returns.

    Returns:
        The columns of `quality`, below its rows two for every cell, with the quantities
        test_accuracy and difference (fractions; `n` counts seeds), and with columns of their
        own: model, scheme, views, objects, budget, updates and `mixing`, the lam in words.
    """
    if cells is None or cells.empty:
        return quality
    counts = ["views", "objects", "budget", "updates"]
    cells = cells.astype(dict.fromkeys(counts, "Int64"))  # whole numbers beside empty fields
    names = ["dataset", "alignment", "model", "scheme", *counts]
    parts = []
    for quantity, ci95, n in (
        ("test_accuracy", "test_ci95", "seeds"),
        ("difference", "difference_ci95", "pairs"),
    ):
        part = cells[names].assign(mixing=cells["lam"], quantity=quantity)
        parts.append(part.assign(mean=cells[quantity], ci95=cells[ci95], n=cells[n]))
    accuracy = pd.concat(parts).sort_index(kind="stable")
    return pd.concat([quality, accuracy.dropna(subset="mean")], ignore_index=True)


def alignment_markdown(quality: pd.DataFrame, cells: pd.DataFrame | None = None) -> str:
    """The experiment as Markdown tables with notes on how to read them."""
    text = f"{_to_markdown(_matchings(quality))}\n\n{NOTE}\n"
    if cells is not None and len(cells):
        note = ACCURACY_NOTE.format(chance=", ".join(_chances(cells)))
        text += f"\n{_to_markdown(_accuracies(cells))}\n\n{note}\n"
    return text


def save_alignment(
    quality: pd.DataFrame, cells: pd.DataFrame | None, *, csv: str | Path, md: str | Path
) -> None:
    """Write the tables of the experiment."""
    save_csv(alignment_table(quality, cells), csv)
    save_text(alignment_markdown(quality, cells), md)


def _lam(mix: Mapping[str, Any]) -> str:
    """The distribution of lam, and the label, in words: "lam 0.8 to 1, hard labels"."""
    settings = {name: mix.get(name, value) for name, value in UNIFORM.items()}
    words = ["lam {low:g} to {high:g}".format(**settings)]
    if (settings["alpha"], settings["beta"]) != (1.0, 1.0):
        words.append("Beta({alpha:g}, {beta:g})".format(**settings))
    return ", ".join(words + ["hard labels"] * bool(mix.get("hard_labels")))


def _matchings(quality: pd.DataFrame) -> pd.DataFrame:
    """One row per kind of pair and alignment, the numbers as text."""
    lams = quality["lam"].dropna()
    near_end, middle = lams.max(), lams.iloc[(lams - 0.5).abs().argmin()]
    wanted = [("distance", math.nan, "distance", ".3f")]
    wanted += [
        (name, math.nan, name.replace("distance_layer_", "layer "), ".3f")
        for name in quality["quantity"].unique()
        if name.startswith("distance_layer_")
    ]
    wanted += [
        ("function_error", lam, f"function error, lam {lam:g}", ".3f")
        for lam in dict.fromkeys((middle, near_end))
    ]
    wanted.append(("psnr", middle, f"PSNR (dB), lam {middle:g}", ".1f"))
    rows = []
    keys = ["dataset", "pairs", "alignment"]
    for (dataset, pairs, alignment), own in quality.groupby(keys, sort=False):
        numbers = {(x["quantity"], _key(x["lam"])): x for x in own.to_dict("records")}
        row = {"dataset": display_name(str(dataset))}
        row |= {"pairs": PAIR_KINDS[str(pairs)], "alignment": ALIGNMENTS[str(alignment)]}
        for quantity, lam, heading, form in wanted:
            found = numbers[quantity, _key(lam)]
            row[heading] = _plus_minus(found["mean"], found["ci95"], form)
        rows.append(row)
    table = pd.DataFrame(rows)
    return table if table["dataset"].nunique() > 1 else table.drop(columns="dataset")


def _chances(cells: pd.DataFrame) -> list[str]:
    """The accuracy of guessing, of each dataset if they differ."""
    classes = cells.groupby("dataset", sort=False)["n_classes"].first()
    if classes.nunique() == 1:
        return [f"{100 / classes.iloc[0]:.3g} %"]
    return [f"{100 / n:.3g} % ({display_name(str(name))})" for name, n in classes.items()]


def _key(lam: Any) -> float | None:
    return None if math.isnan(lam) else lam


def _accuracies(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, the numbers as text."""
    rows = []
    for row in cells.to_dict("records"):
        known = row["scheme"] != BASELINE and not math.isnan(row["difference"])
        accuracy = _percent(row["test_accuracy"], row["test_ci95"], ".1f")
        difference = _percent(row["difference"], row["difference_ci95"], "+.1f")
        rows.append(
            {"model": row["series"], "alignment": ALIGNMENTS[row["alignment"]], "lam": row["lam"]}
            | {"seeds": str(row["seeds"]), "test accuracy": accuracy}
            | {"difference to none": difference if known else "-"}
        )
    return pd.DataFrame(rows)


def _percent(mean: float, half: float, form: str) -> str:
    return _plus_minus(100 * mean, 100 * half, form)


def _plus_minus(mean: float, half: float, form: str) -> str:
    return f"{mean:{form}}" + ("" if math.isnan(half) else f" ± {half:{form.lstrip('+')}}")


def _to_markdown(table: pd.DataFrame) -> str:
    left = {"dataset", "pairs", "model", "alignment", "lam"}
    align = ["left" if column in left else "right" for column in table.columns]
    return table.to_markdown(index=False, disable_numparse=True, colalign=align)
