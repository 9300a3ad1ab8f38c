"""Writing the report's files: whole or not at all, and the same bytes for the same content."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from weightspace.atomic import replacing
from weightspace.report.style import report_style

__all__ = ["save_csv", "save_figure", "save_text"]

# The metadata that would otherwise name a date or a program version.
METADATA: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def save_figure(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write a figure to every path, in the format of its ending (.png or .pdf).

    Raises:
        ValueError: if an ending is not one of these; nothing is written then.
    """
    targets = [Path(path) for path in paths]
    for path in targets:
        if path.suffix not in METADATA:
            raise ValueError(
                f"cannot write a figure to {path}: the ending is {path.suffix!r}, "
                f"it must be one of {', '.join(METADATA)}"
            )
    for path in targets:
        with report_style(), replacing(path) as part:
            figure.savefig(part, format=path.suffix[1:], metadata=METADATA[path.suffix])


def save_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV; numbers keep every digit, NaN is an empty field."""
    save_text(table.to_csv(index=False, lineterminator="\n"), path)


def save_text(text: str, path: str | Path) -> None:
    """Write a text in UTF-8."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
