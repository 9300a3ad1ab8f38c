"""The sections of the experiments: which cells each of them compares."""

from typing import Annotated

from pydantic import Field, model_validator

from weightspace.config.contrastive import ContrastiveCellsConfig
from weightspace.config.types import Count, Strict

__all__ = [
    "EXPERIMENTS",
    "SUPERVISED",
    "Cell",
    "CellsConfig",
    "ExperimentsConfig",
    "Sweep",
    "sweep_schemes",
]

# Augmentation, its parameter, the values of that parameter.
Sweeps = dict[str, dict[str, Annotated[list[float], Field(min_length=1)]]]


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
    value: float


class CellsConfig(Strict):
    """A block of cells: the product of its lists.

    `datasets: null` takes all of the study; `objects: [null]` takes all objects. `sweeps` adds a
    scheme of one augmentation for every value of one of its parameters.
    """

    datasets: list[str] | None = None
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

    def cells(self, datasets: list[str]) -> list[Cell]:
        """Expand the block; `datasets` are those of the study."""
        return [
            Cell(
                dataset=dataset,
                model=model,
                scheme=scheme,
                views=views,
                objects=objects,
                budget=budget,
            )
            for dataset in (datasets if self.datasets is None else self.datasets)
            for model in self.models
            for budget in self.budget
            for objects in self.objects
            for views in self.views
            for scheme in (*self.schemes, *sweep_schemes(self.sweeps))
        ]


class ExperimentsConfig(Strict):
    """The experiments of a study; each has a figure and a table of its name."""

    overfitting: list[CellsConfig] = Field(default_factory=list)
    views: list[CellsConfig] = Field(default_factory=list)
    schemes: list[CellsConfig] = Field(default_factory=list)
    equivalence: list[CellsConfig] = Field(default_factory=list)
    alignment: list[CellsConfig] = Field(default_factory=list)
    strength: list[CellsConfig] = Field(default_factory=list)
    contrastive: list[ContrastiveCellsConfig] = Field(default_factory=list)


EXPERIMENTS = tuple(ExperimentsConfig.model_fields)
SUPERVISED = tuple(name for name in EXPERIMENTS if name != "contrastive")


def sweep_schemes(sweeps: Sweeps) -> dict[str, Sweep]:
    """The derived schemes of a sweep by name, e.g. `gaussian_noise_scale_0_32`."""
    found = {}
    for augmentation, parameters in sweeps.items():
        for parameter, values in parameters.items():
            for value in values:
                text = f"{value:g}".replace(".", "_").replace("-", "m")
                found[f"{augmentation}_{parameter}_{text}"] = Sweep(
                    augmentation=augmentation, parameter=parameter, value=value
                )
    return found
