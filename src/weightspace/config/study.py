"""The whole config of a study: every key is known, every value is possible, all names exist.

This package imports no torch, because the Snakefile imports it at every parse.
"""

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator

from weightspace.config.augment import SchemeConfig
from weightspace.config.cells import (
    EXPERIMENTS,
    SUPERVISED,
    Cell,
    ExperimentsConfig,
    Sweep,
    expand,
    sweep_schemes,
)
from weightspace.config.checks import RAW_INPUTS, check_block, derived_scheme, merged_fit
from weightspace.config.contrastive import ContrastiveCell, ContrastiveConfig
from weightspace.config.data import DatasetConfig, PointsConfig
from weightspace.config.fit import FitConfig
from weightspace.config.messages import describe
from weightspace.config.models import ModelConfig
from weightspace.config.train import TrainConfig
from weightspace.config.types import Name, Strict

__all__ = ["Config", "ConfigError", "load_config"]

# Folders of results/ that belong to no study.
RESERVED = ("bench", "downloads", "reference")


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
                    fit = merged_fit(info.data["fit"], dataset.fit)
                except ValidationError as error:
                    problem = describe(error.errors()[0]).removeprefix("top level: ")
                    raise ValueError(f"{name}.fit: {problem}") from None
                if dataset.points and dataset.points.per_step and fit.target_psnr:
                    raise ValueError(
                        f"{name}: a step that sees points.per_step of the points cannot tell when "
                        "fit.target_psnr is reached; set one of them to null"
                    )
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
                    check_block(name, block, info.data)
                except ValueError as error:
                    raise ValueError(f"{name}.{i}: {error}") from None
                if name == "contrastive":  # its blocks share the cells from scratch
                    continue
                cells += [cell.name for cell in expand(block, info.data["datasets"])]
            if len(set(cells)) < len(cells):
                twice = next(cell for cell in cells if cells.count(cell) > 1)
                raise ValueError(f"{name}: the cell {twice} is listed twice")
        return experiments

    @cached_property
    def _cells(self) -> dict[str, dict[str, Cell]]:
        """The cells of each supervised experiment by name."""
        return {
            name: {
                cell.name: cell
                for block in getattr(self.experiments, name)
                for cell in expand(block, self.datasets)
            }
            for name in SUPERVISED
        }

    @cached_property
    def all_cells(self) -> dict[str, Cell]:
        """The cells of all supervised experiments by name."""
        return {k: c for cells in self._cells.values() for k, c in cells.items()}

    @cached_property
    def contrastive_cells(self) -> dict[str, ContrastiveCell]:
        """The cells of contrastive pre-training by name, each with those from scratch."""
        blocks = self.experiments.contrastive
        return {c.name: c for block in blocks for c in block.cells(list(self.datasets))}

    @property
    def configured(self) -> list[str]:
        """The experiments that the study has."""
        return [name for name in EXPERIMENTS if getattr(self.experiments, name)]

    @cached_property
    def sweeps(self) -> dict[str, Sweep]:
        """The schemes that are derived from sweeps, by name."""
        blocks = [b for name in SUPERVISED for b in getattr(self.experiments, name)]
        return {k: s for block in blocks for k, s in sweep_schemes(block.sweeps).items()}

    def cells_of(self, experiment: str) -> dict[str, Cell]:
        """Return the cells of a supervised experiment by name, in the order of the config."""
        return self._cells[experiment]

    def scheme(self, name: str) -> SchemeConfig:
        """Return a scheme, listed or derived from a sweep."""
        return self.schemes[name] if name in self.schemes else derived_scheme(self.sweeps[name])

    def inputs_of(self, cell: Cell | ContrastiveCell) -> str:
        """Return what the model of a cell reads: "weights", or one of `RAW_INPUTS`."""
        return RAW_INPUTS.get(self.models[cell.model].kind, "weights")

    def used_datasets(self) -> list[str]:
        """Return the datasets that some cell needs, in the order of the config."""
        cells = [*self.all_cells.values(), *self.contrastive_cells.values()]
        used = {cell.dataset for cell in cells}
        return [name for name in self.datasets if name in used]

    def fitted_datasets(self) -> list[str]:
        """Return the datasets whose objects some cell needs as networks."""
        cells = [c for c in self.all_cells.values() if self.inputs_of(c) == "weights"]
        used = {cell.dataset for cell in (*cells, *self.contrastive_cells.values())}
        return [name for name, d in self.datasets.items() if name in used and d.source != "inrs"]

    @cached_property
    def _fits_of(self) -> dict[str, FitConfig]:
        """The settings of the fits by dataset, merged once: every fitting job asks for them."""
        return {name: merged_fit(self.fit, d.fit) for name, d in self.datasets.items()}

    def fit_of(self, dataset: str) -> FitConfig:
        """Return the settings of the fits of a dataset."""
        return self._fits_of[dataset]

    def _points_of(self, dataset: str) -> PointsConfig:
        return self.datasets[dataset].points or PointsConfig()

    def sampling_of(self, dataset: str) -> dict[str, Any]:
        """Return how the points of a dataset of shapes are sampled."""
        points = self._points_of(dataset).model_dump(exclude={"signal", "truncation", "per_step"})
        return points | {"seed": self.datasets[dataset].seed}

    def signal_of(self, dataset: str) -> dict[str, Any] | None:
        """Return what the networks of shapes are to show at these points; None of pictures."""
        if not self.datasets[dataset].is_shape:
            return None
        return self._points_of(dataset).model_dump(exclude={"queries", "surface"})

    def resolve(self, cell_name: str) -> dict[str, Any]:
        """Return all that decides the results of one cell, given its dataset."""
        cell = self.all_cells[cell_name]
        settings = self.models[cell.model].model_dump()
        train = self.train.model_dump()
        train |= {key: train[key] * cell.budget for key in ("updates", "evaluate_every")}
        train |= {key: settings.pop(key) for key in ("lr", "weight_decay")}
        inputs = self.inputs_of(cell)
        return {
            **self._origin(cell, fitted=inputs == "weights"),
            "inputs": inputs,
            "train": train,
            "scheme_settings": self.scheme(cell.scheme).model_dump(),
            "model_settings": settings,
        }

    def resolve_contrastive(self, cell_name: str) -> dict[str, Any]:
        """Return all that decides the results of one cell of contrastive pre-training."""
        cell = self.contrastive_cells[cell_name]
        settings = self.models[cell.model].model_dump()
        optimiser = {key: settings.pop(key) for key in ("lr", "weight_decay")}
        scheme = None if cell.scheme is None else self.scheme(cell.scheme).model_dump()
        return {
            **self._origin(cell),
            "scheme_settings": scheme,
            "model_settings": settings,
            "seeds": self.train.seeds,
            **{key: getattr(self.train, key) for key in ("device", "memory_mb")},
            **self.contrastive.resolve(**optimiser),
        }

    def _origin(self, cell: Cell | ContrastiveCell, *, fitted: bool = True) -> dict[str, Any]:
        """What a cell is and what its examples are made from."""
        chosen, fit = self.datasets[cell.dataset], self.fit_of(cell.dataset)
        fitted = fitted and chosen.source != "inrs"
        return {
            "study": self.study,
            "cell": cell.name,
            **cell.model_dump(),
            "source": chosen.source,
            "train_views": fit.views.train if fitted else None,
            "data": chosen.model_dump(exclude={"fit"}),
            "fit": fit.model_dump(exclude={"shard_size"}) if fitted else None,
        }

    def minutes(self, updates: int) -> int:
        """Return a generous bound on the run time of a job that makes `updates` for each seed."""
        seconds = 0.2 * updates * len(self.train.seeds)  # a matching of 256 pairs on one core
        return 60 + round(seconds / 60)

    def contrastive_minutes(self) -> int:
        """Return the same for a cell of contrastive pre-training or from scratch."""
        pretraining, fine_tune = (
            getattr(self.contrastive, part).updates for part in ("pretraining", "fine_tune")
        )
        # Pre-training reads two networks of each pair; training from scratch has both lengths.
        every_fraction = len(self.contrastive.label_fractions) * (pretraining + 2 * fine_tune)
        return self.minutes(max(2 * pretraining, every_fraction))

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
        return 1 + self.n_inrs(dataset) * parameters * 4 // 10**6

    def held_mb(self, cell: Cell | ContrastiveCell) -> int:
        """Return about how many MB of examples the training of a cell holds at a time."""
        whole = self.dataset_mb(cell.dataset)
        if self.train.memory_mb is None or self.inputs_of(cell) != "weights":
            return whole
        return min(whole, self.train.memory_mb)

    def points_mb(self, dataset: str) -> int:
        """Return about how many MB the points of all fits of a dataset take; 0 of pictures."""
        points = self.datasets[dataset].points
        numbers = 4 * points.queries if points else 0  # three coordinates and the signal
        return self.n_inrs(dataset) * numbers * 4 // 10**6

    def n_inrs(self, dataset: str) -> int:
        """Return the number of fits of a dataset over all splits."""
        views = self.fit_of(dataset).views.fitted()
        return sum(n * views[split] for split, n in self.datasets[dataset].n_objects().items())


def load_config(raw: Mapping[str, Any]) -> Config:
    """Check a config as read from YAML.

    Raises:
        ConfigError: listing every problem with its key and the nearest valid choice.
    """
    if not isinstance(raw, Mapping):
        raise ConfigError(f"the config cannot be run: it must have sections; it is {raw!r:.40}")
    try:
        return Config.model_validate(dict(raw))
    except ValidationError as error:
        problems = "\n".join(f"  {describe(e)}" for e in error.errors())
        raise ConfigError(f"the config cannot be run:\n{problems}") from None
