"""The readers that are tried on damaged files: what they read, and how they may refuse it."""

import copy
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from shape_kinds import OBJ, OFF, PLY, UNIT
from snakemake.utils import update_config
from ways import DEFAULT, GOLDEN, ROOT

from weightspace.config.files import read_file
from weightspace.config.study import ConfigError, load_config
from weightspace.data.archive import ArchiveError, read_npz, write_npz
from weightspace.data.idx import IdxError, read_idx
from weightspace.data.pictures import PictureError, read_picture
from weightspace.data.shapes.ldraw_library import LDrawError, Library
from weightspace.data.shapes.ldraw_part import read_part
from weightspace.data.shapes.mesh import MeshError, checked, normalised
from weightspace.data.shapes.mesh_file import read_mesh
from weightspace.data.shapes.zip_folder import ZipFolder
from weightspace.data.unpack import UnpackError, pieces, tar_members
from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.dataset.interchange.splits_file import read_splits_file
from weightspace.dataset.interchange.state_dict import read_network
from weightspace.dataset.interchange.summary import summary
from weightspace.dataset.interchange.tensors_file import read_safetensors, write_safetensors
from weightspace.store import StoreError, read_entries, read_inrs, read_networks


@dataclass(frozen=True)
class Reader:
    """Reads a file: whole contents, what reads one, and what it raises where it refuses."""

    contents: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...]


def saved(save, suffix=""):
    """The bytes that a function saves to a file."""

    def contents(folder):
        path = folder / f"whole{suffix}"
        save(path)
        return [path.read_bytes()]

    return contents


def config(path):
    raw = copy.deepcopy(DEFAULT)
    update_config(raw, read_file(path))
    return load_config(raw)


CONFIGS = [ROOT / "config.yaml", *sorted((ROOT / "workflow" / "configs").glob("*.yaml"))]


@cache
def golden():
    return read_inrs(GOLDEN)


def same_networks(path):
    """All ways to read a file of networks give what is in the golden file."""
    whole = golden()
    inrs = read_inrs(path)
    summary(path)
    entries = read_entries(path)
    into = {"weights/0": np.empty((5, 3, 2), np.float32)}
    read_networks(path, entries, np.arange(5), into, np.arange(5))
    part = read_inrs(path, np.array([3, 1]))
    assert inrs.header == entries.header == whole.header
    assert torch.equal(inrs.weights.flatten(), whole.weights.flatten())
    assert torch.equal(part.weights.flatten(), whole.weights.flatten()[[3, 1]])
    np.testing.assert_array_equal(into["weights/0"], whole.weights.weights[0].numpy())
    for found in (inrs, entries):
        for name in ("columns", "failures"):
            for key, x in getattr(whole, name).items():
                np.testing.assert_array_equal(getattr(found, name)[key], x)


def part_of_networks(path):
    """Some networks, past the digests of the whole arrays."""
    whole = golden().weights.weights[0].numpy()
    entries = read_entries(path)
    into = {"weights/0": np.empty((5, 3, 2), np.float32)}
    read_networks(path, entries, np.arange(5), into, np.arange(5))
    np.testing.assert_array_equal(into["weights/0"], whole)


def library(path):
    """A part with sub-files, all of which are the damaged file."""
    files = {"parts/1.dat": "1", "p/a.dat": "2", "p/b.dat": "3"}
    text = path.read_bytes()
    other = text.replace(b"a.dat", b"b.dat")
    contents = {"1": text, "2": other, "3": other.replace(b"1 16", b"0 //")}
    mesh = read_part(Library(path, files, contents.__getitem__), "parts/1.dat")
    return normalised(checked(mesh))


LDRAW = f"0 Part\n0 BFC CERTIFY CCW\n4 16 0 0 0 1 0 0 1 1 0 0 1 0\n0 BFC INVERTNEXT\n{UNIT}a.dat\n"
LDRAW += "3 16 0 0 0 1 0 0 0 1 1\n"


def mesh(suffix):
    return lambda path: normalised(read_mesh(path.read_bytes(), suffix=suffix))


def stl(_folder):
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")
    triangle = struct.pack("<3f", 0, 0, 1) + corners.tobytes() + b"\0\0"
    rows = "".join(f"vertex {x} {y} {z}\n" for x, y, z in corners)
    text = f"solid a\nfacet normal 0 0 1\nouter loop\n{rows}endloop\nendfacet\nendsolid a\n"
    return [bytes(80) + struct.pack("<I", 2) + 2 * triangle, text.encode()]


def ply(_folder):
    header = PLY.split("end_header\n")[0].replace("ascii", "binary_little_endian") + "end_header\n"
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], "<f4").tobytes()
    faces = b"".join(struct.pack("<B3i", 3, *f) for f in ([0, 2, 1], [0, 1, 3], [1, 2, 3]))
    uneven = struct.pack("<B4i", 4, 0, 1, 2, 3)
    return [PLY.encode(), header.encode() + vertices + faces + uneven]


def idx(_folder):
    return [struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 3, 4) + bytes(range(24))]


def picture(path):
    pixels = read_picture(path.read_bytes(), channels=3, size=(6, 5))
    assert pixels.shape == (6, 5, 3) and pixels.dtype == np.uint8


def pictures(_folder):
    found = []
    noise = np.random.default_rng(0).integers(0, 255, (9, 7, 4), np.uint8)
    for mode, kind in (("L", "png"), ("RGBA", "png"), ("P", "png"), ("RGB", "jpeg"), ("L", "bmp")):
        buffer = io.BytesIO()
        Image.fromarray(noise).convert(mode).save(buffer, kind)
        found.append(buffer.getvalue())
    return found


ARRAYS = {"numbers": np.arange(12).reshape(3, 4), "words": np.array(["a", "bc"])}


def same_arrays(path):
    for name, x in read_npz(path, tuple(ARRAYS)).items():
        np.testing.assert_array_equal(x, ARRAYS[name], strict=True)


def zipped(folder):
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(folder / "whole.zip", "w", method) as archive:
            archive.writestr("a/b.off", OFF)
            archive.writestr("a/c.off", 3 * OFF)
        found.append((folder / "whole.zip").read_bytes())
    return found


def unzipped(path):
    archive = ZipFolder(path)
    for name in archive.names:
        assert archive.read(name) in (OFF.encode(), 3 * OFF.encode())


def tars(folder):
    found = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        with tarfile.open(folder / "whole.tar", mode) as archive:
            (folder / "one").write_bytes(OFF.encode())
            archive.add(folder / "one", "one")
        found.append((folder / "whole.tar").read_bytes())
    return found


def untarred(path):
    for _, content in tar_members(path, {"one"}):
        b"".join(pieces(content, 10**6))


def network(path):
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    torch.save({**layers.state_dict(), "label": 1}, path)


def splits(folder):
    (folder / "whole.pth").touch()
    return [json.dumps(SPLITS).encode()]


SPLITS = {"train": {"path": ["whole.pth"], "label": [0], "object_id": [3], "view": [0]}}


def same_tensors(path):
    whole, found = golden(), read_safetensors(path)
    assert found.header == whole.header
    assert torch.equal(found.weights.flatten(), whole.weights.flatten())


READERS = {
    "config": Reader(lambda _: [p.read_bytes() for p in CONFIGS], config, (ConfigError,)),
    "HDF5": Reader(lambda _: [GOLDEN.read_bytes()], same_networks, (StoreError,)),
    "HDF5 in part": Reader(lambda _: [GOLDEN.read_bytes()], part_of_networks, (StoreError,)),
    "LDraw": Reader(lambda _: [LDRAW.encode()], library, (LDrawError, MeshError)),
    "OFF": Reader(lambda _: [OFF.encode()], mesh(".off"), (MeshError,)),
    "OBJ": Reader(lambda _: [OBJ.encode()], mesh(".obj"), (MeshError,)),
    "STL": Reader(stl, mesh(".stl"), (MeshError,)),
    "PLY": Reader(ply, mesh(".ply"), (MeshError,)),
    "IDX": Reader(idx, read_idx, (IdxError,)),
    "npz": Reader(saved(lambda p: write_npz(p, ARRAYS)), same_arrays, (ArchiveError,)),
    "pictures": Reader(pictures, picture, (PictureError,)),
    "zip": Reader(zipped, unzipped, (UnpackError,)),
    "tar": Reader(tars, untarred, (UnpackError,)),
    "pth": Reader(saved(network), read_network, (InterchangeError,)),
    "safetensors": Reader(
        saved(lambda p: write_safetensors(p, read_inrs(GOLDEN))), same_tensors, (InterchangeError,)
    ),
    "splits.json": Reader(splits, read_splits_file, (InterchangeError,)),
}
