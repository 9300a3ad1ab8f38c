"""The data path: assembly against copying the same bytes, and streamed against in-memory training.

Sources are dropped from the page cache before a run that says "cold", so that the disk is read.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from timeit import timeit

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from weightspace.dataset.assemble import assemble
from weightspace.dataset.examples import Dataset
from weightspace.dataset.inr_dataset import load_inr_dataset
from weightspace.dataset.statistics import standardise, tensor_statistics
from weightspace.models.build import build_model
from weightspace.siren import init_siren
from weightspace.store import Header, InrSet, write_inrs
from weightspace.train.batches import examples
from weightspace.train.steps import Stepper

LAYOUT = (2, 32, 32, 1)
VIEWS = 5
SHARD = 500 * VIEWS  # networks, as of 500 objects
REPEATS = 5
SHARDS = (8, 24)  # 96 and 287 MB
BATCH, UPDATES, TURNS = 256, 20, 16  # a window that is read while training has 14 batches


def run() -> list[dict]:
    """Assembly at two sizes, its memory at two sizes, and training; the rates are medians."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with TemporaryDirectory(dir=".") as name:
            folder = Path(name)
            write_shards(folder, max(SHARDS))
            return [*_assembly(folder), *_memory(folder), *_training(folder)]
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
            write_inrs(path, InrSet(_header(), w.map(lambda x, i=i: x + i), _columns(entry)))
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
    for n_shards in SHARDS:
        paths = write_shards(folder, n_shards)
        size = sum(path.stat().st_size for path in paths)
        for cold in (True, False):
            copied, assembled = [], []
            for _ in range(REPEATS):
                for seconds, f in ((copied, _copy), (assembled, assemble_shards)):
                    if cold:
                        drop_from_cache(paths)
                    seconds.append(timeit(partial(f, paths, folder / "out.h5"), number=1))
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


def _memory(folder: Path) -> list[dict]:
    """The peak of a process that assembles, at two sizes; `reference` is that of the smaller."""
    code = (
        "import sys; from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from bench_data import assemble_shards, write_shards\n"
        "from scaling_chain import peak_mb\n"
        "folder, n = Path(sys.argv[1]), int(sys.argv[2])\n"
        "assemble_shards(write_shards(folder, n), folder / 'out.h5') if n else None\n"
        "print(peak_mb())"
    )
    commands = [[sys.executable, "-c", code, str(folder), str(n)] for n in (0, *SHARDS)]
    none, small, large = (float(subprocess.check_output(c)) for c in commands)
    return [
        {
            "name": f"assemble {SHARDS[1]} shards, peak beyond the {none:.0f} MB of imports",
            "rate": large - none,
            "unit": "MB",
            "reference": small - none,
            "ratio": (large - none) / (small - none),
            "limit_fraction": None,
        }
    ]


def _training(folder: Path) -> list[dict]:
    """Updates of DWSNet on a set in its file, a quarter of which may be held, and in memory."""
    path, memory = folder / "out.h5", max(SHARDS) * SHARD * 4740 // 4
    here, there = (load_inr_dataset(path, memory=m)["train"] for m in (None, memory))
    statistics = tensor_statistics(there.inputs)
    sources = [
        examples(data, batch_size=BATCH, generator=torch.Generator().manual_seed(0))
        for data in (here, there)
    ]
    model = build_model(
        kind="dws",
        d_out=10,
        generator=torch.Generator().manual_seed(0),
        statistics=statistics,
        **here.input_settings,
    )
    stepper = Stepper(
        list(model.parameters()), updates=10**6, lr=1e-3, weight_decay=0.1, warmup=1, clip_norm=None
    )

    def train(data: Dataset, source: Iterator) -> None:
        for _ in range(UPDATES):
            index, x = next(source)
            loss = cross_entropy(model(standardise(x, statistics)), data.labels[index])
            stepper.step(loss, 1)

    train(here, sources[0])  # the first updates are slower
    seconds: list[list[float]] = [[], []]
    for _ in range(TURNS):
        for times, data, source in zip(seconds, (here, there), sources, strict=True):
            drop_from_cache([path])
            times.append(timeit(partial(train, data, source), number=1))
    in_memory, streamed = (UPDATES * BATCH / median(times) for times in seconds)
    return [
        {
            "name": f"train DWSNet, {memory / 1e6:.0f} MB allowed of {4 * memory / 1e6:.0f}, cold",
            "rate": streamed,
            "unit": "INR/s",
            "reference": in_memory,
            "ratio": streamed / in_memory,
            "limit_fraction": None,
        }
    ]


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
