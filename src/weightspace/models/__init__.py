"""Models that read the weights of networks; `MODELS` names them."""

from weightspace.models.dws import DWSNet
from weightspace.models.mlp import WeightMLP

MODELS = {"mlp": WeightMLP, "dws": DWSNet}
