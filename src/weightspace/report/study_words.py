"""A config in words: what a study asks and what was done, for the HTML report."""

from collections.abc import Iterator
from typing import Any

from weightspace.config.cells import EXPERIMENTS
from weightspace.config.data import DatasetConfig
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
UNIFORM = {"low": 0.0, "high": 1.0, "alpha": 1.0, "beta": 1.0}  # the distribution of lam
PARTNERS = {
    "direct": "partner as it is",
    "randomised": "randomly permuted partner",
    "aligned": "partner that is aligned first",
    "leaky": "partner from any view, also from excluded ones",
}


def study_facts(config: Config) -> dict[str, list[str]]:
    """What was done, as sentences under a few heads: data, fits, models, training, schemes."""
    cells = [*config.all_cells.values(), *config.contrastive_cells.values()]
    models = dict.fromkeys(cell.model for cell in cells)
    schemes = dict.fromkeys(cell.scheme for cell in cells if cell.scheme is not None)
    absent = [name for name in EXPERIMENTS if name not in config.configured]
    facts = {
        "data": [
            f"{display_name(d)}: {_objects(config.datasets[d])}" for d in config.used_datasets()
        ],
        "fits": [
            f"{display_name(d)}: {_fit(config.fit_of(d), config.datasets[d])}"
            for d in config.fitted_datasets()
        ],
        "models": [_model(name, config.models[name].model_dump()) for name in models],
        "training": [_training(config)],
        "schemes": [text for name in schemes for text in _scheme(config, name)],
        "pre-training": [_contrastive(config)] if config.contrastive_cells else [],
        "left out": [f"the experiments {', '.join(absent)}"] if absent else [],
    }
    return {what: texts for what, texts in facts.items() if texts}


def _objects(dataset: DatasetConfig) -> str:
    if dataset.source == "inrs":
        return "networks that others fitted"
    what = "shapes" if dataset.is_shape else "pictures"
    n = dataset.n_objects()
    classes = "as many of each class" if dataset.balance == "equal" else "classes as in the set"
    return (
        f"{n['train']:,} {what} to train on, {n['val']:,} to choose on and {n['test']:,} to test "
        f"on ({classes}), from the source {dataset.source}"
    )


def _fit(fit: FitConfig, dataset: DatasetConfig) -> str:
    seen = "pixels"
    if dataset.is_shape and dataset.points is not None:
        seen = f"{dataset.points.per_step or dataset.points.queries:,} points in each step"
    internal = (
        f" (and {fit.views.internal} more that are never trained on)" if fit.views.internal else ""
    )
    shared = ", from initialisations that all objects share" if fit.shared_init else ""
    stop = "" if fit.target_psnr is None else f", or until {fit.target_psnr:g} dB"
    return (
        f"SIREN with hidden layers of {' and '.join(map(str, fit.hidden))} neurons, omega_0 "
        f"{fit.omega_0:g}; Adam for {fit.steps:,} steps{stop} on all {seen}, learning rate "
        f"{fit.lr:g} ({fit.schedule}){shared}; "
        f"{fit.views.train} views of each training object{internal}, "
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
        steps.append(_step({**mix, "kind": f"MixUp with a {PARTNERS[mix['kind']]}"}))
    if settings["align_to_reference"] is not None:
        steps.insert(0, f"all networks aligned to one ({settings['align_to_reference']})")
    if settings["label_smoothing"] is not None:
        steps.append(f"label smoothing {settings['label_smoothing']:g}")
    if "consistency" in settings:
        weight = f"weight {settings['consistency']:g}"
        steps.append(f"consistency of the predictions for two views of an object ({weight})")
    if not settings.get("standardise", True):
        steps.append("weights as they are, not standardised")
    if steps:
        yield f"{display_name(name)}: {', then '.join(steps)}"


def _step(step: dict[str, Any]) -> str:
    """A step with what is set of it; what is off, and a uniform share of MixUp, goes without."""
    shown = {
        key: value
        for key, value in step.items()
        if key not in ("kind", "sweeps", "augment")
        and value not in (None, False)
        and UNIFORM.get(key) != value
    }
    settings = ", ".join(
        key.replace("_", " ") if value is True else f"{key.replace('_', ' ')} {value}"
        for key, value in shown.items()
    )
    kind = display_name(str(step["kind"]))
    return f"{kind} ({settings})" if settings else kind


def _contrastive(config: Config) -> str:
    settings = config.contrastive
    shares = ", ".join(f"{100 * share:g} %" for share in settings.label_fractions)
    return (
        f"SimCLR for {settings.pretraining.updates:,} updates of "
        f"{settings.pretraining.batch_size} pairs, then {settings.fine_tune.updates:,} updates "
        f"with {shares} of the labels"
    )
