# What a run says of itself: before its jobs what it will do and about how long that takes, at its
# end what it did and where to look. The jobs it starts as other processes say nothing of it.
import logging
from collections import defaultdict
from functools import cache
from time import monotonic

import yaml
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from weightspace.announce.estimate import Group, estimate
from weightspace.announce.times import read_times
from weightspace.announce.words import Failure, plan_text, summary_text, where_to_look

BEGUN = monotonic()


def single(jobs):
    """The jobs themselves, where the executor runs some of them as a group."""
    for job in jobs:
        yield from job.jobs if job.is_group() else [job]


def jobs_to_run():
    """The jobs that are to run, as groups, and how many need not."""
    alike, kept = defaultdict(list), 0
    for job in workflow.dag.jobs:  # no call of ours for each: there may be thousands
        if not job.output:
            continue
        if workflow.dag.needrun(job):
            names = job.wildcards_dict
            name = names.get("dataset") or names.get("cell") or ""
            alike[job.rule.name, name].append(job)
        else:
            kept += 1
    groups = [
        Group(rule, name, len(jobs), jobs[0].threads, jobs[0].resources.get("gpu", 0))
        for (rule, name), jobs in alike.items()
    ]
    return groups, kept


def settings_before():
    """The config of the last run of the study; None if there was none, or one of another kind."""
    try:
        return load_config(yaml.safe_load(Path(RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def at_once():
    """How many cores there are, or how many jobs run at a time on machines of their own."""
    cores, jobs = workflow._cores, workflow.nodes
    if workflow.dryrun:  # Snakemake gives it one core, and the number of --jobs
        return (jobs, True) if jobs else (cores, False)
    return (cores, False) if cores and workflow.local_exec else (jobs or cores, True)


@cache  # a dry run says it beside both of Snakemake's tables
def plan():
    """What is to be done, and about how long it takes."""
    groups, kept = jobs_to_run()
    places, own_machines = at_once()
    if own_machines:
        places = min(places or 1, sum(group.jobs for group in groups))
    gpus, before = workflow.global_resources.get("gpu"), settings_before()
    guess = estimate(
        CONFIG,
        groups,
        cores=max(1, places),
        gpus=gpus.value if gpus else None,
        own_machines=own_machines,
        times=(
            read_times(
                f"{RESULTS}/benchmarks", since=Path(RECORD).stat().st_mtime, shards=20
            )
            if before
            else ()
        ),
        before=before,
    )
    words = f"{places} {'job' if own_machines else 'core'}{'' if places == 1 else 's'}"
    words += " at a time" if own_machines else ""
    return plan_text(CONFIG.study, groups, kept, guess, at_once=words)


def summary():
    """What was done, and where the results are."""
    groups, kept = jobs_to_run()
    finished = sum(bool(job.output) for job in workflow.dag.finished_jobs)
    failures = [
        Failure(str(job), ", ".join(map(str, job.log)) or "the messages above")
        for job in single(workflow.scheduler.failed)
    ]
    return summary_text(
        CONFIG.study,
        ran=finished,
        kept=kept,
        left=sum(g.jobs for g in groups) - finished - len(failures),
        seconds=monotonic() - BEGUN,
        failures=failures,
    )


def tell(*words):
    """Say what some functions return; what only tells must not end the run."""
    if workflow.touch:  # nothing runs
        return
    try:
        for text in words:
            logger.info(text())
    except Exception as error:
        logger.warning(f"no words on this run: {type(error).__name__}: {error}")


def results_to_see():
    """Where to look."""
    return where_to_look(RESULTS, CONFIG.configured)


class Announcing(logging.Handler):
    """Says the plan beside Snakemake's table of jobs, also in a dry run, which calls no hook."""

    def emit(self, record):
        if getattr(record, "event", None) == LogEvent.RUN_INFO:
            tell(plan)
        elif record.msg == NOTHING_TO_BE_DONE_MSG:
            tell(results_to_see)


logger.addHandler(Announcing())


onsuccess:
    tell(summary, results_to_see)


onerror:
    tell(summary)
