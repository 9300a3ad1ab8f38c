"""The sections of the experiments: which cells each of them compares."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, model_validator

from weightspace.config.contrastive import ContrastiveCellsConfig
from weightspace.config.data import DatasetConfig
from weightspace.config.types import Count, Strict

__all__ = [
    "EXPERIMENTS",
    "SUPERVISED",
    "Cell",
    "CellsConfig",
    "ExperimentsConfig",
    "Sweep",
    "expand",
    "main_experiment",
    "sweep_schemes",
]

# Augmentation, its parameter, the values of that parameter.
Values = Annotated[list[int | float], Field(min_length=1)]
Sweeps = dict[str, Annotated[dict[str, Values], Field(min_length=1)]]


class Cell(Strict):
    """One comparison unit: a model trained under a scheme on a set of networks, all seeds.

    `objects` is the number of training objects, None for all; `budget` multiplies the updates.
    """

    dataset: str
    model: str
    scheme: str
    views: int
    objects: int | None = None
    budget: int = 1

    @property
    def name(self) -> str:
        """The folder of the cell under `runs/`."""
        name = f"{self.dataset}-{self.model}-{self.scheme}-{self.views}views"
        name += f"-{self.objects}objects" if self.objects is not None else ""
        return name + (f"-{self.budget}x" if self.budget > 1 else "")


class Sweep(Strict):
    """The place of a derived scheme in a sweep over the strength of an augmentation."""

    augmentation: str
    parameter: str
    value: int | float


class CellsConfig(Strict):
    """A block of cells: the product of its lists.

    `datasets: null` takes all of the study; `objects: [null]` takes all objects. `sweeps` adds a
    scheme of one augmentation for every value of one of its parameters.
    """

    datasets: Annotated[list[str], Field(min_length=1)] | None = None
    models: list[str] = Field(min_length=1)
    schemes: list[str] = Field(default_factory=list)
    sweeps: Sweeps = Field(default_factory=dict)
    views: list[Count] = Field(default=[1], min_length=1)
    objects: list[Count | None] = Field(default=[None], min_length=1)
    budget: list[Count] = Field(default=[1], min_length=1)

    @model_validator(mode="after")
    def _something_to_compare(self) -> "CellsConfig":
        if not self.schemes and not self.sweeps:
            raise ValueError("a block of cells needs schemes, or sweeps")
        return self


class ExperimentsConfig(Strict):
    """The experiments of a study; each has a figure and a table of its name."""

    overfitting: list[CellsConfig] = Field(default_factory=list)
    views: list[CellsConfig] = Field(default_factory=list)
    schemes: list[CellsConfig] = Field(default_factory=list)
    equivalence: list[CellsConfig] = Field(default_factory=list)
    alignment: list[CellsConfig] = Field(default_factory=list)
    strength: list[CellsConfig] = Field(default_factory=list)
    gap: list[CellsConfig] = Field(default_factory=list)
    contrastive: list[ContrastiveCellsConfig] = Field(default_factory=list)


EXPERIMENTS = tuple(ExperimentsConfig.model_fields)
SUPERVISED = tuple(name for name in EXPERIMENTS if name != "contrastive")
# In the order in which one of them is the main one of a study.
_MAIN = ("schemes", "equivalence", "views", "gap", "overfitting", "alignment", "strength")


def main_experiment(configured: Sequence[str]) -> str:
    """The experiment that a study is about first of all."""
    return next((name for name in _MAIN if name in configured), configured[0])


def sweep_schemes(sweeps: Sweeps) -> dict[str, Sweep]:
    """The derived schemes of a sweep by name, e.g. `gaussian_noise_scale_0_32`.

    Raises:
        ValueError: if a value is listed twice.
    """
    found = {}
    for augmentation, parameters in sweeps.items():
        for parameter, values in parameters.items():
            for value in values:
                text = repr(value).replace(".", "_").replace("-", "m").replace("+", "")
                name = f"{augmentation}_{parameter}_{text}"
                if name in found:
                    raise ValueError(f"sweeps.{augmentation}.{parameter} lists {value} twice")
                found[name] = Sweep(augmentation=augmentation, parameter=parameter, value=value)
    return found


def expand(block: CellsConfig, datasets: Mapping[str, DatasetConfig]) -> list[Cell]:
    """The cells of a block; `datasets` are those of the study.

    A number of objects that is all there are becomes None, so that a cell has one name.
    """
    return [
        Cell(
            dataset=dataset,
            model=model,
            scheme=scheme,
            views=views,
            objects=None if objects == datasets[dataset].train else objects,
            budget=budget,
        )
        for dataset in (datasets if block.datasets is None else block.datasets)
        for model in block.models
        for budget in block.budget
        for objects in block.objects
        for views in block.views
        for scheme in (*block.schemes, *sweep_schemes(block.sweeps))
    ]
