import numpy as np
import pytest

from weightspace.data.archive import ArchiveError, read_npz, write_npz

ARRAYS = {"numbers": np.arange(12).reshape(3, 4), "words": np.array(["a", "bc"])}


def test_arrays_come_back(tmp_path):
    write_npz(tmp_path / "new" / "a.npz", ARRAYS)
    back = read_npz(tmp_path / "new" / "a.npz", ("numbers", "words"))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back[name], array, strict=True)


def test_equal_content_gives_equal_bytes(tmp_path, monkeypatch):
    write_npz(tmp_path / "a.npz", ARRAYS)
    monkeypatch.setattr("time.time", lambda: 2e9)  # another day
    write_npz(tmp_path / "b.npz", {name: array.copy() for name, array in ARRAYS.items()})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_python_objects_are_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_npz(tmp_path / "a.npz", {"x": np.array([{}], dtype=object)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, keep):
    path = tmp_path / "a.npz"
    write_npz(path, ARRAYS)
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(ArchiveError, match=r"a\.npz is damaged"):
        read_npz(path, ("numbers",))


def test_a_lacking_array_is_named(tmp_path):
    write_npz(tmp_path / "a.npz", ARRAYS)
    with pytest.raises(ArchiveError, match=r"lacks an array.*labels"):
        read_npz(tmp_path / "a.npz", ("numbers", "labels"))


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz", ("numbers",))
