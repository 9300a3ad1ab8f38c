"""Tables for people, Markdown and LaTeX, beside the numbers in CSV."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from weightspace.report.collect import ReportError
from weightspace.report.saving import save_csv, save_text

__all__ = ["Table", "save_tables", "table_latex", "table_markdown"]

LEFT = {"study", "dataset", "model", "scheme", "training", "augmentation", "parameter"}
LEFT |= {"pairs", "alignment", "lam", "reads", "class", "meshes"}


@dataclass(frozen=True)
class Table:
    """The numbers, the same in words, how to read them, and a heading where there are several.

    `numbers` and `words` have the same rows; the columns of `words` hold texts.
    """

    numbers: pd.DataFrame
    words: pd.DataFrame
    note: str
    title: str = ""


def table_markdown(table: Table) -> str:
    """The words as a Markdown table under its heading, with the note below."""
    align = ["left" if column in LEFT else "right" for column in table.words.columns]
    words = table.words.map(lambda cell: str(cell).replace("|", r"\|"))
    text = words.to_markdown(index=False, disable_numparse=True, colalign=align)
    heading = f"## {table.title}\n\n" if table.title else ""
    return f"{heading}{text}\n\n{table.note}\n"


def table_latex(table: Table) -> str:
    """The words as a LaTeX tabular (needs the package booktabs); heading and note as comments."""
    style = table.words.style.hide(axis="index")
    style = style.format(escape="latex").format_index(escape="latex", axis=1)
    comments = "".join(f"% {line}\n" for line in (table.title, table.note) if line)
    return f"{comments}{style.to_latex(hrules=True)}"


def save_tables(tables: Sequence[Table], paths: Iterable[str | Path]) -> None:
    """Write the tables to every path, in the form of its ending (.csv, .md or .tex).

    A CSV file holds the numbers of all tables, one after the other.

    Raises:
        ReportError: if an ending is not one of these; nothing is written then.
    """
    targets = [Path(path) for path in paths]
    for path in targets:
        if path.suffix not in (".csv", ".md", ".tex"):
            raise ReportError(
                f"cannot write a table to {path}: the ending is {path.suffix!r}, "
                "it must be .csv, .md or .tex"
            )
    for path in targets:
        if path.suffix == ".csv":
            save_csv(pd.concat([table.numbers for table in tables], ignore_index=True), path)
        else:
            word = table_markdown if path.suffix == ".md" else table_latex
            save_text("\n".join(map(word, tables)), path)
