"""Damaged files are read as what they say, or refused by the error of their reader; no crash."""

import contextlib
import resource
from collections import Counter

import h5py
import numpy as np
import pytest
from damage import MANY, PROFILE, damaged, little_memory, watched
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import READERS
from ways import GOLDEN

from weightspace import inr_layout
from weightspace.dataset.interchange.summary import summary
from weightspace.store import StoreError, read_entries, read_inrs, read_networks
from weightspace.store_writer import hdf5_value

pytestmark = pytest.mark.skipif(
    not hasattr(resource, "RLIMIT_AS"), reason="the memory of a process cannot be limited here"
)


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_refused(name, tmp_path):
    reader, tried = READERS[name], Counter()
    path = tmp_path / "damaged"
    contents = reader.contents(tmp_path)
    for content in contents:
        path.write_bytes(content)
        reader.read(path)

    @settings(PROFILE)
    @given(damaged(contents))
    def law(content):
        path.write_bytes(content)
        try:
            with watched():
                reader.read(path)
            tried["read"] += 1
        except reader.errors as error:
            tried["refused"] += 1
            assert str(error)

    with little_memory():
        law()
    print(f"{name}: {tried['read'] + tried['refused']} inputs, {tried['refused']} refused")
    assert tried["refused"] > 10


VALUES = st.sampled_from(
    [
        *("", "x", "{", "[]", "{}", "null", '{"a": [1]}', 100_000 * "[", "\0", "ü"),
        *(-1, 0, 1, 2**40, 0.5, np.nan, np.inf, [], [1], [2, -3], [2.5, 1], [2, 2**50, 1]),
        *(["a"], ["a", "b", "c"], [["a"]], [[1, 2], [3, 4]], True),
    ]
)


@given(st.dictionaries(st.sampled_from(sorted(inr_layout.ATTRIBUTES)), VALUES, min_size=1))
@settings(PROFILE, max_examples=MANY or 20)
def test_attributes_of_another_writer_are_read_or_refused(tmp_path_factory, changes):
    """With right digests, so that what lies behind them is reached."""
    path = tmp_path_factory.getbasetemp() / "changed.h5"
    path.write_bytes(GOLDEN.read_bytes())
    with h5py.File(path, "r+") as file:
        for name, value in changes.items():
            file.attrs[name] = hdf5_value(value)
        sign(file)
    read_or_refused(path)


OTHERS = {
    "more axes": np.zeros((5, 3, 2, 1), "<f4"),
    "fewer axes": np.zeros(5, "<f4"),
    "a number": np.float32(3),
    "nothing": np.zeros((0, 3, 2), "<f4"),
    "more": np.zeros((2000, 3, 2), "<f4"),
    "doubles": np.zeros((5, 3, 2)),
    "big-endian": np.zeros((5, 3, 2), ">f4"),
    "NaN": np.full((5, 3, 2), np.nan, "<f4"),
    "whole numbers": np.full(5, 2**40),
    "below zero": np.full(5, -1),
    "bytes": np.array([b"\xff", b"a", b"", b"b", b"c"]),
    "complex": np.zeros(5, complex),
    "records": np.zeros(5, [("a", "<f4"), ("b", "<i8")]),
    "no space": h5py.Empty("<f4"),
    "text": np.array(["train"] * 5, dtype=h5py.string_dtype()),
}
NAMES = st.sampled_from(inr_layout.array_names(3, ["train"]))


@given(st.dictionaries(NAMES, st.sampled_from(sorted(OTHERS)), min_size=1, max_size=3))
@settings(PROFILE, max_examples=MANY or 20)
def test_arrays_of_another_writer_are_read_or_refused(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "changed.h5"
    path.write_bytes(GOLDEN.read_bytes())
    with h5py.File(path, "r+") as file:
        for name, kind in changes.items():
            del file[name]
            x = file.create_dataset(name, data=OTHERS[kind])
            plain = isinstance(OTHERS[kind], np.ndarray) and x.dtype.kind != "O"
            digest = inr_layout.array_digest(name, OTHERS[kind]) if plain else "0"
            x.attrs["digest"] = hdf5_value(digest)
        sign(file)
    read_or_refused(path)


def sign(file):
    """Write the digest that the attributes and the digests of the arrays ask for."""
    values = {name: decoded(file.attrs[name]) for name in inr_layout.ATTRIBUTES}
    digests = {}

    def visit(name, x):
        if isinstance(x, h5py.Dataset):
            digests[name] = decoded(x.attrs["digest"])

    file.visititems(visit)
    with contextlib.suppress(ValueError):  # JSON has no NaN
        file.attrs["digest"] = hdf5_value(inr_layout.file_digest(values, digests))


def decoded(value):
    return inr_layout.decode_text(np.asarray(value)).tolist()


def read_or_refused(path):
    into = {"weights/0": np.empty((5, 3, 2), np.float32)}
    for read in (
        summary,
        read_inrs,
        lambda path: read_inrs(path, np.array([3, 1])),
        lambda path: read_networks(path, read_entries(path), np.arange(5), into, np.arange(5)),
    ):
        try:
            read(path)
        except StoreError as error:
            assert str(path) in str(error)
        except IndexError:
            assert read not in (summary, read_inrs)  # that has no such rows
