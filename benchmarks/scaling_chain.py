"""The work of a study's fitting jobs and of the assembly, at any number of INRs."""

import resource
from collections.abc import Callable
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
import yaml

from weightspace.config.study import load_config
from weightspace.data.images import load_images
from weightspace.data.objects import Objects
from weightspace.data.sharding import shard_rows
from weightspace.data.signals import image_signals
from weightspace.dataset.assemble import assemble
from weightspace.dataset.shard import fit_shard
from weightspace.store import write_inrs

VIEWS = 10
SHARD = 2000  # INRs of a job
ROOT = Path(__file__).parents[1]


class Cost(NamedTuple):
    """What some work took; seconds of cores tell more than a clock on a machine that is shared."""

    seconds: float
    core_seconds: float


def fit_jobs(folder: Path, n: int, steps: int) -> Cost:
    """Fit n INRs in shards and write these. The kernel is loaded before the clock starts."""
    objects, settings = _objects(n), _settings(steps)
    _fit(objects, np.arange(1), settings | {"steps": 1})
    start = perf_counter(), process_time()
    for shard, path in enumerate(_paths(folder, n)):
        rows = shard_rows(len(objects), shard, len(_paths(folder, n)))
        write_inrs(path, _fit(objects, rows, settings))
    return _since(start)


def assembly_job(folder: Path, n: int) -> Cost:
    """Join the shards of `fit_jobs` to `dataset.h5`."""
    objects = _objects(n)
    start = perf_counter(), process_time()
    assemble(
        _paths(folder, n),
        folder / "dataset.h5",
        objects=(objects.object_ids, objects.labels, objects.splits),
        views={"train": VIEWS},
    )
    return _since(start)


def in_own_process(job: Callable[..., Cost], *arguments: Any) -> tuple[Cost, float]:
    """Run a job in a fresh process, as a workflow does; returns its cost and its peak in MB."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_peak, (job, *arguments))


def nothing() -> Cost:
    """The job that only starts."""
    return Cost(0.0, 0.0)


def peak_mb() -> float:
    """The most memory that this process ever had."""
    status = Path("/proc/self/status")
    if status.exists():  # of Linux, where ru_maxrss counts the process that forked this one too
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # in bytes on macOS


def _since(start: tuple[float, float]) -> Cost:
    return Cost(perf_counter() - start[0], process_time() - start[1])


def _with_peak(job: Callable[..., Cost], *arguments: Any) -> tuple[Cost, float]:
    return job(*arguments), peak_mb()


def _objects(n: int) -> Objects:
    """N / 10 objects of the bundled pictures, over and over."""
    images = load_images("fashion_mnist_subset", None)
    ids = np.arange(n // VIEWS)
    rows = ids % len(images)
    return Objects(
        dataset="bench",
        labels=images.labels[rows],
        object_ids=ids,
        splits=np.array(list(repeat("train", len(ids)))),
        classes=images.classes,
        images=images.images[rows],
    )


def _settings(steps: int) -> dict[str, Any]:
    """Those of the default study, but of a few steps, and no fit is too bad to be kept."""
    fit = load_config(yaml.safe_load((ROOT / "config.yaml").read_text())).fit
    settings = fit.model_dump(exclude={"shard_size", "device"})
    return settings | {"views": {"train": VIEWS}, "steps": steps, "min_psnr": 0.0, "retries": 0}


def _fit(objects: Objects, rows: np.ndarray, settings: dict[str, Any]) -> Any:
    signals = image_signals(objects.images[rows])
    return fit_shard(objects, rows, signals, **settings, commit="bench")


def _paths(folder: Path, n: int) -> list[Path]:
    return [folder / f"shard_{i}.h5" for i in range(-(-n // SHARD))]
