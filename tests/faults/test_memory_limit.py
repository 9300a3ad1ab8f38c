"""Memory that runs out in earnest: fits go on in smaller parts, a training ends in one line."""

import subprocess
import sys

LIMITED = """
import logging
import resource
import sys
from itertools import pairwise
from pathlib import Path

import torch

torch.set_num_threads(1)
logging.basicConfig(format="%(message)s")


def limit(megabytes):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 10**6, -1))
"""

FIT = """
from weightspace.fit.fitting import fit_sirens
from weightspace.rng import stream
from weightspace.siren import init_siren
from weightspace.weights import cat

n, points = 16, 2**15
init = cat([init_siren((2, 32, 32, 1), omega_0=30.0, generator=stream(0, i)) for i in range(n)])
coords = torch.rand(points, 2, generator=stream(1))
signals = torch.rand(n, points, 1, generator=stream(2))
settings = dict(omega_0=30.0, output_offset=0.5, steps=1, lr=1e-3, backend="reference")
limit(250)  # before any other fit, whose freed memory the process might still hold
found = fit_sirens(signals, coords, init=init, **settings)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
expected = fit_sirens(signals, coords, init=init, **settings)
for x, y in zip(found.weights, expected.weights, strict=True):
    torch.testing.assert_close(x, y)
print("equal")
"""

TRAIN = """
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.job import job
from weightspace.rng import stream
from weightspace.train.cell import train_cell
from weightspace.weights import Weights

layout = (2, 64, 64, 1)
def some(n, first):
    weights = [torch.randn(n, o, i, generator=stream(first)) for i, o in pairwise(layout)]
    biases = [torch.randn(n, o, generator=stream(first)) for o in layout[1:]]
    ids = torch.arange(n) + first
    return InrDataset(
        weights=Weights(tuple(weights), tuple(biases)), labels=ids % 2, object_ids=ids,
        views=torch.zeros_like(ids), n_classes=2, omega_0=30.0, output_offset=0.5,
    )

datasets = {"train": some(256, 0), "val": some(8, 1000), "test": some(8, 2000)}
limit(200)
with job("cell", sys.argv[1]) as progress:
    train_cell(
        datasets, model={"kind": "dws", "channels": 64}, scheme={}, views=1, seeds=[0], updates=1,
        batch_size=256, lr=0.1, weight_decay=0.0, warmup=0, evaluate_every=1, progress=progress,
    )
"""


def run(code, *arguments):
    command = [sys.executable, "-c", LIMITED + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_fits_go_on_in_smaller_parts():
    found = run(FIT)
    assert found.stdout == "equal\n", found.stderr
    assert "memory ran out with 16 at a time; going on with 8" in found.stderr


def test_a_training_ends_in_one_line(tmp_path):
    # It could go on only with other batches than asked for, which nothing does silently.
    found = run(TRAIN, tmp_path / "x.log")
    assert found.returncode == 1
    (line,) = found.stderr.splitlines()
    assert line.startswith("cell: error: memory ran out (")
    assert "train.batch_size" in line
