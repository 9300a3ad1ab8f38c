"""Samples per second of training on a GPU: seeds together or one after the other, by precision.

A sample is one network seen by one model in one update. Without a GPU there is nothing to do.
"""

from collections.abc import Mapping
from itertools import product
from statistics import median
from time import perf_counter
from typing import Any

import torch

from weightspace.dataset.inr_dataset import InrDataset
from weightspace.dataset.statistics import tensor_statistics
from weightspace.models.build import build_model
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.train.supervised import train_supervised, train_together

LAYOUT = (2, 32, 32, 1)
SEEDS = (0, 1, 2)
MODELS = ({"kind": "dws"}, {"kind": "graph_transformer"})
PRECISIONS = ("float32", "bfloat16")
REPEATS = 3


def run() -> list[dict]:
    """Measure every model on the GPU, if there is one."""
    if not torch.cuda.is_available():
        return []
    return [row for model in MODELS for row in measure(model, "cuda")]


def measure(
    model: Mapping[str, Any], device: str, *, batch_size: int = 256, updates: int = 10
) -> list[dict]:
    """Train in turns in every way; the ratios are to one after the other in float32."""
    train = _networks(2 * batch_size).to(device)
    ways = list(product((False, True), PRECISIONS))
    seconds: dict[Any, list[float]] = {way: [] for way in ways}
    for repeat in range(REPEATS + 1):
        for way in ways:
            found = _seconds(model, train, *way, batch_size, updates)
            seconds[way] += [found] * (repeat > 0)  # the first one warms up
    samples = len(SEEDS) * batch_size * (updates - 1)
    rate = {way: samples / median(found) for way, found in seconds.items()}
    first = ways[0]
    return [
        {
            "name": f"train {model['kind']} on {device}, {len(SEEDS)} seeds "
            f"{'together' if way[0] else 'in turn'}, {way[1]} (batch {batch_size})",
            "rate": rate[way],
            "unit": "samples/s",
            "reference": None if way == first else rate[first],
            "ratio": None if way == first else rate[way] / rate[first],
            "limit_fraction": None,
        }
        for way in ways
    ]


def _seconds(
    model: Mapping[str, Any],
    train: InrDataset,
    together: bool,
    precision: str,
    batch_size: int,
    updates: int,
) -> float:
    """The time of all seeds after their first update, which seeds together also record.

    The evaluation at the end, a short one, waits for the GPU.
    """
    given = {"d_out": train.n_classes, **train.input_settings, **model}
    models = [build_model(**given, generator=stream(s, "model")).to(train.device) for s in SEEDS]
    generators = [stream(s, "train") for s in SEEDS]
    settings: dict[str, Any] = {
        "augment": None,
        "mix": None,
        "statistics": tensor_statistics(train.weights),
        "updates": updates,
        "batch_size": batch_size,
        "lr": 1e-3,
        "weight_decay": 0.01,
        "warmup": 0,
        "evaluate_every": updates,
        "precision": precision,
    }
    starts: list[float] = []

    def after_update(done: int, _: int) -> None:
        if done == 1:
            if train.device.type == "cuda":
                torch.cuda.synchronize()
            starts.append(perf_counter())

    settings["progress"] = after_update
    if together:
        train_together(models, train, train[:2], generators=generators, **settings)
        return perf_counter() - starts[0]
    seconds = 0.0
    for own, generator in zip(models, generators, strict=True):
        train_supervised(own, train, train[:2], generator=generator, **settings)
        seconds += perf_counter() - starts[-1]
    return seconds


def _networks(n: int) -> InrDataset:
    weights = init_siren(LAYOUT, omega_0=30.0, generator=stream(0, "bench"), batch_size=n)
    return InrDataset(
        weights=weights,
        labels=torch.arange(n) % 10,
        object_ids=torch.arange(n),
        views=torch.zeros(n, dtype=torch.int64),
        n_classes=10,
        omega_0=30.0,
        output_offset=0.5,
    )
