"""The tables of the HTML report, from those that a study has written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from weightspace.report.labels import display_name
from weightspace.report.tables import LEFT
from weightspace.report.wording import number

__all__ = ["PageTable", "fit_tables", "run_rows", "words_of"]

FIT_LEFT = ("dataset", "split")
FIT_NOTE = (
    "Peak signal-to-noise ratio of the kept fits in dB; refitted: networks that needed more than "
    "one initialisation; failed: fits that stayed below the configured minimum and are left out."
)


@dataclass(frozen=True)
class Head:
    """The head of a column, and whether its cells are names rather than numbers."""

    text: str
    left: bool


@dataclass(frozen=True)
class PageTable:
    """A table of texts for the page, and its numbers as a file within the page."""

    heads: list[Head]
    rows: list[list[str]]
    title: str = ""
    note: str = ""
    file: str = ""
    csv: str = ""
    caption: str = ""


def words_of(markdown: str, *, file: str, csv: str, caption: str) -> list[PageTable]:
    """Read the tables of a file of `save_tables`: heading, rows between bars, note.

    The last one carries the file of the numbers and the caption, which are of all of them.
    """
    tables: list[PageTable] = []
    title = ""
    for block in markdown.strip().split("\n\n"):
        if block.startswith("## "):
            title = block[3:].strip()
        elif block.startswith("|"):
            head, rules, *rows = [_cells(line) for line in block.splitlines()]
            heads = [
                Head(text.replace(" %", "\N{NO-BREAK SPACE}%"), rule[0] == ":")
                for text, rule in zip(head, rules, strict=True)
            ]
            tables.append(PageTable(heads, rows, title=title))
            title = ""
        else:
            tables[-1] = replace(tables[-1], note=f"{tables[-1].note} {block}".strip())
    tables[-1] = replace(tables[-1], file=file, csv=csv, caption=caption)
    return tables


def fit_tables(files: Sequence[Path]) -> list[PageTable]:
    """One table of the fits of all datasets, from the files of `fit_quality_table`."""
    if not files:
        return []
    parts = [
        pd.read_csv(file).assign(dataset=display_name(file.stem.split(".", 1)[1])) for file in files
    ]
    quality = pd.concat(parts, ignore_index=True)
    words = quality[["dataset", "split"]].copy()
    for key in ("objects", "views", "inrs", "failed", "refitted"):
        words["networks" if key == "inrs" else key] = quality[key].map("{:,}".format)
    for key in ("psnr_min", "psnr_p05", "psnr_median", "psnr_max"):
        name = key.removeprefix("psnr_").replace("p05", "5 %")
        words[name] = [number(float(x), 1) for x in quality[key]]
    return [_table(words, FIT_LEFT, note=FIT_NOTE)]


def run_rows(runs: pd.DataFrame) -> PageTable:
    """Every training run, as `collect_runs` returns them, in words."""
    words = pd.DataFrame(
        {
            "dataset": runs["dataset"].map(display_name),
            "model": runs["model"].map(display_name),
            "scheme": runs["scheme"].map(display_name),
        }
    )
    for key in ("views", "objects", "updates", "seed", "best_update"):
        words[key.replace("_", " ")] = runs[key].map("{:,}".format)
    for key in ("train", "val", "test"):
        words[key] = [number(100 * x, 1) for x in runs[f"{key}_accuracy"]]
    words["seconds"] = [number(x, 1) for x in runs["seconds"]]
    return _table(words, LEFT)


def _table(words: pd.DataFrame, left: Sequence[str] | set[str], note: str = "") -> PageTable:
    heads = [Head(str(name), name in left) for name in words.columns]
    return PageTable(heads, words.astype(str).to_numpy().tolist(), note=note)


def _cells(line: str) -> list[str]:
    """The cells of a row; a bar within a cell has a backslash before it."""
    cells = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [cell.strip().replace(r"\|", "|") for cell in cells]
