"""The data path: assembly against copying the same bytes, and streamed against in-memory training.

Sources are dropped from the page cache before a run that says "cold", so that the disk is read.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch

from weightspace.dataset.assemble import assemble
from weightspace.siren import init_siren
from weightspace.store import Header, InrSet, write_inrs

LAYOUT = (2, 32, 32, 1)
VIEWS = 5
SHARD = 500 * VIEWS  # networks, as of 500 objects
REPEATS = 5


def run() -> list[dict]:
    """Assembly at two sizes, its memory at two sizes, and training; the rates are medians."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with TemporaryDirectory(dir=".") as folder:
            return _assembly(Path(folder))
    finally:
        torch.set_num_threads(threads)


def write_shards(folder: Path, n_shards: int) -> list[Path]:
    """Shards of random networks, of `VIEWS` views of objects 0, 1, ..."""
    generator = torch.Generator().manual_seed(0)
    w = init_siren(LAYOUT, omega_0=30.0, generator=generator, batch_size=SHARD)
    paths = [folder / f"shard_{i}.h5" for i in range(n_shards)]
    for i, path in enumerate(paths):
        if not path.exists():
            entry = np.arange(SHARD) + i * SHARD
            write_inrs(path, InrSet(_header(), w.map(lambda x: x + i), _columns(entry)))
    return paths


def assemble_shards(paths: list[Path], out: Path) -> None:
    """As the workflow does."""
    ids = np.arange(len(paths) * SHARD // VIEWS)
    objects = ids, ids % 10, np.where(ids % 7 == 0, "val", "train")
    assemble(paths, out, objects=objects, views={"train": VIEWS, "val": VIEWS})


def _header() -> Header:
    return Header(
        dataset="bench",
        layer_layout=LAYOUT,
        omega_0=30.0,
        output_offset=0.5,
        coords={"shape": [28, 28], "range": [-1.0, 1.0], "order": "C", "axes": "ij"},
        classes=tuple(map(str, range(10))),
        commit="bench",
        config={},
    )


def _columns(entry: np.ndarray) -> dict[str, np.ndarray]:
    ids, n = entry // VIEWS, len(entry)
    return {
        "object_id": ids,
        "view": (entry % VIEWS).astype(np.int32),
        "label": ids % 10,
        "split": np.where(ids % 7 == 0, "val", "train"),
        "seed": np.zeros(n, np.int64),
        "psnr": 40 + (entry % 13).astype(np.float32),
        "attempts": np.ones(n, np.int32),
        "steps": np.full(n, 120, np.int32),
    }


def _assembly(folder: Path) -> list[dict]:
    rows = []
    for n_shards in (8, 24):
        paths = write_shards(folder, n_shards)
        size = sum(path.stat().st_size for path in paths)
        for cold in (True, False):
            copied, assembled = [], []
            for _ in range(REPEATS):
                for seconds, f in ((copied, _copy), (assembled, assemble_shards)):
                    if cold:
                        drop_from_cache(paths)
                    seconds.append(_seconds(lambda f=f, paths=paths: f(paths, folder / "out.h5")))
            rows.append(
                {
                    "name": f"assemble {size / 1e6:.0f} MB, {'cold' if cold else 'cached'} shards",
                    "rate": size / 1e6 / median(assembled),
                    "unit": "MB/s",
                    "reference": size / 1e6 / median(copied),
                    "ratio": median(copied) / median(assembled),
                    "limit_fraction": None,
                }
            )
    return rows


def _copy(paths: list[Path], out: Path) -> None:
    """The same bytes on the same disk, synced."""
    copies = [out.with_name(f"copy_{i}.h5") for i in range(len(paths))]
    for path, copy in zip(paths, copies, strict=True):
        shutil.copyfile(path, copy)
    for copy in copies:
        with copy.open("rb+") as file:
            os.fsync(file.fileno())


def drop_from_cache(paths: Iterable[Path]) -> None:
    """Let the next read of files come from the disk, where the system can be asked to."""
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())  # only what is on the disk can be dropped
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _seconds(f: Callable[[], object]) -> float:
    start = perf_counter()
    f()
    return perf_counter() - start
