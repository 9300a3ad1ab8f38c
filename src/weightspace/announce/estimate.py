"""About how long jobs will take: from their last run where there is one, else from stated rates."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from weightspace.announce.times import JobTime, stage_of
from weightspace.config.study import Config

__all__ = ["Estimate", "Group", "estimate", "stated_seconds"]

START = 4.0  # seconds until a job computes: Python, torch, its data
FLOPS = 45e9  # of fits, per second and core
# Seconds of a core for an update, per network of the batch, at the widths of config.yaml and
# workflow/configs/ for 2 cores: the run times of quickstart, images and shapes (2 cores of an
# AMD EPYC with AVX-512).
PER_NETWORK = {
    "mlp": 0.05e-3,
    "dws": 0.25e-3,
    "graph_transformer": 2.5e-3,
    "row_transformer": 0.95e-3,
    "pixel_cnn": 0.26e-3,
    "pixel_mlp": 0.06e-3,
    "pointnet": 0.5e-3,
    "pointnet_occupancy": 0.5e-3,
}
MATCHING = 0.12e-3  # the same, of aligning one network to another
USUAL_HIDDEN = 32 * 32  # weights between hidden layers at which PER_NETWORK holds
PIXELS = {"cifar10": 32 * 32}  # of the pictures of a source; 28 x 28 of the others


@dataclass(frozen=True)
class Group:
    """Jobs that take equally long: those of a rule and of one dataset or cell.

    Attributes:
        rule: the rule.
        name: of the dataset or cell, "" where the rule has one job.
        jobs: how many there are to run.
        threads: of each.
        gpus: that each occupies.
    """

    rule: str
    name: str
    jobs: int
    threads: int
    gpus: int = 0


@dataclass(frozen=True)
class Estimate:
    """How long a run will take.

    Attributes:
        seconds: of each stage that has jobs to run, one after the other.
        measured: the share of it that follows from earlier runs of the study.
        gpus: whether jobs of which no earlier run is known use a GPU, which no stated rate knows.
    """

    seconds: dict[str, float]
    measured: float
    gpus: bool = False


def estimate(
    config: Config,
    groups: Iterable[Group],
    *,
    cores: int,
    gpus: int | None = None,
    own_machines: bool = False,
    times: Iterable[JobTime] = (),
    before: Config | None = None,
) -> Estimate:
    """Estimate how long jobs take on so many cores, or so many at a time.

    The time of a job is that of its last run, scaled by what the stated rates say of the settings
    then and now; else it follows from these rates. A job that kept more cores busy than it has now
    takes as much longer.

    Args:
        config: of the study.
        groups: the jobs to run.
        cores: how many there are.
        gpus: how many jobs may use one at a time; None for any number.
        own_machines: each job has the threads it asks for, as on a cluster; then `cores` are jobs
            at a time.
        times: what jobs of this study took when they last ran.
        before: the settings of that run; None takes those of now.
    """
    last: dict[tuple[str, str], list[JobTime]] = defaultdict(list)
    for time in times:
        last[time.rule, time.name].append(time)
    work: dict[str, float] = defaultdict(float)  # of each stage, in seconds of a core or a place
    on_gpu: dict[str, float] = defaultdict(float)  # likewise, of one that uses a GPU
    longest: dict[str, float] = defaultdict(float)
    known, unknown_gpus = 0.0, False
    for group in groups:
        threads = group.threads if own_machines else min(group.threads, cores)
        share, stage = 1 if own_machines else threads, stage_of(group.rule)
        one = stated_seconds(config, group.rule, group.name, threads)
        if own := last.get((group.rule.removesuffix("_results"), group.name)):
            grown = _grown(config, before, group, one, threads)
            one = grown * sum(_seconds(time, threads) for time in own) / len(own)
        work[stage] += group.jobs * one * share
        on_gpu[stage] += group.jobs * one * group.gpus
        longest[stage] = max(longest[stage], one)
        known += group.jobs * one * share if own else 0.0
        unknown_gpus |= group.gpus > 0 and not own
    seconds = {
        stage: max(longest[stage], work[stage] / cores, on_gpu[stage] / (gpus or cores))
        for stage in work
    }
    return Estimate(seconds, known / (sum(work.values()) or 1.0), unknown_gpus)


def _seconds(time: JobTime, threads: int) -> float:
    """What a job would have taken with so many threads."""
    return time.seconds * max(1.0, time.cores / threads if time.cores == time.cores else 1.0)


def stated_seconds(config: Config, rule: str, name: str, threads: int = 1) -> float:
    """Wall seconds of a job by the stated rates.

    Args:
        config: of the study.
        rule: the rule.
        name: of its dataset or cell.
        threads: that it has.
    """
    work = WORK.get(rule)
    return START + (work(config, name) / threads if work else 0.0)


def _grown(
    config: Config, before: Config | None, group: Group, stated: float, threads: int
) -> float:
    """By what factor the settings have made a job longer since its last run."""
    if before is None:
        return 1.0
    try:
        return stated / stated_seconds(before, group.rule, group.name, threads)
    except KeyError:  # it was another job then
        return 1.0


def _fits(config: Config, dataset: str) -> float:
    """A step of a network makes 6 operations for each weight and point."""
    fit = config.fit_of(dataset)
    widths = [3 if config.datasets[dataset].is_shape else 2, *fit.hidden, 1]
    weights = sum(a * b for a, b in pairwise(widths))
    networks = config.n_inrs(dataset) / config.n_shards(dataset)
    return networks * fit.steps * 6 * weights * _points(config, dataset) / FLOPS


def _points(config: Config, dataset: str) -> int:
    """How many points a step of a fit sees."""
    chosen = config.datasets[dataset]
    if chosen.points is not None:
        return chosen.points.per_step or chosen.points.queries
    if chosen.size is not None:
        return chosen.size[0] * chosen.size[1]
    return PIXELS.get(chosen.source, 28 * 28)


def _training(config: Config, name: str) -> float:
    cell = config.all_cells[name]
    scheme = config.scheme(cell.scheme)
    networks = config.train.updates * cell.budget * config.train.batch_size
    kinds = [getattr(scheme.mix, "kind", "none"), *(step.kind for step in scheme.augment)]
    matched = any(kind in ("aligned", "leaky", "self_mixup") for kind in kinds)
    each = _per_network(config, cell.model, cell.dataset) + matched * MATCHING
    return len(config.train.seeds) * networks * each


def _contrastive(config: Config, name: str) -> float:
    """Pre-training reads two networks of a pair; training from scratch has both lengths."""
    cell, settings = config.contrastive_cells[name], config.contrastive
    first, then = settings.pretraining, settings.fine_tune
    pretrained = cell.pairs is not None
    networks = len(settings.label_fractions) * then.updates * then.batch_size
    networks *= 1 if pretrained else 2 + first.updates / then.updates
    networks += 2 * first.updates * first.batch_size if pretrained else 0
    return len(config.train.seeds) * networks * _per_network(config, cell.model, cell.dataset)


def _per_network(config: Config, model: str, dataset: str) -> float:
    kind = config.models[model].kind
    hidden = sum(a * b for a, b in pairwise(config.fit_of(dataset).hidden))
    wide = hidden / USUAL_HIDDEN if kind in ("dws", "graph_transformer") else 1.0
    return PER_NETWORK.get(kind, PER_NETWORK["dws"]) * max(wide, 0.2)


# Seconds of a core beyond START, for the rules that take more. Downloads take as long as they do.
WORK: Mapping[str, Callable[[Config, str], float]] = {
    "shape_objects": lambda config, name: 0.07 * config.n_objects(name),
    "sample_points": lambda config, name: 0.14 * config.n_objects(name) / config.n_shards(name),
    "fit_shard": _fits,
    "assemble": lambda config, name: config.dataset_mb(name) / 150,
    "align_to_reference": lambda config, name: config.n_inrs(name) * MATCHING,
    "train_cell": _training,
    "contrastive_cell": _contrastive,
    "shape_quality": lambda config, name: 0.1 * config.n_objects(name),
}
