"""Damaged files are read as what they say, or refused by the error of their reader; no crash."""

import resource
from collections import Counter

import h5py
import numpy as np
import pytest
from damage import PROFILE, damaged, little_memory, watched
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import READERS
from ways import GOLDEN

from weightspace import inr_layout
from weightspace.dataset.interchange.summary import summary
from weightspace.store import StoreError, read_inrs
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
@settings(PROFILE)
def test_attributes_of_another_writer_are_read_or_refused(tmp_path_factory, changes):
    """With right digests, so that what lies behind them is reached."""
    path = tmp_path_factory.getbasetemp() / "changed.h5"
    path.write_bytes(GOLDEN.read_bytes())
    with h5py.File(path, "r+") as file:
        for name, value in changes.items():
            file.attrs[name] = hdf5_value(value)
        values = {k: decoded(file.attrs[k]) for k in inr_layout.ATTRIBUTES}
        digests = {}
        file.visititems(
            lambda k, x: (
                digests.update({k: decoded(x.attrs["digest"])})
                if isinstance(x, h5py.Dataset)
                else None
            )
        )
        try:
            file.attrs["digest"] = hdf5_value(inr_layout.file_digest(values, digests))
        except ValueError:  # JSON has no NaN
            return
    try:
        summary(path)
        read_inrs(path)
    except StoreError as error:
        assert str(path) in str(error)


def decoded(value):
    return inr_layout.decode_text(np.asarray(value)).tolist()
