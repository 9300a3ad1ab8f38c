"""Files of meshes that the tests write: what is read, what is mended and what is refused."""

import re

import numpy as np
import pytest
import trimesh
from trimesh.exchange.ply import export_ply

from weightspace.data.shapes.mesh import MeshError
from weightspace.data.shapes.mesh_file import MESH_FILES, read_mesh
from weightspace.data.shapes.polygons import fans

VERTICES = np.array([[0, 0, 0], [1.5, 0, 0], [0, -1.25, 0], [0, 0, 1e-3]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
TRIANGLES = VERTICES[FACES]


def off(header="OFF\n4 4 6", vertices=VERTICES, faces=FACES, end="\n"):
    rows = [" ".join(map(str, v)) for v in vertices]
    rows += [" ".join(map(str, (len(f), *f))) for f in faces]
    return (end.join([header, *rows]) + end).encode()


def obj(vertices=VERTICES, faces=FACES):
    rows = ["v " + " ".join(map(str, v)) for v in vertices]
    rows += ["f " + " ".join(str(i + 1) for i in f) for f in faces]
    return ("\n".join(rows) + "\n").encode()


def solid():
    """The mesh in trimesh, which is not to touch it."""
    return trimesh.Trimesh(VERTICES, FACES, process=False)


FILES = {
    "off": lambda: off(),
    "obj": lambda: obj(),
    "stl binary": lambda: solid().export(file_type="stl"),
    "stl text": lambda: solid().export(file_type="stl_ascii").encode(),
    "ply binary": lambda: export_ply(solid()),
    "ply text": lambda: export_ply(solid(), encoding="ascii"),
}


def read(kind, content=None):
    return read_mesh(FILES[kind]() if content is None else content, suffix=f".{kind[:3]}")


@pytest.mark.parametrize("kind", FILES)
def test_every_format_gives_the_triangles_in_order(kind):
    found = read(kind)
    np.testing.assert_allclose(found.triangles, TRIANGLES, rtol=1e-6)
    assert found.vertices.dtype == np.float64 and found.faces.dtype == np.int64
    # STL has no shared vertices; elsewhere there are as many as in the file.
    assert len(found.vertices) == (12 if kind.startswith("stl") else 4)


def test_all_formats_are_tested():
    assert {f".{kind[:3]}" for kind in FILES} == set(MESH_FILES)


@pytest.mark.parametrize("kind", FILES)
def test_vertices_in_one_place_are_not_merged(kind):
    vertices, faces = np.tile(VERTICES, (2, 1)), np.concatenate([FACES, FACES + 4])
    pair = trimesh.Trimesh(vertices, faces, process=False)
    content = {
        "off": off("OFF\n8 8 0", vertices, faces),
        "obj": obj(vertices=vertices, faces=faces),
        "stl binary": pair.export(file_type="stl"),
        "stl text": pair.export(file_type="stl_ascii").encode(),
        "ply binary": export_ply(pair),
        "ply text": export_ply(pair, encoding="ascii"),
    }
    found = read(kind, content[kind])
    assert len(found.faces) == 8
    assert len(found.vertices) == (24 if kind.startswith("stl") else 8)


HEADERS = {
    "official": "OFF\n4 4 6",
    "of some files of ModelNet": "OFF4 4 6",
    "with a space": "OFF 4 4 6",
    "without edges": "OFF\n4 4",
    "with a comment": "# by hand \xc3\x85\nOFF # the format\n\n# the counts\n4 4 6 # edges",
    "with tabs": "OFF\n4\t4\t6  ",
    "with a mark of UTF-8": "\ufeffOFF\n4 4 6",
    "of colours": "COFF\n4 4 6",
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_headers_of_off_files(header, end):
    content = off(HEADERS[header].replace("\n", end), end=end)
    np.testing.assert_array_equal(read("off", content).triangles, TRIANGLES)


def test_the_missing_space_takes_no_digit():
    n = 490
    vertices = np.random.default_rng(0).normal(size=(n, 3))
    faces = np.arange(489).reshape(-1, 3)
    found = read("off", off(f"OFF{n} {len(faces)} 0", vertices, faces))
    np.testing.assert_array_equal(found.triangles, vertices[faces])


def test_colours_polygons_and_comments_between_the_lines():
    content = b"""COFF
    5 4 0
    0 0 0   0.1 0.2 0.3 1
    1 0 0   0.1 0.2 0.3 1
    # the far corner
    1 1 0   0.1 0.2 0.3 1

    0 1 0   0.1 0.2 0.3 1
    .5 .5 1 0.1 0.2 0.3 1
    4 0 1 2 3   255 0 0
    3 0 1 4     255 0 0
    2 0 1
    5 0 1 2 3 4
    """
    found = read("off", content)
    expected = [[0, 1, 2], [0, 2, 3], [0, 1, 4], [0, 1, 2], [0, 2, 3], [0, 3, 4]]
    assert found.faces.tolist() == expected
    assert found.vertices[4].tolist() == [0.5, 0.5, 1]


def test_degenerate_faces_are_dropped_and_the_mesh_is_kept():
    faces = [[0, 2, 1], [0, 0, 1], [3, 3, 3], [0, 1, 3]]
    found = read("off", off(faces=faces))
    np.testing.assert_array_equal(found.triangles, VERTICES[[faces[0], faces[3]]])


BAD = {
    "nothing": ("off", b"", "wrong header: an OFF file begins with OFF, not with ''"),
    "prose": ("off", b"404 not found\n", "wrong header: .* not with '404 not found'"),
    "OFF later": ("off", b"switched OFF\n4 4 6\n", "wrong header: .* begins with OFF"),
    "four dimensions": ("off", off("4OFF\n4 4 6"), "wrong header"),
    "binary": ("off", b"OFF BINARY\n\0\0\0\4", "wrong header: after OFF .* not ' BINARY'"),
    "no counts": ("off", b"OFF\n", "wrong header: after OFF must come the numbers"),
    "counts that are none": ("off", off("OFF\n4 x 6"), "wrong header: .* not '4 x 6'"),
    "a huge count": ("off", off("OFF\n4 " + "9" * 5000), "wrong header"),
    "too few faces": ("off", off("OFF\n4 5 6"), "truncated: .* 4 .* 5 faces, but 8 lines"),
    "an absurd count": ("off", off("OFF\n4 999999999999 0"), "truncated"),
    "too many faces": ("off", off("OFF\n4 3 6"), "too long: .* but 8 lines follow"),
    "a vertex cut off": ("off", off(vertices=[[0, 0]] * 4), "damaged: a vertex is not three"),
    "a word": ("off", off().replace(b"1.5", b"big"), "damaged: a vertex is not three numbers"),
    "a face cut off": ("off", off().rsplit(b" ", 1)[0], "damaged: the face '3 0 3' must name 3"),
    "a face of fractions": ("off", off().replace(b"3 0 2 1", b"3 0.5 2 1"), "damaged: the face"),
    "a face of minus three": ("off", off().replace(b"3 0 2 1", b"-3 0 2 1"), "damaged: the face"),
    "a huge vertex": (
        "off",
        off().replace(b"3 0 2 1", b"3 0 2 9999999999999999999"),
        "damaged: a number is out of range",
    ),
    "a face outside": ("off", off().replace(b"3 0 2 1", b"3 0 2 4"), "faces point outside: 1 of"),
    "a negative face": ("off", off().replace(b"3 0 2 1", b"3 0 2 -1"), "faces point outside"),
    "NaN": ("off", off().replace(b"1.5", b"nan"), "not finite: 1 of 4"),
    "infinity": ("off", off().replace(b"1.5", b"1e999"), "not finite: 1 of 4"),
    "no faces": ("off", off("OFF\n4 0 0", faces=[]), "empty: it has 4 vertices and 0 faces"),
    "empty": ("off", b"OFF\n0 0 0\n", "empty: it has 0 vertices and 0 faces"),
    "no area": ("off", off(faces=[[0, 0, 1]] * 4), "no area: all of the 4 faces"),
    "prose as obj": ("obj", b"this is not a mesh\n", "not a mesh: an OBJ file must have lines"),
    "half a vertex": ("obj", obj().replace(b"v 1.5 0.0 0.0", b"v 1.5"), "damaged: .*'v 1.5'"),
    "a face of words": ("obj", obj() + b"f a b c\n", "damaged: cannot read the line 'f a b c'"),
    "face 0": ("obj", obj() + b"f 0 1 2\n", "damaged: cannot read the line 'f 0 1 2'"),
    "too far back": ("obj", obj() + b"f -5 -1 -2\n", "damaged: .* 'f -5 -1 -2'"),
    "obj outside": ("obj", obj() + b"f 1 2 5\n", "faces point outside: 1 of 5"),
    "obj NaN": ("obj", obj().replace(b"1.5", b"nan"), "not finite"),
    "points": ("obj", obj().split(b"f ")[0], "empty: it has 4 vertices and 0 faces"),
    "stl nothing": ("stl", b"", "wrong header: 0 bytes are too few"),
    "stl prose": ("stl", 99 * b"prose ", "truncated: .* text would begin with solid"),
    "stl solid": ("stl", b"solid as a rock", "truncated: it does not end with endsolid"),
    "stl NaN": (
        "stl",
        FILES["stl text"]().replace(b"vertex 1.5", b"vertex nan"),
        "not finite",
    ),
    "stl words": (
        "stl",
        FILES["stl text"]().replace(b"vertex 1.5", b"vertex big"),
        "damaged: a vertex is not three numbers",
    ),
    "stl of no triangles": ("stl", bytes(84), "empty: it has 0 vertices"),
    "ply prose": ("ply", b"not a mesh", "wrong header: a PLY file begins with ply"),
    "ply types": (
        "ply",
        FILES["ply text"]().replace(b"float", b"thing"),
        "wrong header: cannot read 'thing' in a PLY header",
    ),
    "ply format": (
        "ply",
        FILES["ply text"]().replace(b"ascii", b"morse"),
        "wrong header: cannot read 'morse'",
    ),
    "ply without format": (
        "ply",
        FILES["ply text"]().replace(b"format", b"comment"),
        "wrong header: cannot read the line format",
    ),
    "ply count": (
        "ply",
        FILES["ply text"]().replace(b"vertex 4", b"vertex -4"),
        "wrong header: cannot read 'element vertex -4'",
    ),
    "ply property first": (
        "ply",
        b"ply\nformat ascii 1.0\nproperty float x\nend_header\n",
        "wrong header",
    ),
    "ply without z": (
        "ply",
        FILES["ply binary"]().replace(b"float z", b"float w"),
        "damaged: its vertices lack 'z'",
    ),
    "ply list of minus one": (
        "ply",
        FILES["ply binary"]().replace(b"list uchar", b"list char").replace(b"\x03", b"\xff"),
        "truncated or damaged: a list has -1 entries",
    ),
    "ply absurd count": (
        "ply",
        FILES["ply binary"]().replace(b"vertex 4", b"vertex 99999999999999"),
        "truncated or damaged",
    ),
    "ply one index of a face": (
        "ply",
        FILES["ply text"]().replace(b"list uchar int", b"int"),
        "wrong header: cannot read the property vertex_ind.*, which is no list",
    ),
    "ply list for a coordinate": (
        "ply",
        FILES["ply text"]().replace(b"property float x", b"property list uchar float x"),
        "wrong header: cannot read the property x, which is a list",
    ),
    "ply outside": (
        "ply",
        FILES["ply text"]().replace(b"3 0 2 1", b"3 0 2 4"),
        "faces point outside",
    ),
    "ply NaN": ("ply", re.sub(rb"1\.50*", b"nan", FILES["ply text"]()), "not finite"),
    "another format": ("dae", b"<xml/>", "unknown format: '.dae'; meshes are .obj, .off"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_with_the_reason(case):
    kind, content, message = BAD[case]
    with pytest.raises(MeshError, match=f"^{message}"):
        read_mesh(content, suffix=f".{kind}")


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "obj"])
def test_no_file_that_ends_early_is_taken_for_a_mesh(kind):
    content = FILES[kind]()
    words = [i for i in range(1, len(content)) if content[i - 1 : i].isspace()]
    cuts = range(len(content)) if kind.endswith("binary") else words
    for cut in cuts:
        if content[cut:].strip():
            with pytest.raises(MeshError, match=r"^(wrong header|truncated|damaged)"):
                read(kind, content[:cut])


def test_an_obj_file_within_a_line_is_refused():
    with pytest.raises(MeshError, match="damaged: cannot read the line 'v'"):
        read("obj", obj()[:-1] + b"\nv")


def test_the_many_ways_of_obj_files():
    content = b"""# made by hand
mtllib missing.mtl
o first
v 0 0 0 1.0
v 1 0 0 0.5 0.5 0.5
v 1 1 0
v 0 1 0
vt 0 0
vn 0 0 1
usemtl red
f 1/1/1 2/1/1 \\
3/1/1 4/1/1
o second # negative numbers count back from here
v 0 0 1
v 1 0 1
v 1 1 1
f -3 -2 -1
f 1//1 2//1 -3//1
l 1 2
"""
    for text in (content, content.replace(b"\n", b"\r\n")):
        found = read("obj", text)
        assert found.faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6], [0, 1, 4]]
        assert len(found.vertices) == 7


def test_text_stl_that_begins_like_binary_and_the_other_way_round():
    binary = FILES["stl binary"]()
    renamed = b"solid of another program".ljust(80) + binary[80:]
    np.testing.assert_allclose(read("stl", renamed).triangles, TRIANGLES, rtol=1e-6)
    two = FILES["stl text"]().replace(b"\n", b"\r\n") + FILES["stl text"]().upper()
    assert len(read("stl", two).faces) == 8


PLY = """ply
format {encoding} 1.0
comment quads and a triangle
element vertex 5
property double x
property double y
property double z
element face {n}
property list uchar int vertex_indices
end_header
"""
POINTS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 1.0]])


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize(
    "polygons", [[[0, 1, 2, 3]], [[0, 1, 2, 3], [3, 2, 1, 0]], [[0, 1, 2, 3], [0, 1, 4]]]
)
def test_polygons_in_ply_files(encoding, polygons):
    header = PLY.format(encoding=encoding, n=len(polygons)).encode()
    if encoding == "ascii":
        rows = [" ".join(map(str, point)) for point in POINTS]
        rows += [" ".join(map(str, (len(p), *p))) for p in polygons]
        body = "\n".join(rows).encode()
    else:
        order = "<" if "little" in encoding else ">"
        body = POINTS.astype(order + "f8").tobytes()
        for p in polygons:
            body += bytes([len(p)]) + np.array(p, dtype=order + "i4").tobytes()
    found = read_mesh(header + body, suffix=".PLY")
    expected = POINTS[fans(polygons)]
    assert found.triangles.tolist() == expected.tolist()


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian"])
def test_other_elements_and_properties_of_ply_files_are_left_out(encoding):
    header = f"""ply
format {encoding} 1.0
obj_info made by hand
element material 2
property list uchar uchar name
property float shine
element vertex 3
property uchar red
property float x
property float z
property float y
element edge 0
property int first
element face 1
property uchar flag
property list uchar float texcoord
property list int ushort vertex_index
element tail 1
property double last
end_header
"""
    if encoding == "ascii":
        body = "2 65 66 .5\n1 67 1\n9 0 2 1\n9 3 5 4\n9 6 8 8\n1 2 .5 .25 3 0 1 2\n0.5"
        content = (header + body).encode()
    else:
        content = header.encode() + b"\x02AB" + np.float32(0.5).tobytes()
        content += b"\x01C" + np.float32(1).tobytes()
        for x, z, y in ((0, 2, 1), (3, 5, 4), (6, 8, 8)):
            content += b"\x09" + np.array([x, z, y], np.float32).tobytes()
        content += b"\x01\x02" + np.array([0.5, 0.25], np.float32).tobytes()
        content += np.int32(3).tobytes() + np.array([0, 1, 2], np.uint16).tobytes()
        content += np.float64(0.5).tobytes()
    found = read_mesh(content, suffix=".ply")
    assert found.triangles.tolist() == [[[0, 1, 2], [3, 4, 5], [6, 8, 8]]]
