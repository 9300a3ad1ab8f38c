"""What a run of the workflow says of itself: at its start what it will do, at its end what it did.

This module imports neither torch nor pandas: the Snakefile imports it at every parse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weightspace.job import duration
from weightspace.run_estimate import Estimate, Group
from weightspace.run_times import STAGES, stage_of

__all__ = ["MAIN", "Failure", "main_experiment", "plan_text", "summary_text", "where_to_look"]

MAIN = ("schemes", "equivalence", "views", "gap", "overfitting", "alignment", "strength")
"""The experiments in the order in which one of them is the main one of a study."""
FAILURES = 10  # that are listed


@dataclass(frozen=True)
class Failure:
    """A job that failed: what it was, and its log."""

    job: str
    log: str


def plan_text(
    study: str, groups: Sequence[Group], kept: int, guess: Estimate, *, at_once: str
) -> str:
    """What will be done, in how many jobs of each stage, and about how long it takes.

    Args:
        study: its name.
        groups: the jobs to run.
        kept: how many jobs need not run, since their results are there.
        guess: how long it takes.
        at_once: what runs it, e.g. "2 cores".
    """
    jobs: dict[str, int] = {}
    for group in groups:
        jobs[stage_of(group.rule)] = jobs.get(stage_of(group.rule), 0) + group.jobs
    lines = [f"Study {study}: {_jobs(sum(jobs.values()))} to run, {kept or 'none'} to reuse"]
    for stage in (*STAGES, "report"):
        if stage in jobs:
            lines.append(
                f"  {stage:<9}{_jobs(jobs[stage]):>13}, about {_about(guess.seconds[stage])}"
            )
    source = (
        "from earlier runs of this study"
        if guess.measured > 0.5
        else "from rates measured on another machine, so within a factor of about 2; "
        "GPUs and downloads are not in them"
    )
    lines.append(f"About {_about(sum(guess.seconds.values()))} on {at_once} ({source})")
    return "\n".join(lines)


def summary_text(
    study: str, *, ran: int, kept: int, left: int, seconds: float, failures: Sequence[Failure]
) -> str:
    """What a run did.

    Args:
        study: its name.
        ran: how many jobs have finished.
        kept: how many did not need to run.
        left: how many were not reached.
        seconds: wall time.
        failures: the jobs that failed.
    """
    how = "stopped" if failures or left else "done"
    head = f"Study {study}: {how} after {duration(seconds)}: {_jobs(ran)} ran, {kept} reused"
    if not failures and not left:
        return head
    lines = [f"{head}, {len(failures)} failed, {left} not reached"]
    lines += [f"  {failure.job}: see {failure.log}" for failure in failures[:FAILURES]]
    if len(failures) > FAILURES:
        lines.append(f"  and {len(failures) - FAILURES} more")
    lines.append("What is finished is kept: mend the cause and run the same command again.")
    return "\n".join(lines)


def main_experiment(configured: Sequence[str]) -> str:
    """The experiment that a study is about first of all."""
    return next((name for name in MAIN if name in configured), configured[0])


def where_to_look(results: Path | str, configured: Sequence[str]) -> str:
    """The report, and the figure and the table of the main experiment, as far as they are there."""
    folder, main = Path(results), main_experiment(configured)
    files: Mapping[str, Path] = {
        "report": folder / "report.html",
        "figure": folder / "figures" / f"{main}.png",
        "table": folder / "tables" / f"{main}.md",
    }
    lines = [f"  {what:<9}{path}" for what, path in files.items() if path.exists()]
    return "\n".join(lines or [f"  results  {folder}/"])


def _jobs(n: int) -> str:
    return f"{n:,} job{'' if n == 1 else 's'}"


def _about(seconds: float) -> str:
    """A duration as exact as a guess deserves."""
    if seconds < 55:
        return f"{5 * max(1, round(seconds / 5))} s"
    if seconds < 3570:
        return f"{round(seconds / 60)} min"
    if seconds < 36000:
        return f"{seconds / 3600:.1f} h"
    return f"{round(seconds / 3600)} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"
