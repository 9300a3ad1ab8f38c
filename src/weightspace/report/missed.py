"""What a study did not get, for the HTML report: an empty list is good news."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from weightspace.config.study import Config
from weightspace.data.shapes.chosen import read_shapes
from weightspace.report.labels import display_name

__all__ = ["missed"]

SHOWN = 8  # of a kind


def missed(
    config: Config,
    files: Sequence[Path],
    runs: pd.DataFrame | None,
    metrics: Sequence[Path | str],
    shapes: Sequence[Path | str],
) -> list[str]:
    """List failed trainings and fits, unusable meshes and trainings cut short, a sentence each.

    Args:
        config: of the study.
        files: its tables and figures.
        runs: as `collect_runs` returns, if there are any.
        metrics: the `metrics.json` of all cells.
        shapes: the files of the chosen shapes.
    """
    lines = [line for path in metrics for line in _failed_seeds(Path(path))]
    lines += [line for file in files for line in _failed_fits(file)]
    lines += [line for path in shapes for line in _skipped(Path(path))]
    lines += _unfinished(runs)
    if len(config.train.seeds) == 1:
        lines.append("There is one seed, so no interval can be given and nothing can be compared.")
    return lines


def _failed_seeds(path: Path) -> Iterator[str]:
    """The seeds of a cell that gave no result, with the reason."""
    metrics = json.loads(path.read_text(encoding="utf-8"))
    for seed, reason in metrics["failed_seeds"].items():
        yield f"{metrics['cell']}: seed {seed} has no result: {reason}"
    for failure in metrics.get("failed_runs", []):
        details = ", ".join(f"{key} {value}" for key, value in failure.items())
        yield f"{metrics['cell']}: a run has no result: {details}"


def _failed_fits(file: Path) -> Iterator[str]:
    """How many fits of a dataset were given up."""
    if not (file.name.startswith("fit_quality.") and file.suffix == ".csv"):
        return
    table = pd.read_csv(file)
    for split, failed, kept in zip(table["split"], table["failed"], table["inrs"], strict=True):
        if failed:
            dataset = display_name(file.stem.split(".", 1)[1])
            yield f"{dataset}: {failed:,} of {failed + kept:,} fits of {split} objects failed."


def _skipped(path: Path) -> Iterator[str]:
    """The meshes of a dataset that could not be used."""
    shapes = read_shapes(path, rows=[])
    if shapes.skipped:
        yield f"{display_name(path.stem)}: {_some(list(shapes.skipped), 'meshes cannot be used')}"


def _unfinished(runs: pd.DataFrame | None) -> list[str]:
    """The cells that were best at their last update."""
    if runs is None:
        return []
    late = runs[runs["best_update"] == runs["updates"]]
    cells = list(dict.fromkeys(late["cell"]))
    if not cells:
        return []
    share = f"{len(cells)} of {runs['cell'].nunique()} cells"
    return [f"Training was still improving at its end (†) in {share}, for a seed at least."]


def _some(names: list[str], what: str) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names):,} {what}: {'; '.join(names[:SHOWN])}{more}"
