"""The files a contrastive cell leaves: metrics, the history of the pre-training, predictions."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weightspace.train.contrastive_cell import ContrastiveResult
from weightspace.train.few_labels import Judgement
from weightspace.train.files import csv_bytes, metrics_bytes, write_whole

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
    history of a cell without pre-training has no rows. `failed_runs` in metrics.json names the
    seed, the protocol and the label fraction of each classifier that is not in `runs`, and why.

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
    judged = [(seed, j) for seed, found in result.judgements.items() for j in found]
    failed = [(seed, f) for seed, found in result.failures.items() for f in found]
    metrics = metrics_bytes(
        NAMES,
        {key: getattr(result, key) for key in ("views", "objects", "n_classes")},
        config=config,
        origin={"versions": versions, "commit": commit, "device": device, "threads": threads},
        results={
            **{key: getattr(result, key) for key in ("seconds", "n_parameters", "failed_seeds")},
            "failed_runs": [{"seed": seed, **asdict(failure)} for seed, failure in failed],
            "runs": [{"seed": seed, **judgement.run} for seed, judgement in judged],
        },
    )
    history = ([row[c] for c in HISTORY_COLUMNS] for row in result.history)
    predictions = (row for seed, j in judged for row in _prediction_rows(seed, j))
    contents = {
        "predictions.csv": csv_bytes(PREDICTION_COLUMNS, predictions),
        "history.csv": csv_bytes(HISTORY_COLUMNS, history),
        "metrics.json": metrics,
    }
    write_whole(directory, contents)


def _prediction_rows(seed: int, judgement: Judgement) -> Iterable[list[Any]]:
    """One row per test INR."""
    name = [seed, judgement.run["protocol"], judgement.run["label_fraction"]]
    columns = (judgement.object_ids, judgement.labels, judgement.predictions)
    for row in zip(*(c.tolist() for c in columns), strict=True):
        yield [*name, *row]
