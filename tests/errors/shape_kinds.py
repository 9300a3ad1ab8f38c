"""Meshes, LDraw parts and archives of them that cannot be used."""

import stat
import struct
import zipfile
from pathlib import Path

from ways import Met, function, kind, shapes

from weightspace.data.shapes.ldraw_library import open_library
from weightspace.data.shapes.ldraw_part import read_part

CORNERS = ["0 0 0", "1 0 0", "0 1 0", "0 0 1"]
OFF = "OFF\n4 4 0\n" + "\n".join([*CORNERS, "3 0 2 1", "3 0 1 3", "3 1 2 3", "3 0 3 2"]) + "\n"
OBJ = "".join(f"v {c}\n" for c in CORNERS) + "f 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
    "property float z\nelement face 4\nproperty list uchar int vertex_indices\nend_header\n"
) + OFF.split("4 4 0\n")[1]
CLASSES = ("bathtub", "bed", "chair", "desk", "dresser")
CLASSES += ("monitor", "night_stand", "sofa", "table", "toilet")


def bad(content, suffix):
    """A folder of good meshes of one class and bad ones of another."""
    content = content.encode() if isinstance(content, str) else content
    for name, text in (("cone", OFF.encode()), ("vase", content)):
        Path("meshes", name).mkdir(parents=True)
        for i in range(5):
            suffix_here = suffix if name == "vase" else ".off"
            Path("meshes", name, f"{i}{suffix_here}").write_bytes(text)
    return Met(shapes(), f"{suffix}: ")


@kind("mesh: OFF truncated")
def off_truncated():
    return bad(OFF[:-12], ".off")


@kind("mesh: a face without its vertices")
def off_outside():
    return bad(OFF.replace("3 0 2 1", "3 0 2 7"), ".off")


@kind("mesh: NaN")
def off_nan():
    return bad(OFF.replace("1 0 0\n", "nan 0 0\n"), ".off")


@kind("mesh: no faces")
def off_no_faces():
    return bad("OFF\n4 0 0\n" + "\n".join(CORNERS), ".off")


@kind("mesh: a huge count")
def off_huge():
    return bad(OFF.replace("4 4 0", "4 999999999999 0"), ".off")


@kind("mesh: OBJ of another kind")
def obj_prose():
    return bad("once upon a time\n", ".obj")


@kind("mesh: OBJ damaged")
def obj_damaged():
    return bad(OBJ.replace("v 1 0 0", "v 1 0"), ".obj")


@kind("mesh: STL truncated")
def stl_truncated():
    return bad(bytes(80) + struct.pack("<I", 9) + bytes(60), ".stl")


@kind("mesh: PLY truncated")
def ply_truncated():
    return bad(PLY[:-12], ".ply")


@kind("mesh: PLY wrong header")
def ply_header():
    return bad(PLY.replace("float x", "thing x"), ".ply")


@kind("mesh: encloses nothing")
def flat():
    return bad("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", ".off")


def modelnet(change=None):
    """The archive of ModelNet10, small, with a further file or changed bytes."""
    Path("meshes").mkdir()
    path = Path("meshes/ModelNet10.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name in CLASSES:
            for split in ("train", "test"):
                archive.writestr(f"ModelNet10/{name}/{split}/{name}_0001.off", OFF)
        if isinstance(change, tuple):
            archive.writestr(*change)
    if callable(change):
        path.write_bytes(change(path.read_bytes()))
    return Met(shapes("modelnet10", train=10, val=0, test=10), str(path))


@kind("archive: a path that leads out")
def escape():
    return modelnet(("../../outside.off", OFF))


@kind("archive: an absolute path")
def absolute():
    return modelnet(("/etc/outside.off", OFF))


@kind("archive: a link")
def link():
    info = zipfile.ZipInfo("ModelNet10/bed/train/link.off")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return modelnet((info, "/etc/passwd"))


@kind("archive: a file without a name")
def nameless():
    old, new = b"ModelNet10/bed/train", b"\0odelNet10/bed/train"
    return modelnet(lambda content: content.replace(old, new))


@kind("archive: a bomb")
def bomb():
    def inflate(content):
        size = struct.pack("<I", len(OFF))
        at = content.rindex(size, content.index(b"PK\x01\x02"))  # in the list of files
        return content[:at] + struct.pack("<I", 2_000_000_000) + content[at + 4 :]

    return modelnet(inflate)


@kind("archive: truncated")
def truncated():
    return modelnet(lambda content: content[:-300])


@kind("archive: damaged within")
def damaged():
    return modelnet(lambda content: content.replace(b"3 1 2 3", b"3 1 2 2", 1))


@kind("archive: encrypted")
def encrypted():
    def encrypt(content):
        flags = content.index(b"PK\x01\x02") + 8
        return content[:flags] + b"\x01" + content[flags + 1 :]

    return modelnet(encrypt)


def ldraw(**files):
    """A part of a library of a few files."""
    for name in ("parts", "p"):
        Path("ldraw", name).mkdir(parents=True)
    for name, text in files.items():
        Path("ldraw", f"{name.replace('__', '/')}.dat").write_text(text)
    return Met(
        function(lambda: read_part(open_library(Path("ldraw")), "parts/1.dat")), "parts/1.dat"
    )


UNIT = "1 16 0 0 0 1 0 0 0 1 0 0 0 1 "


@kind("LDraw: no library")
def ldraw_nothing():
    return Met(function(lambda: open_library(Path("ldraw"))), "ldraw")


@kind("LDraw: a line that is none")
def ldraw_garbage():
    return ldraw(parts__1="0 Part\n3 16 0 0 0 1 0 zero 0 1 0\n")


@kind("LDraw: NaN")
def ldraw_nan():
    return ldraw(parts__1="0 Part\n3 16 0 0 0 1 0 nan 0 1 0\n")


@kind("LDraw: a sub-file is missing")
def ldraw_missing():
    return ldraw(parts__1=f"0 Part\n{UNIT}gone.dat\n")


@kind("LDraw: a circle of sub-files")
def ldraw_circle():
    return ldraw(parts__1=f"0 Part\n{UNIT}a.dat\n", p__a=f"0 A\n{UNIT}1.dat\n")


@kind("LDraw: too many levels")
def ldraw_deep():
    chain = {f"p__n{i}": f"0 N\n{UNIT}n{i + 1}.dat\n" for i in range(150)}
    return ldraw(parts__1=f"0 Part\n{UNIT}n0.dat\n", **chain, p__n150="0 End\n")


@kind("LDraw: a bomb")
def ldraw_bomb():
    ten = {f"p__n{i}": "0 N\n" + 10 * f"{UNIT}n{i + 1}.dat\n" for i in range(12)}
    met = ldraw(parts__1=f"0 Part\n{UNIT}n0.dat\n", **ten, p__n12="0 End\n3 16 0 0 0 1 0 0 0 1 0\n")
    return Met(met.run, "p/n6.dat")
