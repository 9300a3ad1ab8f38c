"""Do the parts of a config fit together? Each refusal names what is wrong and what may be."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from weightspace.config.augment import RotateConfig, SchemeConfig
from weightspace.config.cells import CellsConfig, Sweep, sweep_schemes
from weightspace.config.contrastive import ContrastiveCellsConfig, ContrastiveConfig
from weightspace.config.data import SHAPES, DatasetConfig
from weightspace.config.fit import FitConfig
from weightspace.config.messages import describe, nearest

__all__ = ["RAW_INPUTS", "check_block", "derived_scheme", "merged_fit"]

RAW_INPUTS = {
    "pixel_cnn": "pixels",
    "pixel_mlp": "pixels",
    "pointnet": "points",
    "pointnet_occupancy": "queries",
}
"""What the kinds of models read that read the objects themselves, and not networks: the pixels of
pictures, points on the surface of shapes, or points with the signal there."""


def merged_fit(fit: FitConfig, changes: Mapping[str, Any]) -> FitConfig:
    """The settings of `fit` with those of one dataset in their place."""
    merged = {**fit.model_dump(), **changes}
    if isinstance(changes.get("views"), Mapping):
        merged["views"] = {**fit.views.model_dump(), **changes["views"]}
    return FitConfig.model_validate(merged)


def derived_scheme(sweep: Sweep) -> SchemeConfig:
    """The scheme of one value of a sweep."""
    step = {"kind": sweep.augmentation, sweep.parameter: sweep.value}
    return SchemeConfig.model_validate({"augment": [step]})


def check_block(
    experiment: str, block: CellsConfig | ContrastiveCellsConfig, known: Mapping[str, Any]
) -> None:
    """Refuse unknown names, and what the experiment, the data or the model cannot give.

    Raises:
        ValueError: says what is wrong with the block.
    """
    datasets = list(known["datasets"]) if block.datasets is None else block.datasets
    _refuse_unknown(datasets, known["datasets"], "dataset")
    _refuse_unknown(block.models, known["models"], "model")
    _refuse_unknown(block.schemes, known["schemes"], "scheme")
    for name in datasets:
        _check_sizes(block, name, known["datasets"][name], known["fit"])
        for scheme in block.schemes:
            _check_axes(scheme, known["schemes"][scheme], name, known["datasets"][name].source)
        if isinstance(block, ContrastiveCellsConfig) and "contrastive" in known:
            _check_pairs(name, known["datasets"][name], known["contrastive"])
    kinds = {name: known["models"][name].kind for name in block.models}
    raw = {name: RAW_INPUTS[kind] for name, kind in kinds.items() if kind in RAW_INPUTS}
    for model, inputs in raw.items():
        for name in datasets:
            if inputs not in _raw_inputs(known["datasets"][name].source):
                raise ValueError(f"the model {model!r} reads {inputs}; {name!r} has none")
    if isinstance(block, CellsConfig):
        _check_sweeps(block, known["schemes"])
        if experiment == "strength" and (set(block.schemes) - {"none"} or not block.sweeps):
            raise ValueError(
                "strength compares sweeps with the scheme none; give the block sweeps, and no "
                "other scheme than none"
            )
        for model, inputs in raw.items():
            if block.schemes != ["none"] or block.sweeps or block.views != [1]:
                raise ValueError(
                    f"the model {model!r} reads {inputs}, which have no views and no schemes in "
                    "weight space; give it a block of its own with schemes [none] and views [1]"
                )
        _check_consistency(block, known)
        return
    for model, inputs in raw.items():
        raise ValueError(f"the model {model!r} reads {inputs}; pre-training is of networks")
    for name in block.schemes:
        if known["schemes"][name] != SchemeConfig(augment=known["schemes"][name].augment):
            raise ValueError(
                f"the scheme {name!r} has more than augmentations; pre-training has no labels, so "
                "take a scheme that has no other key"
            )


def _raw_inputs(source: str) -> tuple[str, ...]:
    """What models may read of a dataset beside its networks."""
    if source in SHAPES:
        return ("points", "queries")
    return () if source == "inrs" else ("pixels",)


def _check_axes(name: str, scheme: SchemeConfig, dataset: str, source: str) -> None:
    """A picture can only be rotated in its plane."""
    if source in SHAPES or source == "inrs":
        return
    for step in scheme.augment:
        if isinstance(step, RotateConfig) and step.axis is not None:
            raise ValueError(
                f"the scheme {name!r} rotates about the axis {step.axis}; {dataset!r} has "
                "pictures, so take out the axis or the dataset"
            )


def _check_sweeps(block: CellsConfig, schemes: Mapping[str, SchemeConfig]) -> None:
    for name, sweep in sweep_schemes(block.sweeps).items():
        if name in schemes:
            raise ValueError(f"the sweep makes the scheme {name!r}, which is listed too; rename it")
        try:
            derived_scheme(sweep)
        except ValidationError as error:
            raise ValueError(f"sweeps: {describe(error.errors()[0])}") from None


def _check_consistency(block: CellsConfig, known: Mapping[str, Any]) -> None:
    """Consistency is of two views of each object, which share a batch."""
    for name in block.schemes:
        if not known["schemes"][name].consistency:
            continue
        if min(block.views) < 2:
            raise ValueError(
                f"the scheme {name!r} compares views of one object, which views "
                f"{min(block.views)} has not; give it a block of its own with views from 2"
            )
        if "train" in known and known["train"].batch_size % 2:
            raise ValueError(
                f"the scheme {name!r} reads pairs of views, but train.batch_size is "
                f"{known['train'].batch_size}; make it even"
            )


def _check_sizes(
    block: CellsConfig | ContrastiveCellsConfig, name: str, dataset: DatasetConfig, fit: FitConfig
) -> None:
    if dataset.source == "inrs":  # what the file holds is known only when it is read
        return
    fitted = merged_fit(fit, dataset.fit).views.train
    if max(block.views) > fitted:
        raise ValueError(
            f"views {max(block.views)} asked for, but fit.views.train fits only {fitted} views "
            f"of each training object of {name}; raise it or ask for fewer"
        )
    counts = block.objects if isinstance(block, CellsConfig) else []
    largest = max((n for n in counts if n is not None), default=0)
    if largest > dataset.n_objects()["train"]:
        raise ValueError(
            f"objects {largest} asked for, but {name} has {dataset.train} training objects; "
            "raise its train or ask for fewer"
        )


def _check_pairs(name: str, dataset: DatasetConfig, settings: ContrastiveConfig) -> None:
    """A batch of pairs holds no object twice."""
    n, wanted = dataset.n_objects()["train"], settings.pretraining.batch_size
    if dataset.source != "inrs" and wanted > n:
        raise ValueError(
            f"contrastive.pretraining.batch_size is {wanted}, but {name} has only {n} training "
            "objects to draw pairs from; lower it or raise train"
        )


def _refuse_unknown(names: Iterable[str], known: Mapping[str, Any], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}; {nearest(name, known)}")
