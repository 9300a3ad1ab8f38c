"""The files a trained cell leaves: metrics, history, predictions and checkpoint."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from weightspace.dataset.statistics import Statistics
from weightspace.failures import raise_fault_of_machine
from weightspace.train.files import csv_bytes, metrics_bytes, write_whole
from weightspace.train.results import CellResult, Predictions, SelectedModels

__all__ = ["load_checkpoint", "write_records"]

NAMES = ("study", "cell", "dataset", "model", "scheme", "inputs", "budget")

HISTORY_COLUMNS = (
    "seed",
    "update",
    "epoch",
    "lr",
    "loss",
    "train_accuracy",
    "train_loss",
    "val_accuracy",
    "val_loss",
    "val_balanced_accuracy",
)


def write_records(
    directory: Path,
    result: CellResult,
    *,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    commit: str,
    device: str,
    threads: int,
) -> None:
    """Write checkpoint.pt, predictions.csv, history.csv and, last, metrics.json.

    Each file appears whole or not at all. The keyword arguments go into metrics.json as they
    are, and the names of the cell also at its top; the rest of it comes from `result`.

    Args:
        directory: where to write; made if it is missing.
        result: of `train_cell`.
        config: the resolved configuration of the cell; its keys study, cell, dataset, model,
            scheme, inputs ("weights", "pixels", "points" or "queries") and budget (how many
            times the updates of the study were made) are what reports group by.
        versions: of Python and the packages.
        commit: of the code.
        device: the name of the device.
        threads: the number of threads torch used.

    Raises:
        ValueError: if `config` lacks a name, or a number in it or in `result` is not finite.
    """
    counts = {"n_classes": result.models.n_classes}
    counts |= {
        key: getattr(result, key)
        for key in ("views", "objects", "train_inrs", "test_inrs", "updates", "batch_size")
    }
    keys = ("majority_accuracy", "streamed_mb", "seconds", "n_parameters", "failed_seeds", "runs")
    metrics = metrics_bytes(
        NAMES,
        counts,
        config=config,
        origin={"versions": versions, "commit": commit, "device": device, "threads": threads},
        results={key: getattr(result, key) for key in keys},
    )
    logit_columns = [f"logit_{c}" for c in range(result.models.n_classes)]
    prediction_columns = ["seed", "object_id", "view", "label", "prediction", *logit_columns]
    predictions = (row for p in result.predictions for row in _prediction_rows(p))
    history = ([row[c] for c in HISTORY_COLUMNS] for row in result.history)
    contents = {
        "checkpoint.pt": _checkpoint_bytes(result.models),
        "predictions.csv": csv_bytes(prediction_columns, predictions),
        "history.csv": csv_bytes(HISTORY_COLUMNS, history),
        "metrics.json": metrics,
    }
    write_whole(directory, contents)


def load_checkpoint(path: Path) -> SelectedModels:
    """Read a checkpoint.pt, without running any code in it.

    `load_checkpoint(path).restore(seed)` is a model ready for `predict`.

    Raises:
        ValueError: if the file is not a checkpoint of `write_records`.
    """
    # weights_only: tensors and plain containers, nothing that could run code.
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch has no error of its own for a damaged file
        raise_fault_of_machine(error, path, needs=Path(path).stat().st_size)
        raise ValueError(f"{path} cannot be read as a checkpoint; train the cell again") from error
    expected = {field.name for field in fields(SelectedModels)}
    if not isinstance(content, dict) or set(content) != expected:
        raise ValueError(
            f"{path} is not a checkpoint of a trained cell; it must hold {sorted(expected)}: train "
            f"the cell again"
        )
    return SelectedModels(**{**content, "statistics": Statistics(**content["statistics"])})


def _checkpoint_bytes(models: SelectedModels) -> bytes:
    """The models as plain containers of tensors, in torch's file format."""
    buffer = io.BytesIO()
    torch.save(asdict(models), buffer)
    return buffer.getvalue()


def _prediction_rows(p: Predictions) -> Iterable[list[Any]]:
    """One row per test example; nine digits give back the float32 exactly."""
    columns = (p.object_ids, p.views, p.labels, p.logits.argmax(dim=1), p.logits)
    for object_id, view, label, prediction, logits in zip(
        *(c.tolist() for c in columns), strict=True
    ):
        yield [p.seed, object_id, view, label, prediction, *(f"{x:.9g}" for x in logits)]
