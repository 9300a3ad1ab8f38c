"""How long jobs took: the files that Snakemake's `benchmark` leaves of each."""

import csv
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from weightspace.config.cells import EXPERIMENTS
from weightspace.config.study import Config

__all__ = ["STAGES", "JobTime", "of_study", "read_times", "stage_of"]

STAGES = {
    "data": ("download", "objects", "shape_objects", "sample_points"),
    "fits": ("fit_shard",),
    "dataset": ("assemble", "align_to_reference"),
    "training": ("train_cell", "contrastive_cell"),
    "report": (
        *EXPERIMENTS,
        "matching_quality",
        "runs_table",
        "fit_quality",
        "gallery_figure",
        "shape_gallery_figure",
        "shape_quality",
        "config_record",
        "html_report",
        "reference",
    ),
}
"""The rules of each stage that make files, without "_results"."""
_STAGE_OF = {rule: stage for stage, rules in STAGES.items() for rule in rules}


def stage_of(rule: str) -> str:
    """The stage that a rule belongs to.

    Raises:
        KeyError: if it belongs to none.
    """
    return _STAGE_OF[rule.removesuffix("_results")]


@dataclass(frozen=True)
class JobTime:
    """What one job took when it last ran.

    Attributes:
        rule: the rule, without "_results".
        name: of its dataset or cell; "" where a rule has one job.
        seconds: wall time.
        memory_mb: the most memory it held; nan where it was too short to be measured.
        cores: how many it kept busy on average; nan likewise.
        shard: which one of its dataset; None where a rule has one job for a dataset.
    """

    rule: str
    name: str
    seconds: float
    memory_mb: float = float("nan")
    cores: float = float("nan")
    shard: int | None = None


def read_times(
    folder: Path | str, *, since: float = float("-inf"), shards: int | None = None
) -> list[JobTime]:
    """Read `<rule>.tsv`, `<rule>/<name>.tsv` and `<rule>/<name>/<shard>.tsv` below a folder.

    A file that is empty or cut off, as a killed run may leave it, and one of a rule that there is
    not, is passed over.

    Args:
        folder: `benchmarks` of a study.
        since: files that were written before are passed over; seconds of the epoch.
        shards: how many of each dataset to read, spread evenly; None reads all.
    """
    found = (_read(Path(folder), path, since) for path in _files(Path(folder), shards))
    return [time for time in found if time is not None]


def of_study(times: Iterable[JobTime], config: Config) -> list[JobTime]:
    """Those of jobs that the study still has."""
    cells = config.all_cells.keys() | config.contrastive_cells.keys()
    datasets = {
        name: 1 if config.datasets[name].source == "inrs" else config.n_shards(name)
        for name in config.used_datasets()
    }

    def has(time: JobTime) -> bool:
        if time.rule in EXPERIMENTS:
            return time.rule in config.configured
        if stage_of(time.rule) == "training":
            return time.name in cells
        if not time.name:
            return True
        return time.name in datasets and (time.shard or 0) < datasets[time.name]

    return [time for time in times if has(time)]


def _files(folder: Path, shards: int | None) -> Iterator[Path]:
    """The files below a folder, of the deepest ones as many as asked for."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        found = sorted(name for name in names if name.endswith(".tsv"))
        deep = len(Path(place).relative_to(folder).parts) == 2
        step = max(1, len(found) // shards) if shards and deep else 1
        yield from (Path(place, name) for name in found[::step])


def _read(folder: Path, path: Path, since: float) -> JobTime | None:
    rule, *rest = path.relative_to(folder).with_suffix("").parts
    if rule not in _STAGE_OF or path.stat().st_mtime < since:
        return None
    # A dataset that is aligned is `<dataset>.<reference>`.
    name = rest[0].split(".")[0] if rest else ""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    last = rows[-1] if rows else {}
    seconds = _number(last.get("s"))
    if seconds != seconds:
        return None
    return JobTime(
        rule,
        name,
        seconds,
        _number(last.get("max_rss")),
        _number(last.get("mean_load")) / 100,
        int(rest[1]) if len(rest) > 1 else None,
    )


def _number(text: str | None) -> float:
    """The number of a field; Snakemake writes NA or - for what it did not see."""
    try:
        return float(text or "")
    except ValueError:
        return float("nan")
