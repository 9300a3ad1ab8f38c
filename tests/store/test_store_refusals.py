"""What is no whole file of this version is refused with one message; no half file is left."""

import resource
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from weightspace import failures, store
from weightspace.store import (
    StoreError,
    read_columns,
    read_entries,
    read_header,
    read_inrs,
    write_inrs,
)

READERS = [read_inrs, read_header, read_columns]


@pytest.fixture
def path(make, tmp_path):
    path = tmp_path / "shard.h5"
    write_inrs(path, make(12, n_failures=2))
    return path


def refused(path, match, reader=read_inrs):
    with pytest.raises(StoreError, match=match) as caught:
        reader(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
def test_a_missing_file(tmp_path, reader):
    refused(tmp_path / "none.h5", "No such file.*run the step", reader)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something else"], ids=["empty", "zip"])
def test_a_file_of_another_kind(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    refused(tmp_path / "a.h5", "not an HDF5 file.*delete it and run again")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(path, share, reader):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "truncated or damaged.*delete it and run again", reader)


def test_memory_that_runs_out_is_not_the_fault_of_the_file(path, monkeypatch):
    def none(*_, **__):
        raise MemoryError("Unable to allocate 62.5 MiB")

    monkeypatch.setattr(store._Arrays, "columns", none)
    refused(path, "damaged .Unable to allocate")  # as if a damaged size had asked for it
    monkeypatch.setattr(failures, "SPARE", 2**60)
    with pytest.raises(MemoryError):
        read_inrs(path)


def test_a_version_that_is_no_number(path):
    with h5py.File(path, "a") as file:
        file.attrs["version"] = "two"
    refused(path, "has version two, this weightspace reads up to 1")


def test_a_foreign_format(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["some"] = 1
    refused(tmp_path / "a.h5", "does not say its format; expected 'weightspace.inr'")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["format"] = "peer.nef"
    refused(tmp_path / "a.h5", "has format 'peer.nef'; expected 'weightspace.inr'")


@pytest.mark.parametrize("reader", READERS)
def test_a_newer_version(path, reader):
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 2
        del file["columns"]  # whatever version 2 may be like
    refused(path, "has version 2, this weightspace reads up to 1: update weightspace", reader)


@pytest.mark.parametrize("name", ["omega_0", "digest", "config"])
def test_a_missing_attribute(path, name):
    with h5py.File(path, "a") as file:
        del file.attrs[name]
    refused(path, f"lacks the attribute '{name}': delete")


@pytest.mark.parametrize("name", ["weights/1", "columns/psnr", "failures/view"])
def test_a_missing_array(path, name):
    with h5py.File(path, "a") as file:
        del file[name]
    refused(path, f"lacks the array '{name}': delete")


def test_an_array_of_no_version(path):
    with h5py.File(path, "a") as file:
        file["columns/mood"] = np.arange(12)
    refused(path, "holds the array 'columns/mood', which version 1 does not define")


def test_an_attribute_of_no_version(path):
    with h5py.File(path, "a") as file:
        file.attrs["mood"] = "good"
    refused(path, "holds the attribute 'mood', which version 1 does not define")


@pytest.mark.parametrize("name", ["weights/0", "columns/label", "failures/seed"])
def test_a_changed_number(path, name):
    with h5py.File(path, "a") as file:
        file[name][...] = file[name][()] + 1
    refused(path, f"the digest of {name} does not match")


@pytest.mark.parametrize("reader", READERS)
def test_a_changed_attribute(path, reader):
    with h5py.File(path, "a") as file:
        file.attrs["omega_0"] = 29.0
    refused(path, "the digest of the file does not match", reader)


def test_arrays_that_are_exchanged(path):
    with h5py.File(path, "a") as file:
        for group in ("columns", "failures"):
            file.move(f"{group}/object_id", "x")
            file.move(f"{group}/label", f"{group}/object_id")
            file.move("x", f"{group}/label")
    refused(path, "the digest of the file does not match")


def test_a_flipped_weight_is_noticed_in_a_partial_read(path):
    with h5py.File(path) as file:
        chunk = file["weights/0"].id.get_chunk_info(0)
    damaged = bytearray(path.read_bytes())
    damaged[chunk.byte_offset + 5] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="truncated or damaged"):
        read_inrs(path, np.array([0]))


@pytest.mark.parametrize("reader", [read_inrs, read_entries])
def test_networks_without_checksums(path, reader):
    """A part of them could be read with no check at all."""
    with h5py.File(path, "a") as file:
        x, digest = file["weights/0"][()], file["weights/0"].attrs["digest"]
        del file["weights/0"]
        file.create_dataset("weights/0", data=x).attrs["digest"] = digest
    refused(path, "weights/0 has no Fletcher-32 checksums.*delete it and run again", reader)


def breaks(make, part):
    """A set that breaks one rule, made past the checks of InrSet."""
    inrs = make(4)
    columns = inrs.columns
    if part == "short column":
        columns["psnr"] = columns["psnr"][:3]
    elif part == "kind of number":
        columns["label"] = columns["label"].astype(np.float64)
    return inrs


@pytest.mark.parametrize(
    ("part", "match"),
    [
        ("short column", r"columns\['psnr'\] is float32 \(3,\); it must be float32 \(4,\)"),
        ("kind of number", r"columns\['label'\] is float64 \(4,\); it must be int64"),
    ],
)
def test_a_file_with_a_right_digest_that_breaks_a_rule(make, tmp_path, part, match):
    write_inrs(tmp_path / "a.h5", breaks(make, part))
    refused(tmp_path / "a.h5", match + ".*delete it and run again")


def test_the_fixture_above_breaks_nothing_by_itself(make, tmp_path):
    write_inrs(tmp_path / "a.h5", breaks(make, "nothing"))
    read_inrs(tmp_path / "a.h5")


@contextmanager
def room(n_bytes):
    """Let no file grow past a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("n_bytes", [0, 100, 20_000])
def test_a_full_disk_leaves_nothing(make, tmp_path, n_bytes):
    with room(n_bytes), pytest.raises(StoreError, match=r"a\.h5 could not be written \(File too"):
        write_inrs(tmp_path / "a.h5", make(2000))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(path, make):
    before = path.read_bytes()
    with room(1000), pytest.raises(StoreError):
        write_inrs(path, make(2000))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_an_error_before_the_rename_leaves_nothing(make, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("stop")

    monkeypatch.setattr(store.layout, "file_digest", fail)
    with pytest.raises(RuntimeError, match="stop"):
        write_inrs(tmp_path / "a.h5", make(2))
    assert list(tmp_path.iterdir()) == []
