"""Sets come back as they were written, and equal content gives equal bytes."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import layouts

from weightspace.siren import siren
from weightspace.store import read_columns, read_header, read_inrs, write_inrs

STATISTICS = {
    "train": {
        "count": np.array(2, np.int64),
        "psnr_quantiles": np.linspace(40.0, 41.0, 7),
        "mean": np.array([0.1, 0.2, 0.3, 0.4]),
        "std": np.array([1.0, 2.0, 3.0, 4.0]),
    }
}


def assert_equal(a, b):
    assert a.header == b.header
    for x, y in zip(a.weights, b.weights, strict=True):
        assert x.dtype == y.dtype
        assert torch.equal(x, y)
    for p, q in ((a.columns, b.columns), (a.failures, b.failures)):
        assert p.keys() == q.keys()
        for name in p:
            assert p[name].dtype.kind == q[name].dtype.kind
            np.testing.assert_array_equal(p[name], q[name])
    assert (a.statistics is None) == (b.statistics is None)
    for split, values in (a.statistics or {}).items():
        for name, x in values.items():
            np.testing.assert_array_equal(x, b.statistics[split][name])


@given(
    layout=layouts(),
    n=st.integers(0, 7),
    n_failures=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_a_set_comes_back(make, tmp_path_factory, layout, n, n_failures, seed):
    path = tmp_path_factory.mktemp("round") / "a.h5"
    inrs = make(n, n_failures=n_failures, seed=seed, layer_layout=layout)
    write_inrs(path, inrs)
    assert_equal(inrs, read_inrs(path))
    assert read_header(path) == inrs.header


def test_a_set_of_failures_only_comes_back(make, tmp_path):
    inrs = make(0, n_failures=4)
    write_inrs(tmp_path / "a.h5", inrs)
    again = read_inrs(tmp_path / "a.h5")
    assert_equal(inrs, again)
    assert len(again.weights) == 0
    assert again.weights.layer_layout == (2, 3, 1)


def test_statistics_come_back(make, tmp_path):
    inrs = make(4, statistics=STATISTICS)
    write_inrs(tmp_path / "a.h5", inrs)
    assert_equal(inrs, read_inrs(tmp_path / "a.h5"))


def test_failures_may_have_no_psnr(make, tmp_path):
    inrs = make(1, n_failures=2)
    inrs.failures["psnr"][0] = np.nan
    write_inrs(tmp_path / "a.h5", inrs)
    assert np.isnan(read_inrs(tmp_path / "a.h5").failures["psnr"][0])


def test_text_of_any_kind_comes_back(make, tmp_path):
    inrs = make(3, dataset="", classes=(), config={"π": "ü" * 100_000})
    inrs = replace(inrs, columns=inrs.columns | {"split": np.array(["", "späterer", "a"])})
    write_inrs(tmp_path / "a.h5", inrs)
    assert_equal(inrs, read_inrs(tmp_path / "a.h5"))


def test_the_columns_are_read_alone(make, tmp_path):
    inrs = make(6)
    write_inrs(tmp_path / "a.h5", inrs)
    columns = read_columns(tmp_path / "a.h5")
    for name, x in inrs.columns.items():
        np.testing.assert_array_equal(columns[name], x)


@pytest.mark.parametrize(
    "rows",
    [
        slice(2, None, 3),
        np.array([7, 0, 6, 300, -3]),
        np.arange(301) % 50 == 3,
        np.array([], np.int64),
    ],
    ids=["slice", "index", "mask", "none"],
)
def test_some_rows_are_the_rows_of_all(make, tmp_path, rows, monkeypatch):
    monkeypatch.setattr("weightspace.store_writer._CHUNK_BYTES", 400)  # many chunks
    inrs = make(301)
    write_inrs(tmp_path / "a.h5", inrs)
    some, whole = read_inrs(tmp_path / "a.h5", rows), read_inrs(tmp_path / "a.h5")
    index = np.arange(301)[rows]
    expected = replace(
        whole,
        weights=whole.weights[torch.from_numpy(index)],
        columns={name: x[index] for name, x in whole.columns.items()},
    )
    assert_equal(some, expected)


def test_rows_that_are_not_there_are_refused(make, tmp_path):
    write_inrs(tmp_path / "a.h5", make(3))
    with pytest.raises(IndexError, match="out of bounds"):
        read_inrs(tmp_path / "a.h5", np.array([3]))
    with pytest.raises(IndexError, match="twice"):
        read_inrs(tmp_path / "a.h5", np.array([2, -1]))


def test_the_file_alone_renders(make, tmp_path):
    inrs = make(3, omega_0=1.5, output_offset=0.25)
    write_inrs(tmp_path / "a.h5", inrs)
    points = torch.tensor([[0.1, -0.7], [1.0, 0.0]])
    again = read_inrs(tmp_path / "a.h5")
    h = again.header
    rendered = siren(again.weights, points, omega_0=h.omega_0, output_offset=h.output_offset)
    assert torch.equal(rendered, siren(inrs.weights, points, omega_0=1.5, output_offset=0.25))


def _copy(inrs):
    """The same content in other memory: other strides, other text widths, other key orders."""
    w = inrs.weights.map(lambda x: x.transpose(0, 1).contiguous().transpose(0, 1))
    columns = {name: x.copy() for name, x in reversed(inrs.columns.items())}
    columns["split"] = columns["split"].astype("<U20")
    config = dict(reversed(inrs.header.config.items()))
    return replace(inrs, weights=w, columns=columns, header=replace(inrs.header, config=config))


def test_equal_content_gives_equal_bytes(make, tmp_path):
    inrs = make(9, n_failures=2, statistics=STATISTICS)
    write_inrs(tmp_path / "a.h5", inrs)
    write_inrs(tmp_path / "b.h5", _copy(inrs))
    write_inrs(tmp_path / "c.h5", read_inrs(tmp_path / "a.h5"))
    content = (tmp_path / "a.h5").read_bytes()
    assert (tmp_path / "b.h5").read_bytes() == content
    assert (tmp_path / "c.h5").read_bytes() == content


def test_another_process_at_another_time_writes_the_same_bytes(make, tmp_path):
    write_inrs(tmp_path / "a.h5", make(9))
    code = (
        "import sys, time; time.sleep(1.1)\n"  # past the resolution of a time stamp
        "from weightspace.store import read_inrs, write_inrs\n"
        "write_inrs(sys.argv[2], read_inrs(sys.argv[1]))"
    )
    paths = [str(tmp_path / name) for name in ("a.h5", "b.h5")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, env=_environment())
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def _environment():
    source = str(Path(__file__).parents[2] / "src")
    return {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("part", ["weights", "columns", "failures", "header", "statistics"])
def test_other_content_gives_other_bytes(make, tmp_path, part):
    inrs = make(4, n_failures=1, statistics=STATISTICS)
    other = {
        "weights": lambda: make(4, seed=1).weights,
        "columns": lambda: inrs.columns | {"seed": inrs.columns["seed"] + 1},
        "failures": lambda: inrs.failures | {"seed": inrs.failures["seed"] + 1},
        "header": lambda: replace(inrs.header, output_offset=0.0),
        "statistics": lambda: None,
    }[part]()
    write_inrs(tmp_path / "a.h5", inrs)
    write_inrs(tmp_path / "b.h5", replace(inrs, **{part: other}))
    assert (tmp_path / "a.h5").read_bytes() != (tmp_path / "b.h5").read_bytes()


def test_writing_changes_nothing_in_memory(make, tmp_path):
    inrs, before = make(4), make(4)
    write_inrs(tmp_path / "a.h5", inrs)
    assert_equal(inrs, before)


def test_chunks_hold_at_most_a_mebibyte(make, tmp_path):
    write_inrs(tmp_path / "a.h5", make(700, layer_layout=(2, 32, 32, 1)))
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["weights/1"].chunks == (234, 32, 32)
        assert file["weights/0"].chunks == (234, 32, 2)  # the same networks
