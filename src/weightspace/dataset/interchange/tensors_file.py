"""A whole set as one safetensors file: every tensor and column, and the header beside them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save

from weightspace import inr_layout
from weightspace.atomic import replacing
from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.inr_set import InrSet
from weightspace.weights import Weights

__all__ = ["holds_set", "read_safetensors", "write_safetensors"]

_KEY = "weightspace"


def write_safetensors(path: Path | str, inrs: InrSet) -> None:
    """Write a set to one file; nothing of it is changed, and equal sets give equal bytes.

    The tensors are the arrays of the HDF5 file with `.` for `/`: `weights.0`, `biases.0`,
    `columns.label`, `failures.label`, `statistics.train.mean`, ... Text columns are numbers
    that count into the list `texts` of the metadata. The metadata has one entry, `weightspace`:
    JSON of the root attributes of the HDF5 file, that list, and a digest of all.

    Args:
        path: the file; an existing one is replaced.
        inrs: what to write.

    Raises:
        InterchangeError: if the file cannot be written; nothing is left behind.
    """
    arrays = inr_layout.arrays(inrs)
    texts = sorted({x for a in arrays.values() if a.dtype.kind == "S" for x in a.tolist()})
    tensors = {
        name.replace("/", "."): np.searchsorted(texts, a) if a.dtype.kind == "S" else a
        for name, a in arrays.items()
    }
    about = {
        "attributes": inr_layout.attributes(inrs.header),
        "texts": [x.decode() for x in texts],
        "digest": _digest(inrs),
    }
    content = save(tensors, {_KEY: inr_layout.canonical_json(about)})
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise InterchangeError(
            f"{path} could not be written ({error.strerror}): it needs {len(content)} bytes in a "
            f"folder with room and write permission; nothing was left behind, so run again"
        ) from error


def read_safetensors(path: Path | str) -> InrSet:
    """Read a file of `write_safetensors` and check that it is whole.

    Raises:
        InterchangeError: if there is no such file, or it is another kind of file, of a newer
            version, or damaged.
    """
    try:
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {}).get(_KEY, "null"))
            if about is None:
                raise InterchangeError(
                    f"{path} has no {_KEY!r} in its metadata: give a file written by weightspace"
                )
            if (version := about["attributes"]["version"]) > inr_layout.VERSION:
                raise InterchangeError(
                    f"{path} has version {version}, this weightspace reads up to "
                    f"{inr_layout.VERSION}: update weightspace"
                )
            inrs = _inr_set(about, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        if _digest(inrs) != about["digest"]:
            raise ValueError("its digest does not match")
    except InterchangeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise InterchangeError(f"{path} cannot be read ({reason}): check the path") from error
    except Exception as error:  # what is of another form raises errors of many types
        raise InterchangeError(
            f"{path} is truncated, damaged or no file of INRs ({error!r}): export it again"
        ) from error
    return inrs


def holds_set(path: Path | str) -> bool:
    """Whether a file is one of `write_safetensors`; the rest of it may be damaged."""
    try:
        with safe_open(path, framework="np") as file:
            return _KEY in (file.metadata() or {})
    except Exception:  # as above
        return False


def _inr_set(about: dict[str, Any], tensors: dict[str, np.ndarray]) -> InrSet:
    header = inr_layout.header(about["attributes"])
    texts = np.array(about["texts"], np.str_)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, x in tensors.items():
        group, key = name.rsplit(".", 1)
        text = group in ("columns", "failures") and key == "split"
        groups.setdefault(group, {})[key] = texts[x] if text else x
    n_layers = len(header.layer_layout) - 1
    w = Weights(
        *(
            tuple(torch.from_numpy(groups[group][str(l)]) for l in range(n_layers))
            for group in ("weights", "biases")
        )
    )
    statistics = {g.split(".")[1]: x for g, x in groups.items() if g.startswith("statistics.")}
    return InrSet(header, w, groups["columns"], groups["failures"], statistics or None)


def _digest(inrs: InrSet) -> str:
    digests = {
        name: inr_layout.array_digest(name, x) for name, x in inr_layout.arrays(inrs).items()
    }
    return inr_layout.file_digest(inr_layout.attributes(inrs.header), digests)
