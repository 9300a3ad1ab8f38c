"""The golden file of version 1 stays readable, means what it meant, and is written as it was."""

import json
import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from weightspace.store import read_inrs, write_inrs

FOLDER = Path(__file__).parent
GOLDEN = json.loads((FOLDER / "v1.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def inrs():
    return read_inrs(FOLDER / "v1.h5")


def test_the_header_is_as_recorded(inrs):
    h = inrs.header
    assert h.layer_layout == (2, 3, 2, 1)
    assert (h.dataset, h.activation, h.commit) == ("golden", "sine", "0123abc")
    assert (h.omega_0, h.output_offset) == (2.0, 0.5)
    assert h.coords == {"shape": [2, 2], "range": [-1.0, 1.0], "order": "C", "axes": "ij"}
    assert list(h.classes) == GOLDEN["classes"]
    assert h.config == GOLDEN["config"]


def test_columns_failures_and_statistics_are_as_recorded(inrs):
    for name in ("object_id", "view", "split", "psnr"):
        assert inrs.columns[name].tolist() == GOLDEN[name]
    lost = [inrs.failures[name].tolist() for name in ("object_id", "view")]
    assert list(map(list, zip(*lost, strict=True))) == GOLDEN["failed"]
    assert math.isnan(inrs.failures["psnr"][0])
    assert inrs.statistics is not None
    assert inrs.statistics["train"]["mean"].tolist() == GOLDEN["mean"]
    assert inrs.statistics["train"]["count"] == 3


def render(w, network, point, omega_0, offset):
    """One network at one point, number by number."""
    x = point
    last = len(w.weights) - 1
    for l, (weight, bias) in enumerate(zip(w.weights, w.biases, strict=True)):
        rows = zip(weight[network].tolist(), bias[network].tolist(), strict=True)
        x = [sum(a * b for a, b in zip(row, x, strict=True)) + c for row, c in rows]
        x = x if l == last else [math.sin(omega_0 * y) for y in x]
    return x[0] + offset


def test_it_renders_to_the_recorded_numbers(inrs):
    rendered = [
        [render(inrs.weights, n, point, 2.0, 0.5) for point in GOLDEN["points"]]
        for n in range(len(inrs.weights))
    ]
    np.testing.assert_allclose(rendered, GOLDEN["rendered"], rtol=0, atol=1e-6)
    assert np.std(GOLDEN["rendered"]) > 0.01


def test_it_is_written_again_byte_for_byte(inrs, tmp_path):
    write_inrs(tmp_path / "v1.h5", inrs)
    with h5py.File(tmp_path / "v1.h5") as new, h5py.File(FOLDER / "v1.h5") as old:
        assert new.attrs["digest"] == old.attrs["digest"]
    if h5py.version.hdf5_version == GOLDEN["hdf5"]:  # others may lay the same content out apart
        assert (tmp_path / "v1.h5").read_bytes() == (FOLDER / "v1.h5").read_bytes()
