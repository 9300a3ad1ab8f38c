"""The words of the plan at the start of a run and of the summary at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weightspace.announce.estimate import Estimate, Group
from weightspace.announce.times import STAGES, stage_of
from weightspace.config.cells import main_experiment
from weightspace.job import duration

__all__ = ["Failure", "plan_text", "summary_text", "where_to_look"]

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
    if not jobs:
        return lines[0]
    for stage in STAGES:
        if stage in jobs:
            lines.append(
                f"  {stage:<9}{_jobs(jobs[stage]):>13}, about {_about(guess.seconds[stage])}"
            )
    source = (
        "from earlier runs of this study"
        if guess.measured > 0.5
        else "from rates measured on another machine, so within a factor of about 2"
    )
    missing = ["GPUs"] if guess.gpus else []
    missing += ["downloads"] if any(group.rule == "download" for group in groups) else []
    source += f"; {' and '.join(missing)} are not in it" if missing else ""
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
    again = "mend the cause and run the same command again" if failures else "run the command again"
    lines.append(f"What is finished is kept: {again}.")
    return "\n".join(lines)


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
