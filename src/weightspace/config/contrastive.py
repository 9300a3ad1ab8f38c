"""The section of contrastive pre-training: what is compared, and how it is trained."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from weightspace.config.train import UpdatesConfig
from weightspace.config.types import Count, Positive, Strict, Width

__all__ = ["ContrastiveCell", "ContrastiveCellsConfig", "ContrastiveConfig"]

Pairs = Literal["augmented", "views"]
Fraction = Annotated[float, Field(gt=0, le=1)]


class ContrastiveCell(Strict):
    """A model pre-trained with one set of augmentations, then judged with every label fraction.

    `scheme` and `pairs` are None for training from scratch, which the others are compared with.
    """

    dataset: str
    model: str
    scheme: str | None
    pairs: Pairs | None
    views: int

    @property
    def name(self) -> str:
        """The folder of the cell under `contrastive/`."""
        kind = "scratch" if self.scheme is None else f"{self.scheme}-{self.pairs}"
        return f"{self.dataset}-{self.model}-{kind}-{self.views}views"


class ContrastiveCellsConfig(Strict):
    """A block of cells: the product of its lists, and the cells from scratch that go with them.

    `datasets: null` takes all of the study. Only the augmentations of a scheme are used, so it
    may have no mix, no label smoothing and no reference.
    """

    datasets: Annotated[list[str], Field(min_length=1)] | None = None
    models: list[str] = Field(min_length=1)
    schemes: list[str] = Field(min_length=1)
    pairs: list[Pairs] = Field(default=["augmented"], min_length=1)
    views: list[Count] = Field(default=[1], min_length=1)

    @model_validator(mode="after")
    def _possible(self) -> "ContrastiveCellsConfig":
        if "scratch" in self.schemes:
            raise ValueError("'scratch' names the cells without pre-training; rename the scheme")
        if "views" in self.pairs and min(self.views) < 2:
            raise ValueError("pairs of views need at least 2 views of each training object")
        return self

    def cells(self, datasets: list[str]) -> list[ContrastiveCell]:
        """Expand the block; `datasets` are those of the study."""
        return [
            ContrastiveCell(dataset=dataset, model=model, scheme=scheme, pairs=pairs, views=views)
            for dataset in (datasets if self.datasets is None else self.datasets)
            for model in self.models
            for views in self.views
            for pairs, scheme in [
                (None, None),
                *((pairs, scheme) for pairs in self.pairs for scheme in self.schemes),
            ]
        ]


class _EncoderConfig(UpdatesConfig):
    """What the pre-training and the fine-tuning both need; `lr: null` is that of the model."""

    lr: Positive | None


class PretrainingConfig(_EncoderConfig):
    """Pre-training without labels, the same for every scheme; a batch counts pairs."""

    temperature: Positive
    projection: Width


class FineTuneConfig(_EncoderConfig):
    """Training with labels, the same from the pre-trained and from the initial state."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]


class ProbeConfig(Strict):
    """The linear probe: the penalties it may choose from on validation."""

    l2: list[Positive] = Field(min_length=1)


class ContrastiveConfig(Strict):
    """Contrastive pre-training and what it is worth with few labels."""

    embedding: Width
    label_fractions: list[Fraction] = Field(min_length=1)
    pretraining: PretrainingConfig
    fine_tune: FineTuneConfig
    probe: ProbeConfig

    @field_validator("label_fractions")
    @classmethod
    def _distinct(cls, fractions: list[float]) -> list[float]:
        if len(set(fractions)) < len(fractions):
            raise ValueError("a label fraction is listed twice")
        return fractions

    def resolve(self, *, lr: float, weight_decay: float) -> dict[str, Any]:
        """Return the settings of a cell, given the optimiser of its model."""
        settings = self.model_dump()
        for part in ("pretraining", "fine_tune"):
            own = settings[part]
            own["lr"] = lr if own["lr"] is None else own["lr"]
            own["weight_decay"] = weight_decay
        return settings
