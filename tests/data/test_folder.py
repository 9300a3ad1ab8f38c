"""Folders of pictures that the tests write."""

import numpy as np
import pytest
from PIL import Image

from weightspace.data.folder import load_folder
from weightspace.data.folder_listing import FolderError, folder_state
from weightspace.data.images import load_images
from weightspace.data.selection import select_objects
from weightspace.data.signals import image_signals


def write(root, *names, mode="L", size=(6, 4)):
    """Write a picture for each name; its colour tells which."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        value = 10 * i + 5
        Image.new(mode, size, value if mode == "L" else (value, 0, 255)).save(path)


def load(root, **settings):
    return load_folder(root, **{"size": [4, 6], "channels": 1, **settings})


def many(root, n=10, classes=("cat", "ant")):
    write(root, *(f"{c}/{i:02}.png" for c in classes for i in range(n)))


def test_a_folder_becomes_a_set(tmp_path):
    many(tmp_path)
    found = load(tmp_path)
    assert found.name == "folder"
    assert found.classes == ("ant", "cat")
    assert found.images.shape == (20, 4, 6) and found.images.dtype == np.uint8
    assert found.labels.tolist() == [0] * 10 + [1] * 10
    assert found.object_ids.tolist() == list(range(20))
    # `write` began with cat: the value of a pixel tells which picture it is of.
    assert found.images[:, 0, 0].tolist() == [10 * i + 5 for i in (*range(10, 20), *range(10))]


def test_a_fifth_of_every_class_is_the_test(tmp_path):
    many(tmp_path, n=10)
    write(tmp_path, "two/a.png", "two/b.png")
    found = load(tmp_path)
    for label, n_test in ((0, 2), (1, 2), (2, 1)):
        assert (found.official_split[found.labels == label] == "test").sum() == n_test


def test_the_cut_does_not_follow_the_names_and_stays_when_pictures_are_added(tmp_path):
    many(tmp_path, n=50)
    before = load(tmp_path)
    ant = before.official_split[before.labels == 0]
    test = np.flatnonzero(ant == "test")
    assert len(test) == 10 and test.max() - test.min() > 15
    write(tmp_path, "ant/new.png")
    after = load(tmp_path).official_split
    assert (after[:50] == before.official_split[:50]).mean() > 0.95
    assert (load(tmp_path).official_split == after).all()


def test_official_splits_are_kept_and_training_comes_first(tmp_path):
    write(
        tmp_path, "test/a/1.png", "test/b/1.png", "train/a/2.png", "train/b/1.png", "train/b/0.png"
    )
    found = load(tmp_path)
    assert found.official_split.tolist() == ["train"] * 3 + ["test"] * 2
    assert found.images[:, 0, 0].tolist() == [25, 45, 35, 5, 15]
    assert found.classes == ("a", "b")


@pytest.mark.parametrize(("channels", "tail"), [(1, ()), (3, (3,))])
def test_pictures_of_all_kinds_become_one(tmp_path, channels, tail):
    many(tmp_path, n=3)
    write(tmp_path, "cat/x.jpg", "cat/y.BMP", mode="RGB", size=(31, 17))
    found = load(tmp_path, size=[5, 3], channels=channels)
    assert found.images.shape == (8, 5, 3, *tail)


def test_hidden_and_other_files_do_not_count(tmp_path):
    many(tmp_path, n=2)
    for name in (".DS_Store", "labels.csv", "cat/._00.png", "cat/notes.txt", "cat/.x/a.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"?")
    (tmp_path / ".git").mkdir()
    found = load(tmp_path)
    assert len(found) == 4 and found.classes == ("ant", "cat")


def test_all_broken_pictures_are_named_at_once(tmp_path):
    many(tmp_path, n=9)
    for i in range(7):
        (tmp_path / f"ant/0{i}.png").write_bytes(b"?")
    with pytest.raises(FolderError, match="7 of 18 pictures cannot be read") as caught:
        load(tmp_path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 5 + 1
    assert str(tmp_path / "ant/00.png") in lines[1] and "and 2 more" in lines[-1]


def test_a_bomb_is_named(tmp_path, monkeypatch):
    many(tmp_path, n=2)
    write(tmp_path, "cat/bomb.png", size=(7, 7))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with pytest.raises(FolderError, match=r"1 of 5 .*\n.*bomb\.png: .*49 pixels"):
        load(tmp_path)


def only_other_files(root):
    many(root, n=2)
    (root / "dog").mkdir()
    for name in ("a.txt", "b.txt", ".hidden"):
        (root / "dog" / name).touch()


def no_classes(root):
    (root / "readme.md").touch()


CASES = {
    "no classes": (no_classes, r"it has none \(files that are no pictures or hidden: 1 \.md\)"),
    "other files": (only_other_files, r"picture: dog \(.*2 \.txt, 1 \.hidden\)"),
    "a picture too deep": (
        lambda root: write(root, "train/a/1.png", "val/a/1.png", "val/b/1.png"),
        "pictures in the wrong place: train/a/1.png.*within both train and test",
    ),
    "a picture beside the classes of a split": (
        lambda root: write(root, "train/a/1.png", "test/a/1.png", "test/1.png"),
        r"in the wrong place: test/1\.png",
    ),
    "a third split": (
        lambda root: write(root, "train/a/1.png", "test/a/1.png", "val/a/1.png"),
        "has val beside train and test; put what",
    ),
    "differing classes": (
        lambda root: write(
            root, *(f"{p}/1.png" for p in ("train/a", "train/b", "test/a", "test/c"))
        ),
        "same classes; only one of them has b, c",
    ),
    "one class in the splits": (
        lambda root: write(root, "train/a/1.png", "test/a/1.png"),
        "train must have one subfolder per class.*only a",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_folder_that_lies_otherwise_is_refused(tmp_path, case):
    make, message = CASES[case]
    make(tmp_path)
    with pytest.raises(FolderError, match=message):
        load(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FolderError, match=r"nowhere is not a folder"):
        load(tmp_path / "nowhere")


def test_progress_is_told(tmp_path):
    many(tmp_path, n=2)
    calls = []
    load(tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_state_changes_with_the_pictures_alone(tmp_path):
    assert folder_state(tmp_path / "nowhere") == folder_state(tmp_path)
    many(tmp_path, n=2)
    before = folder_state(tmp_path)
    (tmp_path / "cat/notes.txt").touch()
    assert folder_state(tmp_path) == before
    write(tmp_path, "cat/00.png", size=(9, 9))
    changed = folder_state(tmp_path)
    (tmp_path / "cat/00.png").rename(tmp_path / "cat/zz.png")
    assert len({before, changed, folder_state(tmp_path)}) == 3


def test_a_folder_can_be_a_study(tmp_path):
    many(tmp_path, n=10)
    images = load_images("folder", tmp_path, size=[3, 5], channels=3)
    objects = select_objects(images, train=8, val=4, test=4, seed=0)
    assert objects.dataset == "folder"
    assert image_signals(objects.images).values.shape == (16, 15, 3)
    with pytest.raises(ValueError, match="class 0: 10 asked, 8 there"):
        select_objects(images, train=16, val=4, test=4, seed=0)


def test_a_linked_class_is_listed_and_noticed(tmp_path):
    (tmp_path / "set").mkdir()
    many(tmp_path / "real", n=2)
    (tmp_path / "set/cat").symlink_to(tmp_path / "real/cat")
    before = folder_state(tmp_path / "set")
    write(tmp_path / "real", "cat/99.png", size=(9, 9))
    assert folder_state(tmp_path / "set") != before
    (tmp_path / "set/cat/again").symlink_to(tmp_path / "set")  # leads back
    folder_state(tmp_path / "set")
