"""Which files of LDraw are parts of their own, and what they say of themselves."""

import pytest

from weightspace.data.shapes.ldraw_catalogue import LDRAW10, LDRAW20, list_parts
from weightspace.data.shapes.ldraw_library import open_library

ORG = "!LDRAW_ORG Part UPDATE 2004-03"


def catalogue(folder, files):
    """List a library of files that consist of headers; lines are given without their 0."""
    for name in ("parts", "parts/s", "p"):
        (folder / name).mkdir(exist_ok=True)
    for name, lines in files.items():
        text = "".join(f"0 {line}\r\n" for line in lines) + "1 16 0 0 0 1 0 0 0 1 0 0 0 1 a.dat\r\n"
        (folder / name).write_text(text + "0 !CATEGORY Late\n")
    return list_parts(open_library(folder))


def files(folder, *names):
    return [part.file for part in catalogue(folder, {n: ["Brick 1", ORG] for n in names})]


def test_a_part_and_what_it_states(tmp_path):
    lines = ["Brick  2 x  4", "Name: 3001a.dat", "Author: A", ORG, "", "BFC CERTIFY CCW"]
    (part,) = catalogue(tmp_path, {"parts/3001a.DAT": lines})
    assert (part.file, part.title) == ("3001a.dat", "Brick 2 x 4")
    assert (part.category, part.group) == ("Brick", "3001")


def test_the_stated_category_goes_before_the_title(tmp_path):
    lines = ["Duplo Brick  2 x  4", ORG, "!CATEGORY  Minifig   Headwear"]
    (part,) = catalogue(tmp_path, {"parts/1.dat": lines})
    assert part.category == "Minifig Headwear"


@pytest.mark.parametrize(
    ("name", "group"),
    [("3001.dat", "3001"), ("u9080b.dat", "u9080"), ("85543-f1.dat", "85543"), ("x.dat", "x")],
)
def test_the_group_is_the_number_of_the_mould(tmp_path, name, group):
    (part,) = catalogue(tmp_path, {f"parts/{name}": ["Brick 1", ORG]})
    assert part.group == group


@pytest.mark.parametrize("mark", ["~", "=", "_", "|", "~Moved to "])
def test_marked_titles_are_no_parts_of_their_own(tmp_path, mark):
    assert catalogue(tmp_path, {"parts/1.dat": [f"{mark}Brick 1", ORG]}) == []


@pytest.mark.parametrize(
    ("kind", "is_part"),
    [
        ("Part", True),
        ("Part ORIGINAL", True),
        ("Part UPDATE 2020-01", True),
        ("Part Alias UPDATE 2020-01", False),
        ("Part Physical_Colour UPDATE 2020-01", False),
        ("Part Flexible_Section UPDATE 2020-01", False),
        ("Shortcut UPDATE 2020-01", False),
        ("Shortcut Alias", False),
        ("Subpart UPDATE 2020-01", False),
        ("Primitive", False),
    ],
)
def test_only_plain_parts_count(tmp_path, kind, is_part):
    found = catalogue(tmp_path, {"parts/1.dat": ["Brick 1", f"!LDRAW_ORG {kind}"]})
    assert len(found) == is_part


def test_what_states_nothing_is_no_part(tmp_path):
    assert catalogue(tmp_path, {"parts/1.dat": ["Brick 1"], "parts/2.dat": []}) == []


def test_prints_and_stickers_are_left_out(tmp_path):
    kept = ["10350p02c01.dat", "2536a.dat", "3001.dat", "3626cd.dat", "pw1.dat"]
    decorated = ["3001p01.dat", "3001ap1.dat", "973pbl.dat", "3069bph.dat", "2431d01.dat"]
    decorated += ["4515dx0.dat", "3684adq0.dat", "3001P02.dat"]
    assert files(tmp_path, *(f"parts/{name}" for name in kept + decorated)) == kept


def test_only_files_of_the_folder_parts_count(tmp_path):
    names = ["parts/2.dat", "parts/10.dat", "parts/s/1s01.dat", "p/stud.dat", "parts/1.txt"]
    assert files(tmp_path, *names) == ["10.dat", "2.dat"]


def test_a_mark_of_the_byte_order_does_no_harm(tmp_path):
    for name in ("parts", "p"):
        (tmp_path / name).mkdir()
    text = f"\ufeff0 Brick 1\n0 {ORG}\n"
    (tmp_path / "parts/1.dat").write_text(text, encoding="utf-8")
    assert [part.title for part in list_parts(open_library(tmp_path))] == ["Brick 1"]


def test_the_classes():
    assert len(LDRAW10) == len(set(LDRAW10)) == 10
    assert len(LDRAW20) == len(set(LDRAW20)) == 20
    assert set(LDRAW10) < set(LDRAW20)
    assert list(LDRAW20) == sorted(LDRAW20)
    assert list(LDRAW10) == sorted(LDRAW10)
