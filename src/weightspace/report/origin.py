"""Where the results of a study come from: code, machine and time, for the HTML report."""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from weightspace.announce.times import STAGES, JobTime, stage_of
from weightspace.job import duration
from weightspace.report.html_tables import Head, PageTable

__all__ = ["provenance", "stage_table"]


def provenance(metrics: Sequence[Path | str]) -> list[tuple[str, str]]:
    """The commit, the versions and the machine of the trainings, as (what, text).

    Where the cells differ, all values are listed.

    Args:
        metrics: the `metrics.json` of all cells.
    """
    found = [json.loads(Path(path).read_text(encoding="utf-8")) for path in metrics]
    versions = [
        ", ".join(f"{name} {text}" for name, text in each["versions"].items()) for each in found
    ]
    facts = [
        ("commit", _each(each["commit"] for each in found)),
        ("device", _each(each["device"] for each in found)),
        ("threads", _each(str(each["threads"]) for each in found)),
        ("versions", _each(versions)),
    ]
    if any(each["commit"].endswith("-dirty") for each in found):
        facts.insert(1, ("", "-dirty: the source had changes that are in no commit"))
    return [(what, text) for what, text in facts if text]


def stage_table(times: Iterable[JobTime]) -> PageTable:
    """How many jobs each stage has, how long they took, and the most memory one of them held."""
    times = list(times)
    rows = []
    for stage in STAGES:
        own = [time for time in times if stage_of(time.rule) == stage]
        if own:
            rows.append([stage, *_row(own)])
    rows.append(["all", *_row(times)])
    heads = [Head("stage", True)]
    heads += [Head(text, False) for text in ("jobs", "sum of times", "longest job", "memory")]
    return PageTable(heads, rows)


def _row(times: Sequence[JobTime]) -> list[str]:
    seconds = [time.seconds for time in times]
    memory = [time.memory_mb for time in times if not math.isnan(time.memory_mb)]
    return [
        f"{len(times):,}",
        duration(sum(seconds, 0.0)),
        duration(max(seconds, default=0.0)),
        f"{max(memory):,.0f} MB" if memory else "-",
    ]


def _each(texts: Iterable[str]) -> str:
    """The different ones of some texts."""
    return "; ".join(dict.fromkeys(texts))
