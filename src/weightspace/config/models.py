"""The models that a config can name; a test keeps their settings like the constructors."""

from typing import Annotated, Literal

from pydantic import Field

from weightspace.config.types import Count, NonNegative, Positive, Strict

__all__ = ["ModelConfig"]


class MlpConfig(Strict):
    """A plain MLP on the flattened weights (weightspace.models.mlp)."""

    kind: Literal["mlp"]
    lr: Positive
    weight_decay: NonNegative
    width: Count = 256
    depth: Count = 2


class DwsConfig(Strict):
    """DWSNet, equivariant to permutations of hidden neurons (weightspace.models.dws)."""

    kind: Literal["dws"]
    lr: Positive
    weight_decay: NonNegative
    channels: Count = 16
    depth: Count = 3
    reduce: Literal["mean", "max"] = "mean"
    neuron_channels: Count = 32
    network_channels: Count = 64
    head_width: Count = 128


ModelConfig = Annotated[MlpConfig | DwsConfig, Field(discriminator="kind")]
