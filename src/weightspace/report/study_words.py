"""A config in words: what a study asks and what was done, for the HTML report."""

from collections.abc import Iterator
from typing import Any

from weightspace.config.cells import EXPERIMENTS
from weightspace.config.data import SHAPES, DatasetConfig
from weightspace.config.fit import FitConfig
from weightspace.config.study import Config
from weightspace.report.labels import display_name

__all__ = ["QUESTIONS", "TITLES", "study_facts"]

TITLES = {
    "overfitting": "Overfitting",
    "views": "Views",
    "schemes": "Schemes",
    "equivalence": "Worth in data",
    "alignment": "Alignment",
    "strength": "Strength",
    "contrastive": "Pre-training",
    "gap": "Weights against raw data",
}
QUESTIONS = {
    "overfitting": "How far does training leave validation behind, with one view of each object "
    "and with many, from weights and from the raw data?",
    "views": "What are more views of each training object worth, on objects that were never seen?",
    "schemes": "Which augmentation of the weights, or MixUp of networks, helps, and by how much?",
    "equivalence": "How many times more training objects is a scheme worth?",
    "alignment": "How close do alignments bring two networks, and what does accuracy make of it?",
    "strength": "How strong should an augmentation be?",
    "contrastive": "What is pre-training without labels worth when labels are few?",
    "gap": "How far do models that read weights stay behind models that read the raw data?",
}
# Settings of models that say little to somebody who has not read the code.
QUIET = ("kind", "lr", "weight_decay")


def study_facts(config: Config) -> list[tuple[str, str]]:
    """What was done, as (what, text): data, fits, models, training, schemes."""
    used = config.used_datasets()
    facts = [("data", f"{display_name(d)}: {_objects(config.datasets[d])}") for d in used]
    facts += [
        ("fits", f"{display_name(d)}: {_fit(config.fit_of(d), config.datasets[d])}")
        for d in config.fitted_datasets()
    ]
    cells = [*config.all_cells.values(), *config.contrastive_cells.values()]
    for name in dict.fromkeys(cell.model for cell in cells):
        facts.append(("model", _model(name, config.models[name].model_dump())))
    facts.append(("training", _training(config)))
    schemes = dict.fromkeys(cell.scheme for cell in cells if cell.scheme is not None)
    facts += [("scheme", text) for name in schemes for text in _scheme(config, name)]
    if config.contrastive_cells:
        facts.append(("pre-training", _contrastive(config)))
    absent = [name for name in EXPERIMENTS if not getattr(config.experiments, name)]
    if absent:
        facts.append(("left out", f"the experiments {', '.join(absent)}"))
    return facts


def _objects(dataset: DatasetConfig) -> str:
    if dataset.source == "inrs":
        return "networks that others fitted"
    what = "shapes" if dataset.source in SHAPES else "pictures"
    n = dataset.n_objects()
    classes = "as many of each class" if dataset.balance == "equal" else "classes as in the set"
    return (
        f"{n['train']:,} {what} to train on, {n['val']:,} to choose on and {n['test']:,} to test "
        f"on ({classes}), from the source {dataset.source}"
    )


def _fit(fit: FitConfig, dataset: DatasetConfig) -> str:
    seen = "pixels"
    if dataset.source in SHAPES and dataset.points is not None:
        seen = f"{dataset.points.per_step or dataset.points.queries:,} points in each step"
    internal = (
        f" (and {fit.views.internal} more that are never trained on)" if fit.views.internal else ""
    )
    stop = "" if fit.target_psnr is None else f", or until {fit.target_psnr:g} dB"
    return (
        f"SIREN with hidden layers of {' and '.join(map(str, fit.hidden))} neurons, omega_0 "
        f"{fit.omega_0:g}; Adam for {fit.steps:,} steps{stop} on all {seen}, learning rate "
        f"{fit.lr:g} ({fit.schedule}); {fit.views.train} views of each training object{internal}, "
        f"{fit.views.val} of validation and {fit.views.test} of test objects"
    )


def _model(name: str, settings: dict[str, Any]) -> str:
    rest = ", ".join(
        f"{key.replace('_', ' ')} {value}" for key, value in settings.items() if key not in QUIET
    )
    optimiser = f"AdamW, learning rate {settings['lr']:g}, decay {settings['weight_decay']:g}"
    return f"{display_name(name)}: {optimiser}; {rest}"


def _training(config: Config) -> str:
    train = config.train
    return (
        f"{train.updates:,} updates of {train.batch_size} examples, {train.warmup:,} of them "
        f"warm-up, in each of {len(train.seeds)} runs from different seeds; the state with the "
        f"best validation accuracy, looked at every {train.evaluate_every:,} updates, is kept"
    )


def _scheme(config: Config, name: str) -> Iterator[str]:
    """The augmentations and the mix of a scheme; nothing of the one that is empty."""
    settings = config.scheme(name).model_dump()
    steps = [_step(step) for step in settings["augment"]]
    if settings["mix"] is not None:
        mix = dict(settings["mix"])
        steps.append(_step({**mix, "kind": f"MixUp, partner {mix['kind']}"}))
    if settings["align_to_reference"] is not None:
        steps.insert(0, f"all networks aligned to one ({settings['align_to_reference']})")
    if settings["label_smoothing"] is not None:
        steps.append(f"label smoothing {settings['label_smoothing']:g}")
    if steps:
        yield f"{display_name(name)}: {', then '.join(steps)}"


def _step(step: dict[str, Any]) -> str:
    kept = {k: v for k, v in step.items() if k not in ("kind", "sweeps", "augment") and v != []}
    settings = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in kept.items() if v is not None)
    kind = str(step["kind"]).replace("_", " ")
    return f"{kind} ({settings})" if settings else kind


def _contrastive(config: Config) -> str:
    settings = config.contrastive
    shares = ", ".join(f"{100 * share:g} %" for share in settings.label_fractions)
    return (
        f"SimCLR for {settings.pretraining.updates:,} updates of "
        f"{settings.pretraining.batch_size} pairs, then {settings.fine_tune.updates:,} updates "
        f"with {shares} of the labels"
    )
