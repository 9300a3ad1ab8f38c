"""LDraw as a set of shapes, on small libraries that the tests write."""

from pathlib import Path

import numpy as np
import pytest

from weightspace.data.shapes.chosen import read_shapes, select_shapes
from weightspace.data.shapes.ldraw import load_ldraw
from weightspace.data.shapes.ldraw_catalogue import LDRAW10
from weightspace.data.shapes.ldraw_library import LDrawError
from weightspace.data.shapes.shape_sets import load_shape_set

CLASSES = ("Wheel", "Brick")
LABELS = {"Brick": 1, "Wheel": 0, "Minifig Headwear": -1}
SQUARE = "0 Square\n0 BFC CERTIFY CCW\n4 16 -.5 0 -.5 -.5 0 .5 .5 0 .5 .5 0 -.5\n"


def side(axis, sign):
    """A line that puts the square, which faces y, on a side of the unit cube."""
    normal = sign * np.eye(3)[axis]
    other = np.roll(normal, 1)
    turned = np.stack([other, normal, np.cross(other, normal)], axis=1)
    return "1 16 " + " ".join(f"{x:g}" for x in (*normal / 2, *turned.flat)) + " square.dat\n"


CUBE = "0 Cube\n0 BFC CERTIFY CCW\n" + "".join(side(a, s) for a in range(3) for s in (1, -1))


def part(category, sides=(20, 20, 20), *, body=None):
    """The text of a part: a box, or another body."""
    x, y, z = sides
    body = body or f"1 16 0 0 0 {x} 0 0 0 {y} 0 0 0 {z} cube.dat\n"
    header = ("Part of a test", "!LDRAW_ORG Part UPDATE 2004-03", f"!CATEGORY {category}")
    return "".join(f"0 {line}\n" for line in header) + body


def sides_of(i):
    """Proportions that no two of 36 boxes share."""
    return 10.0, 10 * 1.3 ** (i // 6), 10 * 1.3 ** (i % 6)


def parts():
    """Thirty parts of each of three categories, in three variants of ten moulds each."""
    names = [(1 + i // 3, "abc"[i % 3]) for i in range(30)]
    return {
        f"{1000 * (c + 2) + mould}{variant}": part(category, sides_of(i))
        for c, category in enumerate(LABELS)
        for i, (mould, variant) in enumerate(names)
    }


def write(folder: Path, texts):
    for name in ("parts", "p"):
        (folder / name).mkdir(parents=True)
    (folder / "p/square.dat").write_text(SQUARE)
    (folder / "p/cube.dat").write_text(CUBE)
    for name, text in texts.items():
        (folder / f"parts/{name}.dat").write_text(text)
    return folder


@pytest.fixture
def library(tmp_path):
    return write(tmp_path / "ldraw", parts())


def test_the_parts_of_the_classes_are_the_set(library):
    found = load_ldraw(library, CLASSES)
    texts = parts()
    assert (found.name, found.classes, len(found)) == ("ldraw2", CLASSES, 60)
    assert list(found.titles) == sorted(found.titles)
    assert set(found.titles) == {f"{n}.dat" for n, text in texts.items() if "Minifig" not in text}
    for title, label in zip(found.titles, found.labels, strict=True):
        assert f"!CATEGORY {CLASSES[label]}\n" in texts[title.removesuffix(".dat")]


def test_each_entry_loads_its_own_part(library):
    found = load_ldraw(library, CLASSES)
    for i in (0, 7, 29, 30, 59):
        mesh = found.load(i)
        np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), sides_of(i % 30), atol=2e-3)
        assert mesh.closed
        assert np.linalg.det(mesh.triangles).sum() / 6 == pytest.approx(
            np.prod(sides_of(i % 30)), rel=1e-3
        )


def test_the_order_of_the_classes_is_that_asked_for(library):
    ours, theirs = load_ldraw(library, CLASSES), load_ldraw(library, CLASSES[::-1])
    assert ours.titles == theirs.titles
    np.testing.assert_array_equal(ours.labels, 1 - theirs.labels)
    np.testing.assert_array_equal(ours.object_ids, theirs.object_ids)


def test_the_variants_of_a_mould_share_a_split(library):
    found = load_ldraw(library, CLASSES)
    splits = {}
    for title, split in zip(found.titles, found.official_split, strict=True):
        splits.setdefault(title[:4], set()).add(str(split))
    assert len(splits) == 20
    assert all(len(names) == 1 for names in splits.values())
    for label in (0, 1):
        mine = found.official_split[found.labels == label]
        assert (mine == "train").mean() == pytest.approx(0.7, abs=0.25)
        assert (mine == "test").mean() == pytest.approx(0.2, abs=0.2)


def test_what_looks_alike_when_it_is_turned_shares_a_split(library):
    found = load_ldraw(library, CLASSES)
    splits = dict(zip(found.titles, found.official_split.tolist(), strict=True))
    place = {name: i % 30 for i, name in enumerate(parts())}
    for label in (0, 1):
        mine = [t for t, c in zip(found.titles, found.labels, strict=True) if c == label]
        by_sides = {sides_of(place[title.removesuffix(".dat")]): title for title in mine}
        turned = [(t, by_sides.get((x, z, y))) for (x, y, z), t in by_sides.items()]
        assert sum(other is not None for _, other in turned) > 10
        assert all(splits[t] == splits[other] for t, other in turned if other)


def test_the_number_of_a_part_does_not_depend_on_the_others(library, tmp_path):
    whole = load_ldraw(library, CLASSES)
    numbers = dict(zip(whole.titles, whole.object_ids.tolist(), strict=True))
    assert len(set(numbers.values())) == 60
    assert whole.object_ids.dtype == np.int64 and whole.object_ids.min() >= 0
    some = {name: text for name, text in parts().items() if name.endswith("b")}
    few = load_ldraw(write(tmp_path / "few", some), ["Minifig Headwear", "Brick"])
    common = [i for i, label in enumerate(few.labels) if label == 1]
    assert len(common) == 10
    assert all(few.object_ids[i] == numbers[few.titles[i]] for i in common)


def test_what_looks_like_an_earlier_part_of_its_class_is_left_out(tmp_path):
    texts = {
        "1": part("Brick", (20, 30, 40)),
        "2": part("Brick", (40, 60, 80)),
        "3": part("Brick", (40, 30, 20)),  # turned is another shape
        "4": part("Wheel", (20, 30, 40)),
    }
    found = load_ldraw(write(tmp_path / "ldraw", texts), CLASSES)
    assert found.titles == ("1.dat", "3.dat", "4.dat")
    assert found.labels.tolist() == [1, 1, 0]
    assert np.ptp(found.load(1).vertices, axis=0).tolist() == [40, 30, 20]


def test_a_class_without_parts_is_refused(library):
    with pytest.raises(LDrawError, match="has no parts of Animal, Door"):
        load_ldraw(library, ("Brick", "Door", "Animal"))
    with pytest.raises(LDrawError, match="holds no LDraw parts library"):
        load_ldraw(library / "p", CLASSES)


BAD = {
    "a word for a number": ("3 16 0 0 0 1 0 x 0 1 0\n", "line that is not LDraw"),
    "a short line": ("4 16 0 0 0 1 0 0\n", "line that is not LDraw"),
    "a missing file": ("1 16 0 0 0 1 0 0 0 1 0 0 0 1 none.dat\n", "none.dat, which is not there"),
    "a circle": ("1 16 0 0 0 1 0 0 0 1 0 0 0 1 9999.dat\n", "refers to itself"),
    "no faces": ("2 24 0 0 0 1 0 0\n", "empty"),
    "no area": ("3 16 0 0 0 1 0 0 2 0 0\n", "no area"),
    "too large": ("1 16 1e308 0 0 1e308 1e308 1e308 0 1 0 0 0 1 cube.dat\n", "not finite"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_part_is_skipped_with_the_reason(tmp_path, case):
    body, reason = BAD[case]
    texts = parts() | {"9999": part("Brick", body=body)}
    found = load_ldraw(write(tmp_path / "ldraw", texts), CLASSES)
    assert len(found) == 61 and found.titles[-1] == "9999.dat"
    n = {name: int((found.official_split == name).sum()) for name in ("train", "val", "test")}
    select_shapes(tmp_path / "a.npz", found, **n, seed=0, balance="proportional")
    shapes = read_shapes(tmp_path / "a.npz")
    assert len(shapes) == 60 and "9999.dat" not in shapes.titles
    (skipped,) = shapes.skipped
    assert skipped.startswith("9999.dat: ") and reason in skipped


def test_the_sets_have_the_names_that_a_study_gives_them(tmp_path):
    texts = {str(i): part(category, sides_of(i)) for i, category in enumerate(LDRAW10)}
    folder = write(tmp_path / "ldraw", texts)
    found = load_shape_set("ldraw10", folder)
    assert (found.name, found.classes) == ("ldraw10", LDRAW10)
    assert found.labels.tolist() == list(range(10))
    with pytest.raises(LDrawError, match="has no parts of Car, Hinge"):
        load_shape_set("ldraw20", folder)
