"""What the files of all trained cells share: whole writes, tables, and the top of metrics.json."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weightspace.atomic import replacing

__all__ = ["csv_bytes", "metrics_bytes", "write_whole"]


def metrics_bytes(
    names: Sequence[str],
    counts: Mapping[str, Any],
    *,
    config: Mapping[str, Any],
    origin: Mapping[str, Any],
    results: Mapping[str, Any],
) -> bytes:
    """The content of a metrics.json: names of the cell, counts, config, origin, results.

    Args:
        names: keys of `config` that come first, by which reports group.
        counts: what there was of views, objects, ....
        config: the resolved configuration of the cell.
        origin: versions, commit, device and threads.
        results: what was found.

    Raises:
        ValueError: if `config` lacks a name, or a number is not finite.
    """
    missing = [key for key in names if key not in config]
    if missing:
        raise ValueError(f"config lacks {', '.join(missing)}; it must hold {', '.join(names)}")
    own = {key: config[key] for key in names}
    metrics = {**own, **counts, "config": config, **origin, **results}
    return (json.dumps(metrics, indent=2, allow_nan=False) + "\n").encode()


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def write_whole(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write files by name, in order, each whole or not at all."""
    for name, content in contents.items():
        with replacing(directory / name) as temporary:
            temporary.write_bytes(content)
