"""The typed configuration of a study: every key is known and every value is possible.

This module imports no torch, because the Snakefile imports it at every parse.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import Field, ValidationError, field_validator

from weightspace.config.augment import SchemeConfig
from weightspace.config.cells import CellsConfig
from weightspace.config.data import DatasetConfig
from weightspace.config.fit import FitConfig
from weightspace.config.messages import describe, nearest
from weightspace.config.models import ModelConfig
from weightspace.config.train import TrainConfig
from weightspace.config.types import Name, Strict

__all__ = ["Cell", "Config", "ConfigError", "load_config"]

# Folders of results/ that belong to no study.
RESERVED = ("bench", "downloads", "reference")


class ConfigError(ValueError):
    """The configuration cannot be run; the message names each key and what it may be."""


class Cell(Strict):
    """One comparison unit: a model trained under a scheme on a number of views, all seeds."""

    model: str
    scheme: str
    views: int

    @property
    def name(self) -> str:
        """The folder of the cell under `runs/`."""
        return f"{self.model}-{self.scheme}-{self.views}views"


class Config(Strict):
    """One study; its results live under `results/<study>/`."""

    study: Name
    dataset: DatasetConfig
    fit: FitConfig
    train: TrainConfig
    models: dict[Name, ModelConfig]
    schemes: dict[Name, SchemeConfig]
    cells: list[CellsConfig] = Field(min_length=1)

    @field_validator("study")
    @classmethod
    def _not_reserved(cls, study: str) -> str:
        if study in RESERVED:
            raise ValueError(f"{study!r} is a folder of results/ with another purpose")
        return study

    @field_validator("schemes")
    @classmethod
    def _none_is_none(cls, schemes: dict[str, SchemeConfig]) -> dict[str, SchemeConfig]:
        if "none" in schemes and schemes["none"] != SchemeConfig():
            raise ValueError("the scheme 'none' is what others are compared with; leave it empty")
        return schemes

    @field_validator("cells")
    @classmethod
    def _known_cells(cls, blocks: list[CellsConfig], info: Any) -> list[CellsConfig]:
        for block in blocks:
            for key in ("models", "schemes"):
                if key in info.data:
                    _refuse_unknown(getattr(block, key), info.data[key], what=key.rstrip("s"))
            if "fit" in info.data and max(block.views) > info.data["fit"].views.train:
                raise ValueError(
                    f"views {max(block.views)} asked for, but fit.views.train fits only "
                    f"{info.data['fit'].views.train} views of each training object; "
                    "raise fit.views.train or ask for fewer"
                )
        names = [cell.name for cell in _expand(blocks)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the cell {twice} is listed twice")
        return blocks

    def all_cells(self) -> dict[str, Cell]:
        """Return the cells by name, in the order of the config."""
        return {cell.name: cell for cell in _expand(self.cells)}

    def resolve(self, cell_name: str) -> dict[str, Any]:
        """Return all that decides the results of one cell, given its dataset of INRs."""
        cell = self.all_cells()[cell_name]
        settings = self.models[cell.model].model_dump()
        return {
            "study": self.study,
            "dataset": self.dataset.name,
            "objects": self.dataset.model_dump(),
            "fit": self.fit.model_dump(exclude={"shard_size"}),
            "cell": cell_name,
            **cell.model_dump(),
            "scheme_settings": self.schemes[cell.scheme].model_dump(),
            "train": {
                **self.train.model_dump(),
                "lr": settings.pop("lr"),
                "weight_decay": settings.pop("weight_decay"),
            },
            "model_settings": settings,
        }

    def n_objects(self) -> int:
        """Return the number of objects over all splits."""
        return self.dataset.train + self.dataset.val + self.dataset.test

    def dataset_mb(self) -> int:
        """Return about how many MB all fitted weights take, rounded up."""
        widths = [3, *self.fit.hidden, 3]  # at most 3 inputs and 3 outputs
        parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(widths))
        counts, views = self.dataset, self.fit.views
        n_inrs = sum(getattr(counts, s) * getattr(views, s) for s in ("train", "val", "test"))
        return 1 + n_inrs * parameters * 4 // 10**6

    def n_shards(self) -> int:
        """Return the number of fitting jobs."""
        return -(-self.n_objects() // self.fit.shard_size)


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


def _expand(blocks: Sequence[CellsConfig]) -> list[Cell]:
    return [
        Cell(model=model, scheme=scheme, views=views)
        for block in blocks
        for model in block.models
        for scheme in block.schemes
        for views in block.views
    ]


def _refuse_unknown(names: Sequence[str], known: Mapping[str, Any], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}; {nearest(name, known)}")
