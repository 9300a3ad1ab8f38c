"""Read PLY, binary or text: the vertices and the faces among its elements."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from weightspace.data.shapes.mesh import Mesh, MeshError
from weightspace.data.shapes.polygons import fans

__all__ = ["read_ply"]

_NAMES = {
    "i1": ("char", "int8"),
    "u1": ("uchar", "uint8"),
    "i2": ("short", "int16"),
    "u2": ("ushort", "uint16"),
    "i4": ("int", "int32"),
    "u4": ("uint", "uint32"),
    "f4": ("float", "float32"),
    "f8": ("double", "float64"),
}
_TYPES = {name: dtype for dtype, names in _NAMES.items() for name in names}
_ENCODINGS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_HEADER = re.compile(rb"ply\s.*?\bend_header[ \t]*(?:\r\n|\r|\n)", flags=re.DOTALL)

Columns = Mapping[str, Sequence | np.ndarray]  # by property: a value or a list for each row


@dataclass(frozen=True)
class _Property:
    name: str
    dtype: str
    size: str | None  # for a list, the type of its length


@dataclass(frozen=True)
class _Element:
    name: str
    n: int
    properties: list[_Property]


def read_ply(content: bytes) -> Mesh:
    """Read a mesh in the PLY format.

    Colours, normals, texture and other elements are left out; polygons become triangles
    (`fans`). No vertices are merged or taken apart.

    Raises:
        MeshError: "wrong header", "truncated" or "damaged".
    """
    found = _HEADER.match(content)
    if not found:
        raise MeshError("wrong header: a PLY file begins with ply and a header up to end_header")
    try:
        order, elements = _header(found[0].decode("latin-1"))
    except (KeyError, IndexError, ValueError) as error:
        raise MeshError(f"wrong header: cannot read {error} in a PLY header") from error
    body = content[found.end() :]
    try:
        columns = _binary(body, elements, order) if order else _text(body, elements)
        axes = [columns["vertex"][axis] for axis in "xyz"]
    except KeyError as error:
        raise MeshError(f"damaged: its vertices lack {error}") from error
    except (ValueError, StopIteration) as error:
        raise MeshError(f"truncated or damaged: {error or 'a line is too short'}") from error
    faces = columns.get("face", {})
    polygons = faces.get("vertex_indices", faces.get("vertex_index", ()))
    return Mesh(np.stack(axes, axis=1).astype(np.float64), fans(polygons))


def _header(text: str) -> tuple[str, list[_Element]]:
    """The byte order, "" for text, and the elements in their order."""
    order, elements = None, []
    for line in re.split(r"[\r\n]+", text)[1:]:
        match line.split():
            case ["format", encoding, *_]:
                order = _ENCODINGS[encoding]
            case ["element", name, n] if n.isdecimal():
                elements.append(_Element(name, int(n), []))
            case ["property", "list", size, dtype, name]:
                elements[-1].properties.append(_Property(name, _TYPES[dtype], _TYPES[size]))
            case ["property", dtype, name]:
                elements[-1].properties.append(_Property(name, _TYPES[dtype], None))
            case ["element" | "property", *_]:
                raise ValueError(repr(line))
    if order is None:
        raise ValueError("the line format")
    for p in (p for element in elements for p in element.properties):
        counts = p.name in ("vertex_indices", "vertex_index")
        if counts != (p.size is not None) and p.name in (*"xyz", "vertex_indices", "vertex_index"):
            raise ValueError(f"the property {p.name}, which is {'no' if counts else 'a'} list")
        if "f" in (p.dtype[0] if counts else "", (p.size or "")[:1]):
            raise ValueError(f"the property {p.name}, which counts in fractions")
    return order, elements


def _text(body: bytes, elements: list[_Element]) -> dict[str, Columns]:
    """The properties of all elements, from one line for each row."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < (stated := sum(element.n for element in elements)):
        raise ValueError(f"its header states {stated} lines, but {len(lines)} follow")
    columns, start = {}, 0
    for element in elements:
        rows = [_words(line, element) for line in lines[start : start + element.n]]
        names = [p.name for p in element.properties]
        columns[element.name] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
        start += element.n
    return columns


def _words(line: bytes, element: _Element) -> list:
    """The values of one row of text."""
    words = iter(line.split())
    row = []
    for p in element.properties:
        read = float if p.dtype.startswith("f") else int
        if p.size is None:
            row.append(read(next(words)))
        else:
            row.append([read(next(words)) for _ in range(int(next(words)))])
    return row


def _binary(body: bytes, elements: list[_Element], order: str) -> dict[str, Columns]:
    """The properties of all elements, from their bytes."""
    columns, start = {}, 0
    for element in elements:
        table = _even_rows(body, start, element, order)
        if table is not None:
            columns[element.name] = {p.name: table[p.name] for p in element.properties}
            start += table.nbytes
            continue
        rows = []
        for _ in range(element.n):
            row, start = _row(body, start, element, order)
            rows.append(row)
        names = [p.name for p in element.properties]
        columns[element.name] = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return columns


def _even_rows(body: bytes, start: int, element: _Element, order: str) -> np.ndarray | None:
    """All rows of an element at once, if their lists are as long as those of the first one."""
    if not element.n:
        return None
    first, _ = _row(body, start, element, order)
    fields = [
        field
        for p, value in zip(element.properties, first, strict=True)
        for field in _fields(p, np.size(value), order)
    ]
    if start + element.n * np.dtype(fields).itemsize > len(body):
        return None
    table = np.frombuffer(body, fields, count=element.n, offset=start)
    sizes = [name for name, *_ in fields if name.startswith("size of ")]
    return table if all((table[name] == table[name][0]).all() for name in sizes) else None


def _fields(p: _Property, n: int, order: str) -> list[tuple]:
    """The fields of a property that has the same length in every row."""
    if p.size is None:
        return [(p.name, order + p.dtype)]
    return [(f"size of {p.name}", order + p.size), (p.name, order + p.dtype, (n,))]


def _row(body: bytes, start: int, element: _Element, order: str) -> tuple[list, int]:
    """The values of one row, and where the next one starts."""
    row = []
    for p in element.properties:
        n = 1
        if p.size is not None:
            size = np.frombuffer(body, order + p.size, count=1, offset=start)
            n, start = int(size[0]), start + size.nbytes
        if n < 0:
            raise ValueError(f"a list has {n} entries")
        values = np.frombuffer(body, order + p.dtype, count=n, offset=start)
        row.append(values[0] if p.size is None else values.tolist())
        start += values.nbytes
    return row, start
