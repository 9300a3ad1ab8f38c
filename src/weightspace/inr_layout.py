"""How a set of INRs lies in a file: the names, the number types and the digests; no HDF5."""

import json
from collections.abc import Iterable
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np

from weightspace.inr_set import COLUMNS, STATISTICS, Header, InrSet

__all__ = [
    "ATTRIBUTES",
    "FORMAT",
    "VERSION",
    "array_digest",
    "array_hasher",
    "array_names",
    "arrays",
    "attributes",
    "decode_text",
    "encode_text",
    "file_digest",
    "header",
    "network_arrays",
    "stored",
]

FORMAT = "weightspace.inr"
VERSION = 1

# The root attributes and their plain types; `coords` and `config` are JSON text.
ATTRIBUTES: dict[str, type] = {
    "activation": str,
    "classes": list,
    "commit": str,
    "config": str,
    "coords": str,
    "dataset": str,
    "format": str,
    "layer_layout": list,
    "omega_0": float,
    "output_offset": float,
    "version": int,
}


def attributes(of: Header) -> dict[str, Any]:
    """The root attributes of a header as plain Python values."""
    values: dict[str, Any] = {name: getattr(of, name, None) for name in ATTRIBUTES}
    values |= {"format": FORMAT, "version": VERSION}
    values |= {name: canonical_json(values[name]) for name in ("coords", "config")}
    return {name: kind(values[name]) for name, kind in ATTRIBUTES.items()}


def header(values: dict[str, Any]) -> Header:
    """The header of root attributes, the inverse of `attributes`.

    Raises:
        ValueError: if one is of another type, or `coords` or `config` is no JSON object.
    """
    for name, kind in ATTRIBUTES.items():
        if not isinstance(values[name], (float, int) if kind is float else kind):
            raise ValueError(f"attribute {name} is {values[name]!r}; it must be {kind.__name__}")
    for name, kind in (("layer_layout", int), ("classes", str)):
        if not all(isinstance(x, kind) for x in values[name]):
            raise ValueError(f"attribute {name} holds more than {kind.__name__}: {values[name]!r}")
    fields = {name: x for name, x in values.items() if name not in ("format", "version")}
    fields |= {name: json.loads(fields[name]) for name in ("coords", "config")}
    if not all(isinstance(fields[name], dict) for name in ("coords", "config")):
        raise ValueError("attributes coords and config must be JSON objects")
    fields |= {name: tuple(fields[name]) for name in ("layer_layout", "classes")}
    return Header(**fields)


def array_names(n_layers: int, splits: Iterable[str] = ()) -> list[str]:
    """The names of all arrays of a file, sorted; `splits` are those with statistics."""
    names = [f"{group}/{l}" for group in ("weights", "biases") for l in range(n_layers)]
    names += [f"{group}/{column}" for group in ("columns", "failures") for column in COLUMNS]
    names += [f"statistics/{split}/{key}" for split in splits for key in STATISTICS]
    return sorted(names)


def arrays(inrs: InrSet) -> dict[str, np.ndarray]:
    """All arrays of a set by name, as they are stored: C order, little-endian, text in UTF-8."""
    groups: dict[str, dict[Any, np.ndarray]] = {
        group: {l: x.detach().cpu().numpy() for l, x in enumerate(getattr(inrs.weights, group))}
        for group in ("weights", "biases")
    }
    groups |= {"columns": inrs.columns, "failures": inrs.failures}
    groups |= {f"statistics/{split}": x for split, x in (inrs.statistics or {}).items()}
    named = {f"{group}/{name}": x for group, xs in groups.items() for name, x in xs.items()}
    return {name: stored(named[name]) for name in sorted(named)}


def network_arrays(of: Header) -> dict[str, tuple[int, ...]]:
    """The names of the weights and biases, sorted, and the shape of each of one network."""
    pairs = list(enumerate(pairwise(of.layer_layout)))
    shapes: dict[str, tuple[int, ...]] = {f"biases/{l}": (n_out,) for l, (_, n_out) in pairs}
    shapes |= {f"weights/{l}": (n_out, n_in) for l, (n_in, n_out) in pairs}
    return {name: shapes[name] for name in sorted(shapes)}


def stored(x: np.ndarray) -> np.ndarray:
    """An array as it is stored: C order, little-endian, text in UTF-8."""
    x = encode_text(x)
    return np.asarray(x, x.dtype.newbyteorder("<"), order="C")


def encode_text(x: np.ndarray) -> np.ndarray:
    """Text in UTF-8, as narrow as the longest one; other arrays as they are."""
    if x.dtype.kind != "U":
        return x
    try:
        text = x.astype(np.bytes_)  # of ASCII, a hundred times faster
    except UnicodeEncodeError:
        text = np.char.encode(x, "utf-8")
    longest = np.strings.str_len(text).max(initial=1)
    return text.astype(f"S{longest}", copy=False)


def decode_text(x: np.ndarray) -> np.ndarray:
    """The inverse of `encode_text`."""
    if x.dtype.kind != "S":
        return x
    try:
        return x.astype(np.str_)
    except UnicodeDecodeError:
        return np.char.decode(x, "utf-8")


def array_digest(name: str, x: np.ndarray) -> str:
    """The digest of a stored array: its name, number type, shape and bytes."""
    hasher = array_hasher(name, x.dtype, x.shape)
    hasher.update(x.data)
    return hasher.hexdigest()


def array_hasher(name: str, dtype: np.dtype, shape: tuple[int, ...]) -> Any:
    """What gives the digest of a stored array once it was given all its bytes, in order."""
    return blake2b(f"{name} {dtype.str} {list(shape)}\n".encode(), digest_size=16)


def file_digest(values: dict[str, Any], digests: dict[str, str]) -> str:
    """The digest of a file: its root attributes and the digests of its arrays."""
    content = canonical_json({"attributes": values, "arrays": digests})
    return blake2b(content.encode(), digest_size=16).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
