"""The files a contrastive cell leaves: metrics, the history of the pre-training, predictions."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weightspace.atomic import replacing
from weightspace.train.contrastive_cell import ContrastiveResult
from weightspace.train.few_labels import Judgement

__all__ = ["write_contrastive_records"]

NAMES = ("study", "cell", "dataset", "model", "scheme", "pairs")
HISTORY_COLUMNS = ("seed", "update", "lr", "loss", "pair_accuracy")
PREDICTION_COLUMNS = ("seed", "protocol", "label_fraction", "object_id", "label", "prediction")


def write_contrastive_records(
    directory: Path,
    result: ContrastiveResult,
    *,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    commit: str,
    device: str,
    threads: int,
) -> None:
    """Write predictions.csv, history.csv and, last, metrics.json.

    Each file appears whole or not at all. The keyword arguments go into metrics.json as they
    are, and the names of the cell also at its top; the rest of it comes from `result`. The
    history of a cell without pre-training has no rows.

    Args:
        directory: where to write; made if it is missing.
        result: of `train_contrastive_cell`.
        config: the resolved configuration of the cell; its keys study, cell, dataset, model,
            scheme and pairs (both None without pre-training) are what reports group by.
        versions: of Python and the packages.
        commit: of the code.
        device: the name of the device.
        threads: the number of threads torch used.

    Raises:
        ValueError: if `config` lacks a name, or a number in it or in `result` is not finite.
    """
    missing = [key for key in NAMES if key not in config]
    if missing:
        raise ValueError(f"config lacks {', '.join(missing)}; it must hold {', '.join(NAMES)}")
    judged = [(seed, j) for seed, found in result.judgements.items() for j in found]
    metrics = {
        **{key: config[key] for key in NAMES},
        "views": result.views,
        "objects": result.objects,
        "n_classes": result.n_classes,
        "config": config,
        "versions": versions,
        "commit": commit,
        "device": device,
        "threads": threads,
        "seconds": result.seconds,
        "n_parameters": result.n_parameters,
        "failed_seeds": result.failed_seeds,
        "runs": [{"seed": seed, **judgement.run} for seed, judgement in judged],
    }
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    history = ([row[c] for c in HISTORY_COLUMNS] for row in result.history)
    predictions = (row for seed, j in judged for row in _prediction_rows(seed, j))
    _write(directory / "predictions.csv", _csv_bytes(PREDICTION_COLUMNS, predictions))
    _write(directory / "history.csv", _csv_bytes(HISTORY_COLUMNS, history))
    _write(directory / "metrics.json", text.encode())


def _prediction_rows(seed: int, judgement: Judgement) -> Iterable[list[Any]]:
    """One row per test INR."""
    name = [seed, judgement.run["protocol"], judgement.run["label_fraction"]]
    columns = (judgement.object_ids, judgement.labels, judgement.predictions)
    for row in zip(*(c.tolist() for c in columns), strict=True):
        yield [*name, *row]


def _csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)
