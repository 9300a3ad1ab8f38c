"""Chunks are read and written as HDF5 does it; what it filters in another way, it reads itself."""

import io

import h5py
import numpy as np
import pytest
import torch

from weightspace import store_writer
from weightspace.chunks import add_checksum, find_chunks
from weightspace.store import StoreError, read_entries, read_inrs, read_networks, write_inrs


@pytest.mark.parametrize("kind", ["random", "zero", "ones"])
@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 4095, 8192, 8223, 2**18])
def test_the_checksum_is_that_of_hdf5(n, kind):
    x = np.random.default_rng(n).standard_normal(n).astype("<f4")
    if kind != "random":
        x = np.full(n, {"zero": 0, "ones": 2**32 - 1}[kind], "<u4").view("<f4")
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        file.create_dataset("x", data=x, chunks=(n,), fletcher32=True)
        chunk = file["x"].id.read_direct_chunk((0,))[1]
    assert add_checksum(x, np.empty(4 * n + 4, np.uint8)).tobytes() == chunk


def test_hdf5_reads_what_was_written_past_it(make, tmp_path, monkeypatch):
    monkeypatch.setattr(store_writer, "_CHUNK_BYTES", 400)
    inrs = make(301)
    write_inrs(tmp_path / "a.h5", inrs)
    with h5py.File(tmp_path / "a.h5") as file:
        for l, x in enumerate(inrs.weights.weights):
            np.testing.assert_array_equal(file[f"weights/{l}"][()], x.numpy())
        assert len({x.chunks[0] for x in file["weights"].values()}) == 1


def read_all(path, rows):
    entries = read_entries(path)
    into = {"weights/0": np.full((40, 3, 2), np.nan, np.float32)}
    read_networks(path, entries, rows, into, np.arange(len(rows))[::-1] + 3)
    return entries, into["weights/0"]


@pytest.mark.parametrize("compressed", [False, True])
def test_any_rows_are_read_to_any_places(make, tmp_path, monkeypatch, compressed):
    monkeypatch.setattr(store_writer, "_CHUNK_BYTES", 200)
    inrs, path = make(60), tmp_path / "a.h5"
    write_inrs(path, inrs)
    if compressed:  # which the format allows
        with h5py.File(path, "r+") as file:
            old = file["weights/0"]
            x, digest = old[()], old.attrs["digest"]
            del file["weights/0"]
            settings = {"chunks": (7, 3, 2), "compression": "gzip", "fletcher32": True}
            file.create_dataset("weights/0", data=x, **settings).attrs["digest"] = digest
    for rows in (np.arange(11, 41), np.array([5, 59, 0, 33, 34]), np.array([], np.int64)):
        entries, found = read_all(path, rows)
        assert ("weights/0" in entries.chunks) != compressed
        expected = inrs.weights.weights[0][torch.from_numpy(rows[::-1].copy())].numpy()
        np.testing.assert_array_equal(found[3 : 3 + len(rows)], expected)
        assert np.isnan(found[:3]).all() and np.isnan(found[3 + len(rows) :]).all()


def test_a_file_that_was_cut_since_is_noticed(make, tmp_path):
    path = tmp_path / "a.h5"
    write_inrs(path, make(60))
    entries = read_entries(path)
    content = path.read_bytes()
    path.write_bytes(content[: entries.chunks["weights/0"].offsets[0] + 9])
    into = {"weights/0": np.empty((60, 3, 2), np.float32)}
    with pytest.raises(StoreError, match=r"a\.h5 is truncated or damaged \(chunk 0 of weights/0"):
        read_networks(path, entries, np.arange(60), into, np.arange(60))
    path.unlink()
    with pytest.raises(StoreError, match=r"a\.h5 is truncated or damaged .*No such file"):
        read_networks(path, entries, np.arange(60), into, np.arange(60))


def test_arrays_without_checksums_are_left_to_hdf5():
    with h5py.File(io.BytesIO(), "w") as file:
        x = np.ones((6, 2), np.float32)
        assert find_chunks(file.create_dataset("a", data=x)) is None
        assert find_chunks(file.create_dataset("b", data=x, chunks=(2, 2))) is None
        parted = file.create_dataset("c", data=x, chunks=(2, 1), fletcher32=True)
        assert find_chunks(parted) is None
        never = file.create_dataset("d", x.shape, "<f4", chunks=(2, 2), fletcher32=True)
        assert find_chunks(never) is None


def test_a_whole_read_agrees_with_the_parts(make, tmp_path):
    write_inrs(tmp_path / "a.h5", make(40))
    whole = read_inrs(tmp_path / "a.h5").weights.weights[0]
    found = read_all(tmp_path / "a.h5", np.arange(30))[1]
    np.testing.assert_array_equal(found[3:33][::-1], whole[:30].numpy())
