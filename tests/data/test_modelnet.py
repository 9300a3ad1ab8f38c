"""ModelNet in small: the folders and zips that the tests write have the official layout."""

import struct
import zipfile

import numpy as np
import pytest

from weightspace.data.shapes.chosen import read_shapes, select_shapes
from weightspace.data.shapes.mesh import MeshError
from weightspace.data.shapes.modelnet import ModelNetError, load_modelnet
from weightspace.data.shapes.shape_sets import load_shape_set
from weightspace.data.unpack import UnpackError

CLASSES = (
    *("bathtub", "bed", "chair", "desk", "dresser"),
    *("monitor", "night_stand", "sofa", "table", "toilet"),
)
BODY = "4 2 0\n0 0 0\n{x} 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n"


def files(n_train=3, n_test=1, classes=CLASSES):
    """The names and contents of a small ModelNet10; every other header lacks its line end."""
    found = {}
    for c, name in enumerate(classes):
        for i in range(n_train + n_test):
            split = "train" if i < n_train else "test"
            header = "OFF" if i % 2 else "OFF\n"
            content = (header + BODY.format(x=10 * c + i + 1)).encode()
            found[f"ModelNet10/{name}/{split}/{name}_{i + 1:04}.off"] = content
    return found


OTHERS = {
    "ModelNet10/README.txt": b"the authors",
    "ModelNet10/.DS_Store": b"?",
    "__MACOSX/ModelNet10/bed/train/._bed_0001.off": b"?",
}


def write_zip(directory, contents, name="ModelNet10.zip"):
    with zipfile.ZipFile(directory / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("ModelNet10")
        for member, content in contents.items():
            archive.writestr(member, content)
    return directory


def unpack(directory, contents):
    for name, content in contents.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return directory


def expect_whole(found):
    assert found.name == "modelnet10" and found.classes == CLASSES
    assert found.official_split.tolist() == ["train"] * 30 + ["test"] * 10
    assert found.labels.tolist() == [*np.repeat(range(10), 3), *range(10)]
    assert found.labels.dtype == found.object_ids.dtype == np.int64
    assert found.object_ids.tolist() == list(range(40))
    assert found.titles[:2] == ("bathtub/train/bathtub_0001.off", "bathtub/train/bathtub_0002.off")
    assert found.titles[39] == "toilet/test/toilet_0004.off"
    edges = [found.load(i).vertices[1, 0] for i in range(40)]
    expected = [10 * c + i for c in range(10) for i in (1, 2, 3)]
    assert edges == expected + [10 * c + 4 for c in range(10)]


def test_the_zip_is_read_in_place(tmp_path):
    write_zip(tmp_path, files() | OTHERS)
    expect_whole(load_modelnet(tmp_path, 10))
    assert [path.name for path in tmp_path.iterdir()] == ["ModelNet10.zip"]


def test_the_unpacked_folder_is_the_same_set(tmp_path):
    unpack(tmp_path, files() | OTHERS)
    expect_whole(load_modelnet(tmp_path, 10))
    expect_whole(load_modelnet(tmp_path / "ModelNet10", 10))
    expect_whole(load_shape_set("modelnet10", tmp_path))


def test_the_order_in_the_zip_does_not_matter(tmp_path):
    contents = files()
    write_zip(tmp_path, {name: contents[name] for name in reversed(contents)})
    expect_whole(load_modelnet(tmp_path, 10))


def test_it_can_be_a_study(tmp_path):
    contents = files()
    contents["ModelNet10/bed/train/bed_0002.off"] = b"OFF\n4 9 0\n"
    found = load_modelnet(write_zip(tmp_path, contents), 10)
    with pytest.raises(MeshError, match=r"^truncated: its header states 4 vertices and 9 faces"):
        found.load(4)
    select_shapes(tmp_path / "shapes.npz", found, train=20, val=10, test=10, seed=0)
    shapes = read_shapes(tmp_path / "shapes.npz")
    assert shapes.dataset == "modelnet10" and len(shapes) == 39
    assert [reason.split(":")[0] for reason in shapes.skipped] == ["bed/train/bed_0002.off"]


def lacking(split):
    return {name: c for name, c in files().items() if f"/sofa/{split}/" not in name}


CASES = {
    "nothing": ({"ModelNet10/README.txt": b"?"}, "has meshes of 0 classes; ModelNet10 has 10"),
    "a part": (
        files(classes=CLASSES[:3]),
        r"meshes of 3 classes \(bathtub, bed, chair\); ModelNet10 has 10: put the official",
    ),
    "another set": (
        files(classes=(*CLASSES, "vase")),
        r"of 11 classes \(bathtub, .*desk, d.*\.\.\.",
    ),
    "no training": (lacking("train"), "has no train meshes of sofa; fetch it again"),
    "no test": (lacking("test"), "has no test meshes of sofa"),
    "another place": (
        files() | {"ModelNet10/sofa/val/sofa_0009.off": b"?"},
        r"has ModelNet10/sofa/val/sofa_0009\.off; every mesh",
    ),
    "too deep": (files() | {"x/ModelNet10/sofa/train/a.off": b"?"}, r"has x/ModelNet10/sofa/train"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_lies_otherwise_is_refused(tmp_path, case):
    contents, message = CASES[case]
    with pytest.raises(ModelNetError, match=message):
        load_modelnet(write_zip(tmp_path, contents), 10)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(
        ModelNetError, match=r"nowhere is not a folder; it must hold ModelNet40\.zip"
    ):
        load_modelnet(tmp_path / "nowhere", 40)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.off",
        "/etc/outside.off",
        "ModelNet10/bed/../../../x.off",
        "C:\\x.off",
        "..\\x.off",
    ],
)
def test_a_zip_with_a_path_outside_is_refused(tmp_path, name):
    write_zip(tmp_path, files() | {name: b"?"})
    with pytest.raises(UnpackError, match=r"ModelNet10\.zip is refused: '.*off' in it (leads|has)"):
        load_modelnet(tmp_path, 10)


def test_a_bomb_that_states_a_small_size_is_not_read_out(tmp_path):
    write_zip(tmp_path, files() | {"ModelNet10/bed/train/bed_0001.off": bytes(5_000_000)})
    path = tmp_path / "ModelNet10.zip"
    size = struct.pack("<I", 5_000_000)
    assert path.read_bytes().count(size) == 2
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<I", 50)))
    found = load_modelnet(tmp_path, 10)
    with pytest.raises(UnpackError, match=r"ModelNet10\.zip is damaged"):
        found.load(3)


def test_damage_within_a_zip_is_no_bad_mesh(tmp_path):
    path = write_zip(tmp_path, files()) / "ModelNet10.zip"
    content = bytearray(path.read_bytes())
    start = content.index(b"bathtub_0001.off") + len("bathtub_0001.off")
    content[start + 5 : start + 15] = bytes(10)
    path.write_bytes(bytes(content))
    found = load_modelnet(tmp_path, 10)
    with pytest.raises(UnpackError, match=r"ModelNet10\.zip is damaged"):
        found.load(0)
    with pytest.raises(UnpackError, match=r"ModelNet10\.zip is damaged"):
        select_shapes(tmp_path / "shapes.npz", found, train=30, val=0, test=10, seed=0)
