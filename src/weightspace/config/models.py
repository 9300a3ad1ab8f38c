"""The models that a config can name; a test keeps their settings like the constructors."""

from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from weightspace.config.types import Depth, NonNegative, Positive, Strict, Width

__all__ = ["ModelConfig"]

DropoutShare = Annotated[float, Field(ge=0, lt=1)]
T = TypeVar("T", bound=Strict)


class MlpConfig(Strict):
    """A plain MLP on the flattened weights (weightspace.models.mlp)."""

    kind: Literal["mlp"]
    lr: Positive
    weight_decay: NonNegative
    width: Width = 256
    depth: Depth = 2


class DwsConfig(Strict):
    """DWSNet, equivariant to permutations of hidden neurons (weightspace.models.dws)."""

    kind: Literal["dws"]
    lr: Positive
    weight_decay: NonNegative
    channels: Width = 16
    depth: Depth = 3
    reduce: Literal["mean", "max"] = "mean"
    neuron_channels: Width = 32
    network_channels: Width = 64
    head_width: Width = 128
    batch_norm: bool = False
    dropout: DropoutShare = 0.0


class GraphTransformerConfig(Strict):
    """Relational attention on the network's graph (weightspace.models.graph_transformer)."""

    kind: Literal["graph_transformer"]
    lr: Positive
    weight_decay: NonNegative
    depth: Annotated[int, Field(ge=2, le=1000)] = 4
    heads: Width = 8
    d_node: Width = 64
    d_edge: Width = 32
    d_attention: Width = 128
    node_hidden: Width = 128
    edge_hidden: Width = 64
    dropout: DropoutShare = 0.2
    probes: Annotated[int, Field(ge=0, le=2**14)] = 0

    @model_validator(mode="after")
    def _heads_divide(self) -> "GraphTransformerConfig":
        return _require_multiple(self, "d_attention")


class RowTransformerConfig(Strict):
    """A plain transformer on the rows of weights (weightspace.models.row_transformer)."""

    kind: Literal["row_transformer"]
    lr: Positive
    weight_decay: NonNegative
    depth: Depth = 4
    heads: Width = 4
    width: Width = 64
    hidden: Width = 128
    dropout: DropoutShare = 0.1

    @model_validator(mode="after")
    def _heads_divide(self) -> "RowTransformerConfig":
        return _require_multiple(self, "width")


class PixelCnnConfig(Strict):
    """A small convolutional network on the pixels (weightspace.models.pixel_cnn)."""

    kind: Literal["pixel_cnn"]
    lr: Positive
    weight_decay: NonNegative
    channels: Width = 32
    depth: Depth = 3


class PixelMlpConfig(Strict):
    """A plain MLP on the pixels (weightspace.models.pixel_mlp)."""

    kind: Literal["pixel_mlp"]
    lr: Positive
    weight_decay: NonNegative
    width: Width = 256
    depth: Depth = 2


class PointnetSettings(Strict):
    """What both models on points have (weightspace.models.pointnet)."""

    lr: Positive
    weight_decay: NonNegative
    width: Width = 64
    depth: Depth = 3
    features: Width = 256
    head_width: Width = 128
    dropout: DropoutShare = 0.3


class PointnetConfig(PointnetSettings):
    """PointNet on points of the surface."""

    kind: Literal["pointnet"]


class PointnetOccupancyConfig(PointnetSettings):
    """PointNet on points of the space with their occupancy."""

    kind: Literal["pointnet_occupancy"]


def _require_multiple(section: T, name: str) -> T:
    """Check that the channels of attention can be shared out among the heads."""
    given = section.model_dump()
    value, heads = given[name], given["heads"]
    if value % heads:
        raise ValueError(f"{name} is {value}; it must be a multiple of heads, which is {heads}")
    return section


ModelConfig = Annotated[
    MlpConfig
    | DwsConfig
    | GraphTransformerConfig
    | RowTransformerConfig
    | PixelCnnConfig
    | PixelMlpConfig
    | PointnetConfig
    | PointnetOccupancyConfig,
    Field(discriminator="kind"),
]
