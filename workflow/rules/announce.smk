# What a run says of itself: before its jobs what it will do and about how long that takes, at its
# end what it did and where to look. The jobs it starts as other processes say nothing of it.
import logging
from collections import defaultdict
from time import monotonic

import yaml
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from weightspace.run_estimate import Group, estimate
from weightspace.run_times import read_times
from weightspace.run_words import Failure, plan_text, summary_text, where_to_look

BEGUN = monotonic()


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
        Group(rule, name, len(jobs), jobs[0].threads)
        for (rule, name), jobs in alike.items()
    ]
    return groups, kept


def settings_before():
    """The config of the last run of the study; None if there was none, or one of another kind."""
    try:
        with open(f"{RESULTS}/config.yaml", encoding="utf-8") as file:
            return load_config(yaml.safe_load(file))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def plan():
    """What is to be done, and about how long it takes."""
    groups, kept = jobs_to_run()
    cores, jobs = workflow._cores, workflow.nodes
    local = cores is not None and workflow.local_exec
    at_once = cores if local else min(jobs or cores or 1, sum(g.jobs for g in groups))
    guess = estimate(
        CONFIG,
        groups,
        cores=max(1, at_once),
        own_machines=not local,
        times=read_times(f"{RESULTS}/benchmarks"),
        before=settings_before(),
    )
    words = f"{at_once} {'core' if local else 'job'}{'' if at_once == 1 else 's'}"
    words += "" if local else " at a time"
    return plan_text(CONFIG.study, groups, kept, guess, at_once=words)


def summary():
    """What was done, and where the results are."""
    groups, kept = jobs_to_run()
    finished = sum(bool(job.output) for job in workflow.dag.finished_jobs)
    failures = [
        Failure(str(job), ", ".join(map(str, job.log)) or "the messages above")
        for job in workflow.scheduler.failed
    ]
    return summary_text(
        CONFIG.study,
        ran=finished,
        kept=kept,
        left=sum(g.jobs for g in groups) - finished - len(failures),
        seconds=monotonic() - BEGUN,
        failures=failures,
    )


class Announcing(logging.Handler):
    """Says the plan beside Snakemake's table of jobs, also in a dry run, which calls no hook."""

    def emit(self, record):
        try:
            if getattr(record, "event", None) == LogEvent.RUN_INFO:
                logger.info(plan())
            elif record.msg == NOTHING_TO_BE_DONE_MSG:
                logger.info(where_to_look(RESULTS, CONFIGURED))
        except Exception:  # the habit of handlers: what only tells must not end the run
            self.handleError(record)


logger.addHandler(Announcing())


onsuccess:
    logger.info(summary())
    logger.info(where_to_look(RESULTS, CONFIGURED))


onerror:
    logger.info(summary())
