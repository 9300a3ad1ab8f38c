"""Sets that are damaged, inconsistent or dangerous, and what is said of them."""

import json
import os
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch

from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.dataset.interchange.state_dicts import read_state_dicts


def state(label=0, widths=(2, 3, 1), **more):
    pairs = pairwise(widths)
    layers = {}
    for l, (n_in, n_out) in enumerate(pairs):
        layers |= {f"seq.{l}.weight": torch.ones(n_out, n_in), f"seq.{l}.bias": torch.ones(n_out)}
    return {**layers, "label": label, **more}


@pytest.fixture
def write(tmp_path):
    """Write files and a splits.json, which lists all as training files unless it is given."""

    def write(files, splits=None):
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (tmp_path / path).write_bytes(content)
            else:
                torch.save(content, tmp_path / path)
        splits = {"train": list(files)} if splits is None else splits
        text = splits if isinstance(splits, str) else json.dumps(splits)
        (tmp_path / "splits.json").write_text(text)
        return tmp_path

    return write


def refusal(root, **settings):
    """The message, which is one line."""
    with pytest.raises(InterchangeError) as error:
        read_state_dicts(root, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def without(content, key):
    return {k: v for k, v in content.items() if k != key}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (without(state(), "seq.1.bias"), "a.pth lacks the bias of layer 1 beside 'seq.1.weight'"),
        (without(state(), "seq.0.weight"), "a.pth lacks the weight of layer 0"),
        ({"label": 3}, "a.pth holds no layers; expected keys like 'seq.0.weight'"),
        (state(**{"pe.b": torch.ones(2)}), "a.pth holds 'pe.b', which is no weight or bias"),
        (state(**{"x.0.bias": torch.ones(3)}), "a.pth holds 'x.0.bias'"),
        (state(**{"seq.1.weight": torch.ones(1, 4)}), "has shape (1, 4)"),
        (state(**{"seq.1.bias": torch.ones(2)}), "and 'seq.1.bias' (2,)"),
        (state(**{"seq.1.weight": torch.ones(3)}), "expected a dense tensor of real numbers"),
        (state(**{"seq.1.bias": torch.ones(1, dtype=torch.int64)}), "'seq.1.bias' is torch.int64"),
        (state(**{"seq.1.bias": [1.0]}), "'seq.1.bias' is <class 'list'>"),
        (state(label=2.5), "a.pth: the label is 2.5, a float"),
        (state(label=True), "a.pth: the label is True, a bool"),
        (state(label=torch.ones(3)), "a.pth: the label is tensor"),
        (state(label=None), "a.pth has no label, and neither has"),
        (without(state(), "label"), "a.pth has no label, and neither has"),
        (state(label=np.int64(3)), "multiarray.scalar, which could run code"),
        ([1, 2], "a.pth holds a list; expected a state_dict"),
        ({1: torch.ones(2)}, "a.pth holds a dict; expected a state_dict"),
        (b"", "a.pth is truncated or damaged"),
        (b"something else", "a.pth is truncated or damaged"),
        (pickle.dumps([1]), "a.pth is refused"),
    ],
)
def test_a_file_of_another_form_is_refused(write, content, expected):
    assert expected in refusal(write({"a.pth": content}))


def test_a_truncated_file_is_refused(write, tmp_path):
    root = write({"a.pth": state()})
    whole = (root / "a.pth").read_bytes()
    (root / "a.pth").write_bytes(whole[: len(whole) // 2])
    assert "a.pth is truncated or damaged" in refusal(root)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_refused_and_not_run(write, tmp_path, zipped):
    root = write({"a.pth": state()})
    content = state(extra=Evil(tmp_path / "ran"))
    torch.save(content, root / "a.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(root)
    assert "a.pth is refused" in message
    assert "mkdir, which could run code" in message
    assert not (tmp_path / "ran").exists()


def test_files_of_different_shapes_are_refused(write):
    message = refusal(write({"a.pth": state(), "b.pth": state(widths=(2, 4, 1))}))
    assert "b.pth has the widths (2, 4, 1), but a.pth has (2, 3, 1)" in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(write, value):
    bad = state(**{"seq.1.bias": torch.tensor([value])})
    message = refusal(write({"a.pth": state(), "b.pth": bad, "c.pth": bad}))
    assert "b.pth holds NaN or infinity, as do 2 of 3 files" in message


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ([], "splits.json holds a list; expected an object of splits"),
        ({}, "splits.json names no network"),
        ({"train": []}, "splits.json names no network"),
        ({"train": 3}, "the split 'train' is neither a list of paths nor"),
        ({"train": {"label": [0]}}, "the split 'train' is neither a list of paths nor"),
        ({"my train": ["a.pth"]}, "'my train' cannot name a split"),
        ({"train": {"path": ["a.pth"], "label": [0, 1]}}, "'label' of the split 'train' is not"),
        ({"train": {"path": ["a.pth"], "view": "0"}}, "'view' of the split 'train' is not a list"),
        ({"train": ["a.pth", 3]}, "3 is not the path of a file"),
        ({"train": ["a.pth", ""]}, "'' is not the path of a file"),
        ({"train": ["."]}, "are missing, the first ."),
        ({"train": ["b/../../a.pth"]}, "which does not lie in the folder"),
        ({"train": ["/etc/hostname"]}, "names /etc/hostname, which does not lie in the folder"),
        ({"train": ["/x/a.pth", "/etc/hostname"]}, "names /etc/hostname, which does not lie"),
        ({"train": ["/gone/gone.pth"]}, "names /gone/gone.pth, which does not lie in"),
        ({"train": {"path": ["a.pth"], "label": [1]}}, "a.pth has the label 0, but"),
        ({"train": {"path": ["a.pth"], "label": [[1]]}}, "the label of a.pth is [1], a list"),
        (
            {"train": ["a.pth", "a.pth"]},
            "a.pth twice, in the splits 'train' and 'train'",
        ),
        ({"train": ["./a.pth"], "test": [".//a.pth"]}, "names a.pth twice"),
        ('{"train": ["a.pth"], "train": ["b.pth"]}', "the key 'train' is there twice"),
        ({"train": ["a" * 300]}, "longer than the name of a file can be"),
        ({"train": [5000 * "a/"]}, "longer than the name of a file can be"),
        (
            {"train": {"path": ["a.pth"], "label": [10**30]}},
            "the label of a.pth is a number of",
        ),
        ({"train": {"path": ["a.pth"], "psnr": [10**400]}}, "'psnr' must hold numbers (int too"),
        ({"train": {"path": ["a.pth"], "psnr": [1e300]}}, "the psnr of a.pth is out of range"),
        ({"train": {"path": ["a.pth"], "steps": [2**31]}}, "steps of a.pth is out of range"),
        (
            {"train": ["a.pth"], "test": ["a.pth"]},
            "a.pth twice, in the splits 'train' and 'test'",
        ),
        (
            {"train": {"path": ["a.pth"], "view": [0]}, "test": ["b.pth"]},
            "only the splits ['train'] have 'view'",
        ),
        (
            {"train": {"path": ["a.pth"], "object_id": [0.5], "view": [0]}},
            "'object_id' must hold numbers (0.5 is not a whole number)",
        ),
        (
            {"train": {"path": ["a.pth"], "object_id": [0], "view": [-1]}},
            "views count from 0",
        ),
        (
            {"train": {"path": ["a.pth"], "object_id": [2**70], "view": [0]}},
            "the object_id of a.pth is out of range, which ends at 9223372036854775807",
        ),
    ],
)
def test_a_splits_file_that_does_not_fit_is_refused(write, splits, expected):
    assert expected in refusal(write({"a.pth": state(), "b.pth": state()}, splits))


def test_an_object_in_two_splits_is_refused(write):
    files = {"view_0/7.pth": state(), "view_1/7.pth": state()}
    root = write(files, {"train": ["view_0/7.pth"], "test": ["view_1/7.pth"]})
    message = refusal(root)
    assert "view_0/7.pth has the split 'train' and view_1/7.pth has 'test'" in message
    assert "both are views of object '7'" in message


def test_an_object_of_two_labels_is_refused(write):
    # Folders of classes look like folders of views; the caller can say that they are none.
    files = {"0/7.pth": state(0), "1/7.pth": state(1)}
    message = refusal(write(files))
    assert "0/7.pth has the label 0 and 1/7.pth has 1" in message
    inrs = read_state_dicts(write(files), view_part="none")
    assert inrs.columns["object_id"].tolist() == [0, 1]
    assert inrs.columns["view"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("labels", "settings", "expected"),
    [
        ((0, "shirt"), {}, "some labels are numbers, as 0, and some are names, as 'shirt'"),
        ((0, -1), {}, "labels run from -1 to 0"),
        ((0, 10**6), {}, "labels run from 0 to 1000000"),
        ((0, 2), {"classes": ("x", "y")}, "labels run from 0 to 2; there are 2 classes"),
        (("x", "z"), {"classes": ("x", "y")}, "the label 'z' is none of the classes x, y"),
    ],
)
def test_labels_that_are_no_classes_are_refused(write, labels, settings, expected):
    root = write({f"{i}.pth": state(label) for i, label in enumerate(labels)})
    assert expected in refusal(root, **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"omega_0": 0.0}, "omega_0 is 0.0; it must be positive and finite"),
        ({"output_scale": -1.0}, "output_scale is -1.0"),
        ({"output_offset": float("nan")}, "output_offset is nan; it must be finite"),
        ({"axes": "yx"}, "axes is 'yx'"),
        ({"shape": (28,)}, "need a grid of 2 axes"),
        ({"shape": (28, 1)}, "of two points or more"),
        ({"shape": (10**8, 10**8)}, "has 1.0e+16 points, more than 1.1e+09"),
        ({"dataset": ""}, "'' cannot be the name of a set or class"),
        ({"dataset": "\udcfe"}, "cannot be the name of a set or class"),
        ({"classes": ("", "b")}, "'' cannot be the name of a set or class"),
        ({"classes": ("a", "b", "a")}, "the class 'a' is named twice"),
        ({"split_points": (5, 2)}, "splits.json says the splits: leave out split_points"),
    ],
)
def test_settings_that_cannot_be_are_refused(write, settings, expected):
    assert expected in refusal(write({"a.pth": state()}), **settings)


def test_a_setting_that_decides_nothing_is_refused(write, tmp_path):
    splits = {"train": {"path": ["a.pth"], "object_id": [0], "view": [0]}}
    root = write({"a.pth": state()}, splits)
    for part in (7, "none"):
        assert "of each file: leave out view_part" in refusal(root, view_part=part)
    (root / "splits.json").unlink()
    (root / "a_0s").mkdir()
    (root / "a.pth").rename(root / "a_0s" / "net0.pth")
    assert "leave out view_part" in refusal(root, view_part=0)
    for points in ((5, 2), (-1, 2)):
        assert f"the split points are {points[0]} and 2" in refusal(root, split_points=points)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, which needs no import"),
        (b"PK\x03\x04", "is one .pth file or a zip archive"),
        (b"\x80\x02", "is one .pth file"),
        (b"\xff", "is no text in UTF-8"),
    ],
)
def test_a_source_that_is_no_set_is_called_by_its_name(tmp_path, content, expected):
    (tmp_path / "x").write_bytes(content)
    message = refusal(tmp_path / "x")
    assert f"x {expected}" in message
    assert "give one of these" in message


def test_networks_of_three_inputs_need_a_shape_and_our_axes(write):
    root = write({"a.pth": state(widths=(3, 4, 1))})
    assert "state another one" in refusal(root)
    assert "axes 'xy' swaps two inputs" in refusal(root, shape=(4, 4, 4), axes="xy")
    assert read_state_dicts(root, shape=(4, 4, 4)).header.coords["shape"] == [4, 4, 4]


def test_a_folder_without_a_set_is_refused(tmp_path):
    assert "holds neither splits.json nor folders" in refusal(tmp_path)
    assert "does not exist: give the folder" in refusal(tmp_path / "gone")
    (tmp_path / "randinit_smaller_0s").mkdir()
    assert "names no network" in refusal(tmp_path)
    (tmp_path / "randinit_large_0s").mkdir()
    assert "holds the sets randinit_large, randinit_smaller" in refusal(tmp_path)
    for name in ("a_splits.json", "b_splits.json"):
        (tmp_path / name).write_text("{}")
    assert "holds a_splits.json, b_splits.json: give the path" in refusal(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"format": "other", "version": 1}',
        '{"format": "weightspace.state_dicts", "version": 2}',
        '{"format": "weightspace.state_dicts", "version": 2, "version": 1}',
    ],
)
def test_a_weightspace_json_that_cannot_be_read_is_refused(write, text):
    root = write({"a.pth": state()})
    (root / "weightspace.json").write_text(text)
    assert "weightspace.json cannot be read" in refusal(root)
