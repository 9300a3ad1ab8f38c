"""Gathering the files of the runs into tidy tables, refused where they do not fit together."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from weightspace.once import once

__all__ = [
    "CELL",
    "SETTING",
    "ReportError",
    "collect_correctness",
    "collect_histories",
    "collect_runs",
    "read_metrics",
    "refuse_mixed_origins",
    "require",
]

CELL = ["study", "cell"]
"""What names a cell; one metrics file describes one cell."""

SETTING = ["study", "dataset", "model", "views", "objects", "budget", "updates"]
"""What two cells share that are compared with one another: all but the scheme."""

CELL_KEYS = (
    *("study", "cell", "dataset", "inputs", "model", "scheme"),
    *("views", "objects", "train_inrs", "budget", "n_classes", "majority_accuracy"),
)
ACCURACIES = (
    *("train_accuracy", "val_accuracy", "val_balanced_accuracy"),
    *("test_accuracy", "test_balanced_accuracy", "internal_accuracy"),
)
RUN_KEYS = ("seed", "updates", "best_update", *ACCURACIES, "test_loss", "seconds")
ORIGIN_KEYS = ("device", "commit")
INPUTS = ("weights", "pixels", "points", "queries")


class ReportError(ValueError):
    """The files of a study are incomplete or contradict one another."""


def collect_runs(metrics_paths: Iterable[str | Path]) -> pd.DataFrame:
    """Gather metrics files into one table with one row per run and seed.

    Args:
        metrics_paths: one `metrics.json` per cell; the rows keep this order.

    Returns:
        The columns study, cell, dataset, inputs ("weights", "pixels", "points" or
        "queries"), model, scheme, views, objects, train_inrs, budget, n_classes,
        majority_accuracy (of always answering the most frequent class of training), seed,
        updates, best_update, train_accuracy, val_accuracy, val_balanced_accuracy, test_accuracy,
        test_balanced_accuracy, internal_accuracy (fractions; NaN where there are no held-out
        views of training objects), test_loss, seconds, device, commit. A balanced accuracy is
        the mean over the classes of the share of theirs that is right.

    Raises:
        ReportError: if a file is unreadable, lacks a key, holds an accuracy outside [0, 1],
            two runs have the same cell and seed, or the same setting, scheme and seed, or runs
            come from different kinds of device or versions of torch, whose draws differ.
    """
    rows, origins, versions = [], [], []
    for path in metrics_paths:
        metrics = _read_cell(path)
        for run in metrics["runs"]:
            rows.append(
                {key: metrics[key] for key in CELL_KEYS}
                | {key: run[key] for key in RUN_KEYS}
                | {key: metrics[key] for key in ORIGIN_KEYS}
            )
            origins.append(path)
            versions.append(metrics["versions"].get("torch", "unknown"))
    if not rows:
        raise ReportError("no metrics file was given; the report needs at least one finished cell")
    runs = pd.DataFrame(rows).astype({"internal_accuracy": float})
    _refuse_duplicates(runs, [*CELL, "seed"], origins)
    _refuse_duplicates(runs, [*SETTING, "scheme", "seed"], origins)
    refuse_mixed_origins(runs, versions)
    return runs


def collect_histories(
    metrics_paths: Sequence[str | Path], history_paths: Sequence[str | Path]
) -> pd.DataFrame:
    """Gather the learning curves of the cells.

    Args:
        metrics_paths: one `metrics.json` per cell.
        history_paths: the `history.csv` of the same cells, in the same order.

    Returns:
        One row per cell, seed and evaluation: the columns of the history files after
        the columns of `collect_runs` that name the cell, updates and best_update.

    Raises:
        ReportError: if the lists differ in length, a column is missing, or a history
            contradicts its metrics file (other seeds; another accuracy at the best update).
    """
    needed = ["seed", "update", "train_accuracy", "val_accuracy"]
    parts = []
    for metrics_path, path in _pairs(metrics_paths, history_paths):
        runs, history = collect_runs([metrics_path]), _read_csv(path, needed)
        _same_seeds(runs, metrics_path, history, path)
        shared = [*CELL_KEYS, "seed", "updates", "best_update"]
        part = runs[shared].merge(history, on="seed", sort=False)
        best = part[part["update"] == part["best_update"]].set_index("seed")["val_accuracy"]
        _same_accuracy(runs, "val_accuracy", metrics_path, best, path)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def collect_correctness(
    metrics_paths: Sequence[str | Path], predictions_paths: Sequence[str | Path]
) -> pd.DataFrame:
    """Gather for each test object the share of its views that were classified correctly.

    Args:
        metrics_paths: one `metrics.json` per cell.
        predictions_paths: the `predictions.csv` of the same cells, in the same order.

    Returns:
        The columns study, cell, seed, object_id and correct (a fraction).

    Raises:
        ReportError: if the lists differ in length, a column is missing, or the predictions
            give other seeds or another test accuracy than the metrics file.
    """
    needed = ["seed", "object_id", "view", "label", "prediction"]
    parts = []
    for metrics_path, path in _pairs(metrics_paths, predictions_paths):
        runs, predictions = collect_runs([metrics_path]), _read_csv(path, needed, only=True)
        _same_seeds(runs, metrics_path, predictions, path)
        hits = predictions.assign(correct=predictions["label"] == predictions["prediction"])
        accuracy = hits.groupby("seed")["correct"].mean()
        _same_accuracy(runs, "test_accuracy", metrics_path, accuracy, path)
        part = hits.groupby(["seed", "object_id"], as_index=False)["correct"].mean()
        parts.append(runs[[*CELL, "seed"]].merge(part, on="seed", sort=False))
    return pd.concat(parts, ignore_index=True)


def read_metrics(path: str | Path, keys: Iterable[str]) -> dict[str, Any]:
    """Read the metrics file of a cell, which has `keys`, versions and at least one of runs.

    Raises:
        ReportError: if it is unreadable or lacks one of these.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        metrics = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is not valid JSON ({error}); train this cell again") from error
    if not isinstance(metrics, dict):
        raise ReportError(f"{path} is no metrics file; train this cell again")
    require(metrics, (*keys, "versions", "runs"), f"{path}")
    if not metrics["runs"]:
        raise ReportError(f"{path} lists no runs; train this cell again")
    return metrics


def require(record: dict[str, Any], keys: Iterable[str], where: str) -> None:
    """Refuse a record without one of `keys`; `where` names it."""
    missing = [key for key in keys if key not in record]
    if missing:
        raise ReportError(f"{where} lacks {', '.join(missing)}; train this cell again")


def refuse_mixed_origins(runs: pd.DataFrame, torch_versions: Iterable[str]) -> None:
    """Refuse runs from several kinds of device or versions of torch.

    Equal seeds mean equal draws only on one kind of device and one version of torch.
    """
    kinds = runs["device"].str.split(":").str[0]
    for what, values in (("kinds of device", kinds), ("versions of torch", list(torch_versions))):
        if len(found := sorted(set(values))) > 1:
            cells = dict(zip(values, runs["cell"], strict=True))
            examples = ", ".join(f"{value} in {cells[value]}" for value in found)
            raise ReportError(
                f"the cells were trained with different {what} ({examples}), so their seeds do "
                "not pair; delete the run folders of one kind and run again"
            )


def _read_cell(path: str | Path) -> dict[str, Any]:
    metrics = read_metrics(path, (*CELL_KEYS, *ORIGIN_KEYS))
    if metrics["inputs"] not in INPUTS:
        raise ReportError(
            f"{path} has inputs = {metrics['inputs']!r}; it must be one of {', '.join(INPUTS)}"
        )
    for i, run in enumerate(metrics["runs"]):
        require(run, RUN_KEYS, f"{path}: runs[{i}]")
        for key in ACCURACIES:
            unmeasured = key == "internal_accuracy" and run[key] is None
            if not unmeasured and (run[key] is None or not 0 <= run[key] <= 1):
                raise ReportError(
                    f"{path}: runs[{i}] has {key} = {run[key]}; "
                    "an accuracy is a fraction between 0 and 1"
                )
    return metrics


def _refuse_duplicates(runs: pd.DataFrame, keys: list[str], origins: Sequence[str | Path]) -> None:
    first: dict[tuple, str | Path] = {}
    for key, origin in zip(runs[keys].itertuples(index=False, name=None), origins, strict=True):
        if key in first:
            what = ", ".join(f"{k} {v}" for k, v in zip(keys, key, strict=True))
            raise ReportError(
                f"two runs have {what}: in {first[key]} and {origin}; "
                "give one of them another scheme name, or leave one out"
            )
        first[key] = origin


def _pairs(
    metrics_paths: Sequence[str | Path], paths: Sequence[str | Path]
) -> list[tuple[str | Path, str | Path]]:
    if not metrics_paths or len(metrics_paths) != len(paths):
        raise ReportError(
            f"got {len(metrics_paths)} metrics files and {len(paths)} files beside them; "
            "give one for each cell, in the same order"
        )
    return list(zip(metrics_paths, paths, strict=True))


def _read_csv(path: str | Path, needed: list[str], *, only: bool = False) -> pd.DataFrame:
    """Read a CSV file that must have the columns `needed`, and `only` these if so wished."""
    wanted = (lambda name: name in needed) if only else None
    try:
        frame = pd.read_csv(path, usecols=wanted)
    except ValueError as error:
        raise ReportError(f"{path} is no table ({error}); train this cell again") from error
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise ReportError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(frame.columns)}"
        )
    return frame


def _same_seeds(
    runs: pd.DataFrame, metrics_path: str | Path, frame: pd.DataFrame, path: str | Path
) -> None:
    expected, got = sorted(runs["seed"].unique()), sorted(frame["seed"].unique())
    if expected != got:
        raise ReportError(
            f"{metrics_path} has the seeds {[int(s) for s in expected]}, "
            f"{path} has {[int(s) for s in got]}; they are not of one cell"
        )


def _same_accuracy(
    runs: pd.DataFrame,
    key: str,
    metrics_path: str | Path,
    by_seed: pd.Series,
    path: str | Path,
) -> None:
    for seed, expected in zip(runs["seed"], runs[key], strict=True):
        got = float(by_seed.get(seed, math.nan))
        if not math.isclose(got, expected, abs_tol=1e-5):
            raise ReportError(
                f"{metrics_path} has {key} = {expected:.5f} for seed {seed}, {path} gives "
                f"{got:.5f}; they are not of one cell (are both lists in the same order?)"
            )
