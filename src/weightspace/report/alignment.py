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
from weightspace.report.statistics import BASELINE, comparison
from weightspace.report.tables import Table, save_tables
from weightspace.report.wording import intervals

__all__ = [
    "NO_MIX",
    "alignment_cells",
    "alignment_tables",
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
    "the midpoint to the mean of both signals. Points: the pixels of pictures; of shapes, a grid "
    "of 24 on each axis of the cube."
)
ACCURACY_NOTE = (
    "Test accuracy in percent and its difference in percentage points; in brackets: 95 % Student-t "
    'interval over seeds ("-" with one seed). Differences are paired by seed: to the scheme "none" '
    "of the same setting, and of a MixUp to MixUp direct, without alignment, with the same lam. "
    "Chance: {chance}."
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
    else_too = scheme.get("label_smoothing") is not None or not scheme.get("standardise", True)
    if scheme.get("augment") or scheme.get("consistency") or else_too:
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
        `series`: model and setting in words, and the paired difference of a MixUp to that without
        alignment and with the same lam: direct_difference, direct_difference_ci95, direct_pairs.
        Each series in the order of `ALIGNMENTS`.

    Raises:
        ReportError: as `collect_runs`.
    """
    paths = list(metrics_paths)
    runs = collect_runs(paths)
    table = comparison(runs)
    found = {}
    for path in paths:
        metrics = json.loads(Path(path).read_text(encoding="utf-8"))
        key = tuple(metrics[name] for name in CELL)
        found[key] = classify(metrics["config"]["scheme_settings"])
    kinds = [found[key] for key in table[CELL].itertuples(index=False, name=None)]
    table = table[[kind is not None for kind in kinds]]
    kinds = [kind for kind in kinds if kind is not None]
    table = table.assign(alignment=[a for a, _ in kinds], lam=[lam for _, lam in kinds])
    labels = with_labels(table)
    names = zip(labels["series"], labels["setting"], strict=True)
    table = table.assign(series=[", ".join(filter(None, words)) for words in names])
    table = table.merge(_to_direct(runs, table), on=CELL, how="left", validate="1:1")
    place = table.groupby("series", sort=False).ngroup() * len(ALIGNMENTS)
    place += table["alignment"].map(list(ALIGNMENTS).index)
    return table.loc[place.sort_values(kind="stable").index].reset_index(drop=True)


def alignment_tables(quality: pd.DataFrame, cells: pd.DataFrame | None = None) -> list[Table]:
    """Tabulate the matchings and, where there are cells, the accuracy of mixing with them.

    Args:
        quality: as `matching_quality` returns.
        cells: as `alignment_cells` returns.

    Returns:
        The table of the matchings, its numbers those of `quality`, and that of the cells. Its
        numbers have up to three rows for every cell, with the quantities test_accuracy, difference
        and direct_difference (fractions; `n` counts seeds), and columns of their own: model,
        scheme, views, objects, budget, updates and `mixing`, the lam in words.
    """
    tables = [Table(quality, _matchings(quality), NOTE)]
    if cells is not None and len(cells):
        note = ACCURACY_NOTE.format(chance=", ".join(_chances(cells)))
        tables.append(Table(_quantities(cells), _accuracies(cells), note))
    return tables


def save_alignment(
    quality: pd.DataFrame, cells: pd.DataFrame | None, *, csv: str | Path, md: str | Path
) -> None:
    """Write the tables of the experiment."""
    save_tables(alignment_tables(quality, cells), [csv, md])


def _to_direct(runs: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The paired differences to direct MixUp with the same lam, a row per cell that mixes."""
    columns = ["difference", "difference_ci95", "pairs"]
    parts = [pd.DataFrame(columns=[*CELL, *columns])]
    for _, own in cells[cells["lam"] != NO_MIX].groupby("lam", sort=False):
        mixed = runs.merge(own[[*CELL, "alignment"]], on=CELL)
        direct = mixed["alignment"] == "none"
        mixed["scheme"] = mixed["scheme"].mask(direct, BASELINE)
        parts.append(comparison(mixed)[[*CELL, *columns]])
    numbers = pd.concat(parts).astype(dict.fromkeys(columns, float))
    return numbers.rename(columns={name: f"direct_{name}" for name in columns})


def _quantities(cells: pd.DataFrame) -> pd.DataFrame:
    """The numbers of the cells, one per row, each with its interval."""
    counts = ["views", "objects", "budget", "updates"]
    cells = cells.astype(dict.fromkeys(counts, "Int64"))  # whole numbers beside empty fields
    names = ["dataset", "alignment", "model", "scheme", *counts]
    parts = []
    for quantity, ci95, n in (
        ("test_accuracy", "test_ci95", "seeds"),
        ("difference", "difference_ci95", "pairs"),
        ("direct_difference", "direct_difference_ci95", "direct_pairs"),
    ):
        part = cells[names].assign(mixing=cells["lam"], quantity=quantity)
        parts.append(part.assign(mean=cells[quantity], ci95=cells[ci95], n=cells[n]))
    numbers = pd.concat(parts).sort_index(kind="stable").dropna(subset="mean")
    return numbers.astype({"n": int})


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
    words = cells[["series", "alignment", "lam", "seeds"]].rename(columns={"series": "model"})
    words["alignment"] = cells["alignment"].map(ALIGNMENTS)
    words["seeds"] = cells["seeds"].map("{:,}".format)
    words["test accuracy [95 %]"] = intervals(cells, "test_accuracy")
    words["difference to none [95 %]"] = intervals(cells, "difference", signed=True)
    if cells["direct_difference"].notna().any():
        words["to MixUp direct [95 %]"] = intervals(cells, "direct_difference", signed=True)
    return words


def _plus_minus(mean: float, half: float, form: str) -> str:
    return f"{mean:{form}}" + ("" if math.isnan(half) else f" ± {half:{form}}")
