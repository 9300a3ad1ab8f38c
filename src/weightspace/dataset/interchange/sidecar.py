"""The file weightspace.json of an exported set: what its splits.json and networks leave unsaid."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weightspace import inr_layout
from weightspace.atomic import replacing
from weightspace.dataset.interchange.convention import Convention
from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.inr_set import COLUMNS, Header, empty_columns
from weightspace.once import once

__all__ = ["NAME", "Sidecar", "plain_column", "read_sidecar", "write_sidecar"]

NAME = "weightspace.json"
_FORMAT, _VERSION = "weightspace.state_dicts", 1


@dataclass(frozen=True)
class Sidecar:
    """How the files are to be evaluated, and what an `InrSet` of them holds beside networks."""

    convention: Convention
    header: Header
    failures: dict[str, np.ndarray]


def write_sidecar(root: Path, sidecar: Sidecar) -> None:
    """Write the file into the folder of a set.

    Raises:
        OSError: if it cannot be written.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "convention": asdict(sidecar.convention),
        "header": inr_layout.attributes(sidecar.header),
        "failures": {name: plain_column(x) for name, x in sidecar.failures.items()},
    }
    with replacing(root / NAME) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_sidecar(root: Path) -> Sidecar | None:
    """Read the file of a set, or None where there is none.

    Raises:
        InterchangeError: if it is damaged or of a newer version.
    """
    path = root / NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)
        if content["format"] != _FORMAT or content["version"] > _VERSION:
            raise ValueError(f"format {content['format']!r} version {content['version']!r}")
        return Sidecar(
            Convention(**content["convention"]),
            inr_layout.header(content["header"]),
            _columns(content["failures"]),
        )
    except Exception as error:  # JSON of another form raises errors of many types
        raise InterchangeError(
            f"{path} cannot be read ({error!r}); expected {_FORMAT!r} up to version {_VERSION}: "
            f"update weightspace, export again, or delete it and state what it would say"
        ) from error


def plain_column(x: np.ndarray) -> list[Any]:
    """A column as JSON takes it; numbers that are not finite become text."""
    if x.dtype.kind != "f":
        return x.tolist()
    return [v if math.isfinite(v) else str(v) for v in x.tolist()]


def _columns(lists: Mapping[str, list[Any]]) -> dict[str, np.ndarray]:
    columns = empty_columns()
    for name, dtype in COLUMNS.items():
        values = [float(v) for v in lists[name]] if dtype is np.float32 else lists[name]
        columns[name] = np.array(values, dtype)
    return columns
