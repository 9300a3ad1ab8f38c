"""Models that read the weights of networks, or for comparison raw data; dicts name them."""

from weightspace.models.dws import DWSNet
from weightspace.models.graph_transformer import GraphTransformer
from weightspace.models.mlp import WeightMLP
from weightspace.models.pixel_cnn import PixelCNN
from weightspace.models.pixel_mlp import PixelMLP
from weightspace.models.pointnet import PointNet, PointNetOccupancy
from weightspace.models.row_transformer import RowTransformer

__all__ = ["MODELS", "PIXEL_MODELS", "POINT_MODELS"]

MODELS = {
    "mlp": WeightMLP,
    "dws": DWSNet,
    "graph_transformer": GraphTransformer,
    "row_transformer": RowTransformer,
}
"""Models of networks: they read standardised `Weights`."""

PIXEL_MODELS = {"pixel_cnn": PixelCNN, "pixel_mlp": PixelMLP}
"""Baselines on raw data: they read standardised images `(batch, height, width, channels)`."""

POINT_MODELS = {"pointnet": PointNet, "pointnet_occupancy": PointNetOccupancy}
"""Baselines on raw data: they read standardised points `(batch, points, channels)`."""
