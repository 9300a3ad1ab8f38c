"""How long jobs took: the files that Snakemake's `benchmark` leaves of each.

This module imports neither torch nor pandas: the Snakefile imports it at every parse.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["STAGES", "JobTime", "read_times", "stage_of"]

STAGES = {
    "data": ("download", "objects", "shape_objects", "sample_points"),
    "fits": ("fit_shard",),
    "dataset": ("assemble", "align_to_reference"),
    "training": ("train_cell", "contrastive_cell"),
}
"""The rules of each stage; all others make the report."""


def stage_of(rule: str) -> str:
    """The stage that a rule belongs to."""
    return next((stage for stage, rules in STAGES.items() if rule in rules), "report")


@dataclass(frozen=True)
class JobTime:
    """What one job took when it last ran.

    Attributes:
        rule: the rule, without "_results".
        name: of its dataset or cell; "" where a rule has one job.
        seconds: wall time.
        memory_mb: the most memory it held; nan where it was too short to be measured.
    """

    rule: str
    name: str
    seconds: float
    memory_mb: float


def read_times(folder: Path | str) -> list[JobTime]:
    """Read `<rule>.tsv`, `<rule>/<name>.tsv` and `<rule>/<name>/<shard>.tsv` below a folder.

    A file that is empty or cut off, as a killed run may leave it, is passed over.
    """
    found = (_read(Path(folder), path) for path in sorted(Path(folder).rglob("*.tsv")))
    return [time for time in found if time is not None]


def _read(folder: Path, path: Path) -> JobTime | None:
    rule, *rest = path.relative_to(folder).with_suffix("").parts
    name = rest[0].split(".")[0] if rest else ""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    seconds = _number(rows[-1].get("s")) if rows else None
    if seconds is None:
        return None
    return JobTime(rule, name, seconds, _number(rows[-1].get("max_rss")) or float("nan"))


def _number(text: str | None) -> float | None:
    """The number of a field; Snakemake writes NA or - for what it did not see."""
    try:
        return float(text or "")
    except ValueError:
        return None
