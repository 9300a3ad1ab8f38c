"""Made-up results with realistic shapes, by default 2 models x 9 cells x 3 seeds."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

SCHEMES = {  # gain over "none" in accuracy, and how much of the overfitting stays
    "none": (0.0, 1.0),
    "permutation": (0.03, 0.5),
    "sign_flip": (0.02, 0.6),
    "gaussian_noise": (-0.01, 0.8),
    "mixup_direct": (0.005, 0.7),
    "mixup_randomised": (0.01, 0.5),
    "mixup_aligned": (0.02, 0.5),
    "mixup_aligned_signed": (0.025, 0.5),
    "mixup_leaky": (0.035, 0.4),
}
LEVELS = {"mlp": 0.2, "pixel_cnn": 0.75, "pixel_mlp": 0.65}
CELLS = [(scheme, 1) for scheme in SCHEMES if scheme != "mixup_leaky"] + [("none", 4)]
UPDATES, EVERY, N_TEST, N_CLASSES, OBJECTS = 1000, 100, 200, 10, 1500


@dataclass
class Files:
    """The paths of a study, cell by cell in one order."""

    metrics: list[Path] = field(default_factory=list)
    histories: list[Path] = field(default_factory=list)
    predictions: list[Path] = field(default_factory=list)

    def __add__(self, other: "Files") -> "Files":
        return Files(*(getattr(self, k) + getattr(other, k) for k in vars(self)))


def _history(seed: int, test_accuracy: float, overfit: float, budget: int, rng: Any) -> Any:
    update = np.arange(EVERY, UPDATES + 1, EVERY) * budget
    rise = 1 - np.exp(-update / 250)
    val = 0.1 + (test_accuracy - 0.1) * rise - 0.03 * overfit * (update / UPDATES) ** 2 / budget
    train = val + overfit * 0.5 * (update / UPDATES)
    rows = {"seed": seed, "update": update, "epoch": update / 25, "lr": 1e-3, "loss": 2 - rise}
    rows |= {"train_accuracy": np.clip(train + rng.normal(0, 0.004, len(update)), 0, 1)}
    rows |= {"train_loss": 2 - 1.5 * rise, "val_accuracy": val + rng.normal(0, 0.004, len(update))}
    return pd.DataFrame(rows | {"val_loss": 2 - rise})


def _predictions(seed: int, test_accuracy: float, rng: Any) -> pd.DataFrame:
    label = np.arange(N_TEST) % N_CLASSES
    hit = rng.permutation(N_TEST) < round(test_accuracy * N_TEST)
    rows = {"seed": seed, "object_id": 60_000 + np.arange(N_TEST), "view": 0, "label": label}
    frame = pd.DataFrame(rows | {"prediction": np.where(hit, label, (label + 1) % N_CLASSES)})
    return frame.assign(logit_0=0.0)


def _run(history: pd.DataFrame, test_accuracy: float, seed: int, internal: float) -> dict[str, Any]:
    best = history.loc[history["val_accuracy"].idxmax()]
    return {
        "seed": seed,
        "updates": int(history["update"].max()),
        "best_update": int(best["update"]),
        "train_accuracy": best["train_accuracy"],
        "val_accuracy": best["val_accuracy"],
        "val_balanced_accuracy": best["val_accuracy"],
        "val_loss": best["val_loss"],
        "test_accuracy": test_accuracy,
        "test_balanced_accuracy": test_accuracy,
        "test_loss": 1.8,
        "internal_accuracy": min(1.0, internal),
        "seconds": 12.5,
    }


def _level(model: str, scheme: str, views: int, objects: int, budget: int) -> float:
    """A test accuracy that grows with the data, the budget and the scheme's gain."""
    gain = SCHEMES.get(scheme, (0.01, 0.7))[0] * (1 + 0.3 * (budget - 1))
    growth = 0.02 * np.log2(views) + 0.03 * np.log2(objects / OBJECTS)
    return LEVELS.get(model, 0.4) + gain + growth + 0.004 * (budget - 1)


def write_cell(
    root: Path, model: str, scheme: str, views: int, seeds: list[int], **changes: Any
) -> tuple[Path, Path, Path]:
    """Write the three files of one cell; `changes` replace entries of the metrics.

    `levels` sets the test accuracies of the seeds.
    """
    objects, budget = changes.get("objects", OBJECTS), changes.get("budget", 1)
    dataset = changes.get("dataset", "fashion_mnist_subset")
    pixels = model.startswith("pixel")
    cell = f"{model}-{scheme}-{views}views"
    cell += f"-{objects}objects" * ("objects" in changes) + f"-{budget}x" * (budget > 1)
    cell = f"{dataset}-{cell}" if "dataset" in changes else cell
    rng = np.random.default_rng([len(model), len(scheme), views])
    level = _level(model, scheme, views, objects, budget)
    overfit = SCHEMES.get(scheme, (0.01, 0.7))[1] / views
    levels = changes.pop("levels", level + rng.normal(0, 0.008, len(seeds)))
    runs, histories, predictions = [], [], []
    for seed, accuracy in zip(seeds, levels, strict=True):
        accuracy = round(accuracy * N_TEST) / N_TEST
        histories.append(_history(seed, accuracy, overfit, budget, rng))
        predictions.append(_predictions(seed, accuracy, rng))
        runs.append(_run(histories[-1], accuracy, seed, accuracy + 0.15 / views))
        runs[-1]["internal_accuracy"] = None if pixels else runs[-1]["internal_accuracy"]
    metrics = {"study": "made_up", "cell": cell, "dataset": dataset}
    metrics |= {"inputs": "pixels" if pixels else "weights", "model": model, "scheme": scheme}
    metrics |= {"views": views, "objects": objects, "train_inrs": objects * views}
    metrics |= {
        "budget": budget,
        "n_classes": N_CLASSES,
        "updates": UPDATES * budget,
    }
    metrics |= {"majority_accuracy": 1 / changes.get("n_classes", N_CLASSES)}
    metrics |= {"batch_size": 64, "config": {}, "versions": {"torch": "2.13.0"}}
    metrics |= {"commit": "0" * 40, "device": "cpu", "threads": 1, "seconds": 40.0}
    metrics |= {"n_parameters": 1000, "runs": runs} | changes
    folder = root / metrics["study"] / metrics["cell"]
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / n for n in ("metrics.json", "history.csv", "predictions.csv"))
    paths[0].write_text(json.dumps(metrics))
    pd.concat(histories).to_csv(paths[1], index=False)
    pd.concat(predictions).to_csv(paths[2], index=False)
    return paths  # type: ignore[return-value]


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., Files]:
    """Write a study; by default 2 models x 9 cells x 3 seeds."""

    def make(
        models: tuple[str, ...] = ("mlp", "dws"),
        cells: list[tuple[str, int]] | None = None,
        seeds: tuple[int, ...] = (0, 1, 2),
        **changes: Any,
    ) -> Files:
        files = Files()
        for scheme, views in cells or CELLS:
            for model in models:
                paths = write_cell(tmp_path, model, scheme, views, list(seeds), **changes)
                files.metrics.append(paths[0])
                files.histories.append(paths[1])
                files.predictions.append(paths[2])
        return files

    return make
