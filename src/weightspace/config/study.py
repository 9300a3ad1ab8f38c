"""The whole config of a study: every key is known, every value is possible, all names exist.

This package imports no torch, because the Snakefile imports it at every parse.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator

from weightspace.config.augment import SchemeConfig
from weightspace.config.cells import (
    EXPERIMENTS,
    SUPERVISED,
    Cell,
    CellsConfig,
    ExperimentsConfig,
    Sweep,
    sweep_schemes,
)
from weightspace.config.contrastive import (
    ContrastiveCell,
    ContrastiveCellsConfig,
    ContrastiveConfig,
)
from weightspace.config.data import DatasetConfig
from weightspace.config.fit import FitConfig
from weightspace.config.messages import describe, nearest
from weightspace.config.models import ModelConfig
from weightspace.config.train import TrainConfig
from weightspace.config.types import Name, Strict

__all__ = ["Config", "ConfigError", "load_config"]

# Folders of results/ that belong to no study.
RESERVED = ("bench", "downloads", "reference")

PIXEL_MODELS = ("pixel_cnn", "pixel_mlp")
"""Kinds of models that read the pictures themselves."""


class ConfigError(ValueError):
    """The configuration cannot be run; the message names each key and what it may be."""


class Config(Strict):
    """One study; its results live under `results/<study>/`."""

    study: Name
    fit: FitConfig
    datasets: dict[Name, DatasetConfig]
    train: TrainConfig
    models: dict[Name, ModelConfig]
    schemes: dict[Name, SchemeConfig]
    contrastive: ContrastiveConfig
    experiments: ExperimentsConfig

    @field_validator("study")
    @classmethod
    def _not_reserved(cls, study: str) -> str:
        if study in RESERVED:
            raise ValueError(f"{study!r} is a folder of results/ with another purpose")
        return study

    @field_validator("datasets")
    @classmethod
    def _fits(cls, datasets: dict[str, DatasetConfig], info: Any) -> dict[str, DatasetConfig]:
        for name, dataset in datasets.items():
            if "fit" in info.data:
                try:
                    _merged(info.data["fit"], dataset.fit)
                except ValidationError as error:
                    problem = describe(error.errors()[0]).removeprefix("top level: ")
                    raise ValueError(f"{name}.fit: {problem}") from None
        return datasets

    @field_validator("schemes")
    @classmethod
    def _none_is_none(cls, schemes: dict[str, SchemeConfig]) -> dict[str, SchemeConfig]:
        if "none" in schemes and schemes["none"] != SchemeConfig():
            raise ValueError("the scheme 'none' is what others are compared with; leave it empty")
        return schemes

    @field_validator("experiments")
    @classmethod
    def _known_cells(cls, experiments: ExperimentsConfig, info: Any) -> ExperimentsConfig:
        if not {"fit", "datasets", "models", "schemes"} <= info.data.keys():
            return experiments
        if not any(getattr(experiments, name) for name in EXPERIMENTS):
            raise ValueError(f"there is none; a study needs one of {', '.join(EXPERIMENTS)}")
        for name in EXPERIMENTS:
            cells = []
            for i, block in enumerate(getattr(experiments, name)):
                try:
                    _check_block(block, info.data)
                except ValueError as error:
                    raise ValueError(f"{name}.{i}: {error}") from None
                own = [cell.name for cell in block.cells(list(info.data["datasets"]))]
                # Blocks of pre-training share the cells from scratch.
                cells += own if name != "contrastive" else []
            if len(set(cells)) < len(cells):
                twice = next(cell for cell in cells if cells.count(cell) > 1)
                raise ValueError(f"{name}: the cell {twice} is listed twice")
        return experiments

    def cells_of(self, experiment: str) -> dict[str, Cell]:
        """Return the cells of a supervised experiment by name, in the order of the config."""
        blocks = getattr(self.experiments, experiment)
        return {c.name: c for block in blocks for c in block.cells(list(self.datasets))}

    def all_cells(self) -> dict[str, Cell]:
        """Return the cells of all experiments by name."""
        return {k: c for name in SUPERVISED for k, c in self.cells_of(name).items()}

    def contrastive_cells(self) -> dict[str, ContrastiveCell]:
        """Return the cells of contrastive pre-training by name, each with those from scratch."""
        blocks = self.experiments.contrastive
        return {c.name: c for block in blocks for c in block.cells(list(self.datasets))}

    def sweeps(self) -> dict[str, Sweep]:
        """Return the schemes that are derived from sweeps, by name."""
        blocks = [b for name in SUPERVISED for b in getattr(self.experiments, name)]
        return {k: s for block in blocks for k, s in sweep_schemes(block.sweeps).items()}

    def scheme(self, name: str) -> SchemeConfig:
        """Return a scheme, listed or derived from a sweep."""
        return self.schemes[name] if name in self.schemes else _derived(self.sweeps()[name])

    def reads_pixels(self, cell: Cell) -> bool:
        """Return whether the model of a cell reads the pictures, not the networks."""
        return self.models[cell.model].kind in PIXEL_MODELS

    def used_datasets(self) -> list[str]:
        """Return the datasets that some cell needs, in the order of the config."""
        cells = [*self.all_cells().values(), *self.contrastive_cells().values()]
        used = {cell.dataset for cell in cells}
        return [name for name in self.datasets if name in used]

    def fit_of(self, dataset: str) -> FitConfig:
        """Return the settings of the fits of a dataset."""
        return _merged(self.fit, self.datasets[dataset].fit)

    def resolve(self, cell_name: str) -> dict[str, Any]:
        """Return all that decides the results of one cell, given its dataset."""
        cell = self.all_cells()[cell_name]
        settings = self.models[cell.model].model_dump()
        train = self.train.model_dump()
        train |= {key: train[key] * cell.budget for key in ("updates", "evaluate_every")}
        train |= {key: settings.pop(key) for key in ("lr", "weight_decay")}
        return {
            **self._origin(cell),
            "inputs": "pixels" if self.reads_pixels(cell) else "weights",
            "train": train,
            "scheme_settings": self.scheme(cell.scheme).model_dump(),
            "model_settings": settings,
        }

    def resolve_contrastive(self, cell_name: str) -> dict[str, Any]:
        """Return all that decides the results of one cell of contrastive pre-training."""
        cell = self.contrastive_cells()[cell_name]
        settings = self.models[cell.model].model_dump()
        optimiser = {key: settings.pop(key) for key in ("lr", "weight_decay")}
        scheme = None if cell.scheme is None else self.scheme(cell.scheme).model_dump()
        return {
            **self._origin(cell),
            "scheme_settings": scheme,
            "model_settings": settings,
            "seeds": self.train.seeds,
            "device": self.train.device,
            **self.contrastive.resolve(**optimiser),
        }

    def _origin(self, cell: Cell | ContrastiveCell) -> dict[str, Any]:
        """What a cell is and what its networks are made from."""
        chosen, fit = self.datasets[cell.dataset], self.fit_of(cell.dataset)
        return {
            "study": self.study,
            "cell": cell.name,
            **cell.model_dump(),
            "source": chosen.source,
            "train_views": None if chosen.source == "inrs" else fit.views.train,
            "data": chosen.model_dump(exclude={"fit"}),
            "fit": fit.model_dump(exclude={"shard_size"}),
        }

    def n_objects(self, dataset: str) -> int:
        """Return the number of objects of a dataset over all splits."""
        return sum(self.datasets[dataset].n_objects().values())

    def n_shards(self, dataset: str) -> int:
        """Return the number of fitting jobs of a dataset."""
        return -(-self.n_objects(dataset) // self.fit_of(dataset).shard_size)

    def dataset_mb(self, dataset: str) -> int:
        """Return about how many MB all fitted weights of a dataset take, rounded up."""
        chosen, fit = self.datasets[dataset], self.fit_of(dataset)
        if chosen.source == "inrs":
            return 1 + Path(str(chosen.path)).stat().st_size // 10**6
        widths = [3, *fit.hidden, 3]  # at most 3 inputs and 3 outputs
        parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(widths))
        n_inrs = sum(n * fit.views.fitted()[s] for s, n in chosen.n_objects().items())
        return 1 + n_inrs * parameters * 4 // 10**6


def load_config(raw: Mapping[str, Any]) -> Config:
    """Check a config as read from YAML.

    Raises:
        ConfigError: listing every problem with its key and the nearest valid choice.
    """
    try:
        return Config.model_validate(dict(raw))
    except ValidationError as error:
        problems = "\n".join(f"  {describe(e)}" for e in error.errors())
        raise ConfigError(f"the config cannot be run:\n{problems}") from None


def _merged(fit: FitConfig, changes: Mapping[str, Any]) -> FitConfig:
    """The settings of `fit` with those of one dataset in their place."""
    merged = {**fit.model_dump(), **changes}
    if isinstance(changes.get("views"), Mapping):
        merged["views"] = {**fit.views.model_dump(), **changes["views"]}
    return FitConfig.model_validate(merged)


def _derived(sweep: Sweep) -> SchemeConfig:
    step = {"kind": sweep.augmentation, sweep.parameter: sweep.value}
    return SchemeConfig.model_validate({"augment": [step]})


def _check_block(block: CellsConfig | ContrastiveCellsConfig, known: Mapping[str, Any]) -> None:
    """Refuse unknown names, and what the data or the model cannot give."""
    datasets = list(known["datasets"]) if block.datasets is None else block.datasets
    _refuse_unknown(datasets, known["datasets"], "dataset")
    _refuse_unknown(block.models, known["models"], "model")
    _refuse_unknown(block.schemes, known["schemes"], "scheme")
    for name in datasets:
        _check_sizes(block, name, known["datasets"][name], known["fit"])
    pixels = [name for name in block.models if known["models"][name].kind in PIXEL_MODELS]
    imported = [name for name in datasets if known["datasets"][name].source == "inrs"]
    if pixels and imported:
        raise ValueError(f"the model {pixels[0]!r} reads pixels; {imported[0]!r} has none")
    if isinstance(block, CellsConfig):
        _check_sweeps(block, known["schemes"])
        if pixels and (block.schemes != ["none"] or block.sweeps or block.views != [1]):
            raise ValueError(
                f"the model {pixels[0]!r} reads pixels, which have no views and no schemes in "
                "weight space; give it a block of its own with schemes [none] and views [1]"
            )
        return
    if pixels:
        raise ValueError(f"the model {pixels[0]!r} reads pixels; pre-training is of networks")
    for name in block.schemes:
        if known["schemes"][name] != SchemeConfig(augment=known["schemes"][name].augment):
            raise ValueError(
                f"the scheme {name!r} has more than augmentations; pre-training has no labels, so "
                "take a scheme without mix, label smoothing and reference"
            )


def _check_sweeps(block: CellsConfig, schemes: Mapping[str, SchemeConfig]) -> None:
    for name, sweep in sweep_schemes(block.sweeps).items():
        if name in schemes:
            raise ValueError(f"the sweep makes the scheme {name!r}, which is listed too; rename it")
        try:
            _derived(sweep)
        except ValidationError as error:
            raise ValueError(f"sweeps: {describe(error.errors()[0])}") from None


def _check_sizes(
    block: CellsConfig | ContrastiveCellsConfig, name: str, dataset: DatasetConfig, fit: FitConfig
) -> None:
    if dataset.source == "inrs":  # what the file holds is known only when it is read
        return
    fitted = _merged(fit, dataset.fit).views.train
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


def _refuse_unknown(names: Iterable[str], known: Mapping[str, Any], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}; {nearest(name, known)}")
