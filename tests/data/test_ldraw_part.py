"""Parts of LDraw: references, winding, look-up and what is wrong with files."""

import zipfile

import numpy as np
import pytest

from weightspace.data.shapes.ldraw_library import LDrawError, open_library
from weightspace.data.shapes.ldraw_part import read_part
from weightspace.data.unpack import UnpackError

# A unit square in the plane y = 0, counter-clockwise seen from +y, as LDraw has it.
CCW = "0 Square\n0 BFC CERTIFY CCW\n4 16 -.5 0 -.5 -.5 0 .5 .5 0 .5 .5 0 -.5\n"
CW = "0 Square\n0 BFC CERTIFY CW\n4 16 -.5 0 -.5 .5 0 -.5 .5 0 .5 -.5 0 .5\n"
TRIANGLES = """0 Square
0 BFC CERTIFY CCW
2 24 -.5 0 -.5 .5 0 .5
3 16 -.5 0 -.5 -.5 0 .5 .5 0 .5
0 BFC CW
3 0x2FF0000 -.5 0 -.5 .5 0 -.5 .5 0 .5
5 24 -.5 0 -.5 .5 0 .5 0 0 0 1 1 1
"""
UNSTATED = CCW.replace("0 BFC CERTIFY CCW\n", "")
MIRROR = np.diag([-1.0, 1.0, 1.0])


def write(folder, **files):
    """Write a library; a name `p__4_4edge` is the file p/4_4edge.dat."""
    for name in ("parts", "p"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.dat"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return open_library(folder)


def reference(file, matrix=None, offset=(0, 0, 0)):
    numbers = [*offset, *np.ravel(np.eye(3) if matrix is None else matrix)]
    return f"1 16 {' '.join(f'{x:g}' for x in numbers)} {file}\n"


def towards(normal):
    """A rotation that takes +y to an axis."""
    normal = np.array(normal, dtype=float)
    other = np.roll(normal, 1)
    return np.stack([other, normal, np.cross(other, normal)], axis=1)


def cube(file="square.dat", turned=(), mirrored=()):
    """Six squares; those `turned` face inwards and are inverted, those `mirrored` are so."""
    text = "0 Cube\n0 BFC CERTIFY CCW\n"
    for i, (axis, sign) in enumerate((a, s) for a in range(3) for s in (1, -1)):
        normal = sign * np.eye(3)[axis]
        matrix = towards(-normal if i in turned else normal)
        if i in mirrored:
            matrix = matrix @ MIRROR
        if i in turned:
            text += "0 BFC INVERTNEXT\n"
        text += reference(file, matrix, normal / 2)
    return text


def volume(mesh):
    return np.linalg.det(mesh.triangles).sum() / 6


def assert_cube(mesh, size=1.0):
    triangles = mesh.triangles
    assert triangles.shape == (12, 3, 3)
    assert len(mesh.vertices) == 8
    centre = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    assert ((normals * (triangles.mean(1) - centre)).sum(1) > 0).all()
    assert volume(mesh) == pytest.approx(size**3)
    edges = np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], axis=-1).reshape(-1, 2)
    there, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 1).all()  # every directed edge once, and its opposite once: closed
    assert {tuple(e) for e in there} == {tuple(e[::-1]) for e in there}


@pytest.mark.parametrize("square", [CCW, CW, TRIANGLES, UNSTATED])
@pytest.mark.parametrize("turned", [(), (0, 3, 4), range(6)])
@pytest.mark.parametrize("mirrored", [(), (1, 3, 5), range(6)])
def test_a_cube_of_references_faces_outward(tmp_path, square, turned, mirrored):
    library = write(tmp_path, p__square=square, parts__1=cube(turned=turned, mirrored=mirrored))
    assert_cube(read_part(library, "parts/1.dat"))


def test_inversions_and_mirrors_work_through_all_levels(tmp_path):
    library = write(
        tmp_path,
        p__square=CW,
        parts__s__1s01=cube(turned=(1,), mirrored=(2,)),
        parts__s__1s02="0 BFC CERTIFY CW\n" + reference("s\\1s01.dat", 2 * MIRROR, (3, 4, 5)),
        parts__1="0 BFC CERTIFY CCW\n0 BFC INVERTNEXT\n" + reference("s\\1s02.dat", -np.eye(3)),
        parts__2=reference("s\\1s02.dat", -np.eye(3)),
    )
    assert_cube(read_part(library, "parts/2.dat"), size=2.0)
    hole = read_part(library, "parts/1.dat")
    assert volume(hole) == pytest.approx(-8)


def test_invertnext_is_for_one_reference(tmp_path):
    square, other = reference("square.dat"), reference("square.dat", offset=(0, 0, 5))
    library = write(tmp_path, p__square=CCW, parts__1="0 BFC INVERTNEXT\n\n" + square + other)
    triangles = read_part(library, "parts/1.dat").triangles
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    assert normals[:, 1].tolist() == [1, 1, -1, -1]  # -y is up


def test_a_comment_about_winding_says_nothing(tmp_path):
    text = "0 // CW and BFC INVERTNEXT\n0 The BFC CW\n" + cube()
    assert_cube(read_part(write(tmp_path, p__square=CCW, parts__1=text), "parts/1.dat"))


def test_y_points_up(tmp_path):
    library = write(tmp_path, parts__1="3 16 0 -24 0 10 0 0 0 0 7\n")
    corners = read_part(library, "parts/1.dat").triangles[0]
    assert corners.tolist() == [[0, 24, 0], [10, 0, 0], [0, 0, -7]]


def test_corners_closer_than_a_thousandth_are_one_vertex(tmp_path):
    near = (
        "3 16 0 0 0 1 0 0 0 1 0\n3 16 0.0002 0 -0.0001 0 -1 0 0.9998 0 0\n3 16 .002 0 0 0 5 0 5 0 0"
    )
    mesh = read_part(write(tmp_path, parts__1=near), "parts/1.dat")
    assert mesh.faces.shape == (3, 3)
    assert len(mesh.vertices) == 7
    assert (mesh.triangles[0, 0] == mesh.triangles[1, 0]).all()
    assert (mesh.triangles[0, 1] == mesh.triangles[1, 2]).all()


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("parts__a", "A.DAT"),
        ("p__a", "a.dat"),
        ("parts__s__a", "S\\A.dat"),
        ("parts__s__a", "s/a.dat"),
        ("parts__s__a", "a.dat"),
        ("p__48__a", "48\\a.dat"),
        ("p__8__a", "8\\a.dat  "),
        ("p__48__a", "a.dat"),
    ],
)
def test_files_are_found_where_they_are(tmp_path, place, name):
    library = write(tmp_path, parts__1=reference(name), **{place: CCW})
    assert len(read_part(library, "parts/1.dat").faces) == 2


def test_names_with_blanks_and_capitals(tmp_path):
    library = write(tmp_path, parts__1=reference("my square.dat"), p__x=CCW)
    (tmp_path / "p" / "x.dat").rename(tmp_path / "p" / "My Square.DAT")
    library = open_library(tmp_path)
    assert len(read_part(library, "parts/1.dat").faces) == 2


@pytest.mark.parametrize("root", ["ldraw/", "", "LDraw/"])
def test_an_archive_is_read_in_place(tmp_path, root):
    with zipfile.ZipFile(tmp_path / "complete.zip", "w") as archive:
        archive.writestr(f"{root}parts/", "")
        for name, text in (("parts/1.DAT", cube()), ("p/square.dat", CCW), ("p/stud.dat", CCW)):
            archive.writestr(root + name, text)
    library = open_library(tmp_path)
    assert_cube(read_part(library, "parts/1.dat"))
    assert [path.name for path in tmp_path.iterdir()] == ["complete.zip"]


def test_a_folder_around_the_library_is_fine(tmp_path):
    write(tmp_path / "ldraw", parts__1=CCW)
    assert open_library(tmp_path).names == {"parts/1.dat": "parts/1.dat"}


def test_each_sub_file_is_read_once(tmp_path):
    library = write(tmp_path, p__square=CCW, parts__1=cube(), parts__2=cube())
    read, names = library.read, []

    def counting(name):
        names.append(name)
        return read(name)

    object.__setattr__(library, "read", counting)
    for name in ("parts/1.dat", "parts/2.dat", "parts/1.dat"):
        assert_cube(read_part(library, name))
    assert names == ["parts/1.dat", "p/square.dat", "parts/2.dat", "parts/1.dat"]


def test_a_part_without_faces_is_an_empty_mesh(tmp_path):
    mesh = read_part(write(tmp_path, parts__1="0 Nothing\n"), "parts/1.dat")
    assert mesh.vertices.shape == (0, 3)
    assert mesh.faces.shape == (0, 3)


def test_a_missing_sub_file_is_named(tmp_path):
    library = write(tmp_path, parts__1=reference("s\\2.dat"), parts__s__2=reference("gone.dat"))
    with pytest.raises(LDrawError, match=r"parts/s/2.dat refers to gone.dat, which is not there"):
        read_part(library, "parts/1.dat")
    with pytest.raises(LDrawError, match=r"has no file parts/3.dat"):
        read_part(library, "parts/3.dat")


def test_a_circle_of_references_is_named(tmp_path):
    library = write(tmp_path, parts__1=reference("a.dat"), p__a=reference("b.dat"))
    library = write(tmp_path, p__b=reference("A.DAT"))
    with pytest.raises(LDrawError, match=r"refers to itself: p/a.dat -> p/b.dat -> p/a.dat"):
        read_part(library, "parts/1.dat")


@pytest.mark.parametrize(
    "line",
    [
        "3 16 0 0 0 1 0 0 0 1",
        "4 16 0 0 0 1 0 0 0 1 0",
        "3 16 0 0 0 1 0 zero 0 1 0",
        "1 16 0 0 0 1 0 0 0 1 0 0 0 1",
        "1 16 0 0 0 1 0 0 0 one 0 0 0 1 square.dat",
    ],
)
def test_a_malformed_line_is_named(tmp_path, line):
    library = write(tmp_path, p__square=CCW, parts__1=f"0 Title\n3 16 0 0 0 1 0 0 0 1 0\n{line}\n")
    with pytest.raises(LDrawError, match=r"parts/1.dat has a line that is not LDraw \(.*(0 1|z)"):
        read_part(library, "parts/1.dat")


def test_a_folder_without_a_library_is_refused(tmp_path):
    (tmp_path / "parts").mkdir()
    with pytest.raises(LDrawError, match=r"holds no LDraw parts library; it must hold complete"):
        open_library(tmp_path)


def test_an_archive_without_a_library_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "complete.zip", "w") as archive:
        archive.writestr("parts/1.dat", CCW)
    with pytest.raises(LDrawError, match=r"p/stud.dat is not in it"):
        open_library(tmp_path)


def test_an_archive_that_leads_out_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "complete.zip", "w") as archive:
        archive.writestr("ldraw/p/stud.dat", CCW)
        archive.writestr("ldraw/../../evil.dat", CCW)
    with pytest.raises(UnpackError, match="leads out of the archive"):
        open_library(tmp_path)
