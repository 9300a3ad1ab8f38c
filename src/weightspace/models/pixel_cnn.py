"""A baseline on raw data: a small convolutional network on the pixels of an image."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from weightspace.models.checks import require_images, require_positive

__all__ = ["PixelCNN"]


class PixelCNN(nn.Module):
    """`depth` blocks of 3x3 convolution, batch norm, ReLU and 2x2 mean pooling; then one map.

    Each block halves the image and doubles the channels; what is left is flattened.

    Args:
        image_shape: the height, width and channels of the images that it reads.
        d_out: the number of outputs.
        channels: of the first block.
        depth: the number of blocks; the images must be at least 2^depth pixels wide and high.

    Raises:
        ValueError: if a setting is not a positive whole number or the images are too small.
    """

    def __init__(
        self, *, image_shape: tuple[int, int, int], d_out: int, channels: int = 32, depth: int = 3
    ) -> None:
        super().__init__()
        require_positive(d_out=d_out, channels=channels, depth=depth)
        self.image_shape = tuple(image_shape)
        height, width, n_in = image_shape
        left = (height >> depth) * (width >> depth)
        if not left:
            raise ValueError(
                f"depth is {depth}, but {height} x {width} pixels cannot be halved {depth} times; "
                f"lower depth or use larger images"
            )
        widths = (n_in, *(channels << i for i in range(depth)))
        self.blocks = nn.Sequential(*(_block(a, b) for a, b in pairwise(widths)))
        self.head = nn.Linear(left * widths[-1], d_out)

    def forward(
        self, x: Float[Tensor, "batch height width channels"]
    ) -> Float[Tensor, "batch d_out"]:
        """Return the outputs, one row per image.

        Raises:
            ValueError: if the images have another shape.
        """
        require_images(x, self.image_shape)
        x = self.blocks(x.permute(0, 3, 1, 2))  # (batch, channels, height, width)
        return self.head(x.flatten(1))


def _block(n_in: int, n_out: int) -> nn.Sequential:
    # Mean and not max pooling: the gradient of the latter does not repeat exactly on a GPU.
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(),
        nn.AvgPool2d(2),
    )
