"""A baseline on raw data: a multilayer perceptron on the pixels of an image."""

from itertools import pairwise
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.checks import require_images, require_positive

__all__ = ["PixelMLP"]


class PixelMLP(nn.Module):
    """Flatten the image, then `depth` hidden layers of ReLU.

    Args:
        image_shape: the height, width and channels of the images that it reads.
        d_out: the number of outputs.
        width: the neurons of each hidden layer.
        depth: the number of hidden layers.

    Raises:
        ValueError: if a setting is not a positive whole number.
    """

    def __init__(
        self, *, image_shape: tuple[int, int, int], d_out: int, width: int = 256, depth: int = 2
    ) -> None:
        super().__init__()
        require_positive(d_out=d_out, width=width, depth=depth)
        self.image_shape = tuple(image_shape)
        widths = (prod(image_shape), *[width] * depth)
        hidden = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, d_out))

    def forward(
        self, x: Float[Tensor, "batch height width channels"]
    ) -> Float[Tensor, "batch d_out"]:
        """Return the outputs, one row per image.

        Raises:
            ValueError: if the images have another shape.
        """
        require_images(x, self.image_shape)
        return self.layers(x.flatten(1))
