"""A fitting job of some objects."""

import numpy as np
import pytest

from weightspace.data.objects import Objects
from weightspace.data.signals import image_signals
from weightspace.dataset.shard import fit_shard
from weightspace.store import read_inrs, write_inrs

SETTINGS = {
    "hidden": [4],
    "omega_0": 30.0,
    "output_offset": 0.5,
    "views": {"train": 2, "val": 1, "test": 1},
    "steps": 3,
    "lr": 1e-3,
    "schedule": "constant",
    "betas": (0.9, 0.999),
    "target_psnr": None,
    "min_psnr": 0.0,
    "retries": 0,
    "shared_init": False,
    "backend": "reference",
    "seed": 0,
    "commit": "0" * 40,
}


def objects():
    return Objects(
        dataset="toy",
        images=np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8),
        labels=np.array([0, 1, 0]),
        object_ids=np.array([5, 7, 9]),
        splits=np.array(["train", "val", "test"]),
        classes=("a", "b"),
    )


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize(("rows", "ids"), [([0, 2], [5, 5, 9]), ([1], [7])])
def test_a_shard_has_all_views_of_its_objects(tmp_path, rows, ids, backend):
    chosen, rows = objects(), np.array(rows, dtype=np.int64)
    settings = SETTINGS | {"backend": backend}
    inrs = fit_shard(chosen, rows, image_signals(chosen.images[rows]), **settings)
    write_inrs(tmp_path / "shard.h5", inrs)
    read = read_inrs(tmp_path / "shard.h5")
    assert read.columns["object_id"].tolist() == ids
    assert len(read.weights) == len(ids) and read.weights.layer_layout == (2, 4, 1)
