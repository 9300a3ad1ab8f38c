"""What contrastive pre-training is worth with few labels, from the files of its cells."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from weightspace.report.collect import (
    ReportError,
    read_metrics,
    refuse_mixed_origins,
    require,
)
from weightspace.report.labels import display_name, varying
from weightspace.report.statistics import mean_over_seeds
from weightspace.report.tables import Table
from weightspace.report.wording import intervals

__all__ = [
    "PROTOCOLS",
    "SCRATCH",
    "SCRATCH_LONG",
    "UNTRAINED",
    "collect_contrastive",
    "contrastive_points",
    "contrastive_table",
]

SCRATCH, SCRATCH_LONG, UNTRAINED = "scratch", "scratch_long", "untrained_probe"
"""The protocols without pre-training: all is trained, or nothing but a linear classifier."""

PROTOCOLS = {
    SCRATCH: "from scratch",
    SCRATCH_LONG: "from scratch, longer",
    UNTRAINED: "linear probe, untrained",
    "linear_probe": "linear probe",
    "fine_tune": "fine-tuning",
}
PAIRS = {"none": "-", "augmented": "one view twice", "views": "two views"}

CELL_KEYS = (
    *("study", "cell", "dataset", "model", "scheme", "pairs"),
    *("views", "objects", "n_classes"),
)
RUN_KEYS = (
    *("seed", "protocol", "label_fraction", "label_objects", "val_accuracy", "test_accuracy"),
    *("test_loss", "best_update", "l2", "seconds"),
)
ORIGIN_KEYS = ("device", "commit")
SETTING = ["study", "dataset", "model", "views", "objects"]
POINT = [*SETTING, "label_fraction", "protocol", "scheme", "pairs"]

NOTE = (
    "Test accuracy in percent and its difference in percentage points; the test split was read "
    "once for every selected classifier. In brackets: 95 % Student-t interval over seeds "
    '("-" with one seed). The difference is to training from scratch with the same labels, paired '
    "by seed; a seed also draws which objects keep their label. Labels are counted in training "
    "objects; every protocol alike selects on all labels of the validation split, and pre-training "
    'selects nothing. "Linear probe, untrained" reads the same encoder before any training: what '
    "the architecture alone gives. All pre-trainings make the same updates. Fine-tuning and "
    'scratch make the same updates, without augmentation; "from scratch, longer" makes as many as '
    "pre-training and fine-tuning together. A fraction of less than one object per class is "
    "raised to that; two such fractions are the same objects."
)


def collect_contrastive(metrics_paths: Iterable[str | Path]) -> pd.DataFrame:
    """Gather the metrics files of contrastive cells into one table.

    Args:
        metrics_paths: one `metrics.json` per cell; the rows keep this order.

    Returns:
        One row per cell, seed, protocol and label fraction: study, cell, dataset, model, scheme
        ("scratch" without pre-training), pairs ("none" without), views, objects, n_classes,
        seed, protocol, label_fraction, label_objects, val_accuracy, test_accuracy (fractions),
        test_loss, best_update, l2, seconds, device, commit.

    Raises:
        ReportError: if a file is unreadable, lacks a key or holds an impossible accuracy, two
            rows have the same name, or cells come from different kinds of device or versions of
            torch, whose draws differ.
    """
    rows = []
    for path in metrics_paths:
        metrics = read_metrics(path, (*CELL_KEYS, *ORIGIN_KEYS))
        cell = {key: metrics[key] for key in CELL_KEYS}
        cell |= {"scheme": cell["scheme"] or SCRATCH, "pairs": cell["pairs"] or "none"}
        origin = {key: metrics[key] for key in ORIGIN_KEYS}
        torch = metrics["versions"].get("torch", "unknown")
        for i, run in enumerate(metrics["runs"]):
            _check_run(run, f"{path}: runs[{i}]")
            row = cell | {key: run[key] for key in RUN_KEYS} | origin
            rows.append(row | {"torch": torch, "path": str(path)})
    if not rows:
        raise ReportError("no metrics file was given; the report needs at least one finished cell")
    runs = pd.DataFrame(rows).astype({"best_update": float, "l2": float})
    _refuse_duplicates(runs)
    refuse_mixed_origins(runs, runs["torch"])
    return runs.drop(columns=["torch", "path"])


def contrastive_points(runs: pd.DataFrame) -> pd.DataFrame:
    """Average over the seeds, and compare with training from scratch.

    Args:
        runs: as `collect_contrastive` returns.

    Returns:
        One row per setting, label fraction, protocol, scheme and kind of pairs, in this order:
        their columns, label_objects, n_classes, seeds, val_accuracy, test_accuracy, test_ci95,
        difference, difference_ci95 and paired_seeds. Accuracies are fractions, every `_ci95` is
        a half-width; the difference is paired by seed and NaN for scratch itself.
    """
    scratch = runs[runs["protocol"] == SCRATCH]
    rows = []
    for key, own in runs.groupby(POINT, sort=False):
        test = mean_over_seeds(own["test_accuracy"])
        difference = mean_over_seeds(_paired(own, scratch))
        rows.append(
            dict(zip(POINT, key, strict=True))
            | {"label_objects": own["label_objects"].iloc[0], "n_classes": own["n_classes"].iloc[0]}
            | {"seeds": test.size, "val_accuracy": own["val_accuracy"].mean()}
            | {"test_accuracy": test.mean, "test_ci95": test.half_width}
            | {"difference": difference.mean, "difference_ci95": difference.half_width}
            | {"paired_seeds": difference.size}
        )
    points = pd.DataFrame(rows)
    order = {name: i for i, name in enumerate(PROTOCOLS)}
    places = {key: {v: i for i, v in enumerate(points[key].unique())} for key in SETTING}
    places |= {"protocol": order, "scheme": {v: i for i, v in enumerate(points["scheme"].unique())}}
    return points.sort_values(
        POINT,
        key=lambda column: column.map(places.get(str(column.name), lambda value: value)),
        kind="stable",
        ignore_index=True,
    )


def contrastive_table(points: pd.DataFrame) -> Table:
    """Tabulate the points.

    Args:
        points: as `contrastive_points` returns.
    """
    words = pd.DataFrame(index=points.index)
    for key in varying(points, ["study", "dataset"]):
        words[key] = points[key].map(display_name)
    words["model"] = points["model"].map(display_name)
    for key in varying(points, ["views", "objects"]):
        words[key] = points[key].map("{:,}".format)
    fractions = points["label_fraction"].map(lambda value: f"{100 * value:g} %")
    words["labels"] = fractions + points["label_objects"].map(" ({:,})".format)
    words["training"] = points["protocol"].map(PROTOCOLS)
    words["augmentation"] = points["scheme"].map(display_name).where(points["pairs"] != "none", "-")
    words["pairs"] = points["pairs"].map(PAIRS)
    words["seeds"] = points["seeds"].map("{:,}".format)
    words["test accuracy [95 %]"] = intervals(points, "test_accuracy")
    words["difference to scratch [95 %]"] = intervals(points, "difference", signed=True)
    return Table(points, words, NOTE)


def _paired(own: pd.DataFrame, scratch: pd.DataFrame) -> pd.Series:
    """The differences to scratch with the same labels and seed; none for scratch itself."""
    if own["protocol"].iloc[0] == SCRATCH:
        return pd.Series(dtype=float)
    keys = [*SETTING, "label_fraction", "seed"]
    both = own.merge(scratch, on=keys, suffixes=("", "_scratch"))
    return both["test_accuracy"] - both["test_accuracy_scratch"]


def _check_run(run: dict[str, Any], where: str) -> None:
    require(run, RUN_KEYS, where)
    for key in ("val_accuracy", "test_accuracy", "label_fraction"):
        if not 0 <= run[key] <= 1:
            raise ReportError(f"{where} has {key} = {run[key]}; it is a fraction from 0 to 1")
    if run["protocol"] not in PROTOCOLS:
        raise ReportError(
            f"{where} has protocol = {run['protocol']!r}; it must be one of {', '.join(PROTOCOLS)}"
        )


def _refuse_duplicates(runs: pd.DataFrame) -> None:
    keys = [*POINT, "seed"]
    twice = runs[runs.duplicated(keys, keep=False)]
    if len(twice):
        what = ", ".join(f"{key} {twice[key].iloc[0]}" for key in keys)
        files = ", ".join(twice["path"].unique())
        raise ReportError(f"two rows have {what}: in {files}; leave one of them out")
