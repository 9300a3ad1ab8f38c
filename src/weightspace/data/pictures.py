"""Decode a picture: upright, of one size, 8 bits per channel."""

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from weightspace.failures import raise_fault_of_machine

__all__ = ["SUFFIXES", "PictureError", "read_picture"]

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pcx", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
)
# Formats of pixels only: others, such as EPS, are programs for an interpreter.
_FORMATS = (
    *("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "TGA", "TIFF", "WEBP"),
)
_MODES = {1: "L", 3: "RGB"}


class PictureError(ValueError):
    """A picture that cannot be decoded."""


def read_picture(
    content: bytes, *, channels: int, size: tuple[int, int] | None = None
) -> np.ndarray:
    """Decode a picture, in any format of `SUFFIXES`.

    It is turned upright where its EXIF data say so, laid on white where it is transparent, made
    grey or RGB, and resized (both sides on their own, with smoothing where it gets smaller). Of
    several frames the first counts; of 16 bits per pixel the upper 8.

    Args:
        content: the bytes of the file.
        channels: 1 for grey, 3 for RGB.
        size: height and width; None keeps those of the picture.

    Returns:
        The pixels, uint8, `(height, width)` or `(height, width, 3)`.

    Raises:
        PictureError: if it is damaged, no picture, or larger than Pillow's limit (89 million
            pixels), so that a small file made to fill the memory cannot.
        MemoryError: if there is none for a picture of that size.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(BytesIO(content), formats=_formats()) as picture:
                pixels = _flat(_upright(picture)).convert(_MODES[channels])
        if size is not None:
            height, width = size
            pixels = pixels.resize((width, height), Image.Resampling.BILINEAR)
        return np.array(pixels)
    except UnidentifiedImageError as error:
        raise PictureError(
            f"no picture, or damaged at its start; the formats are {', '.join(_formats())}"
        ) from error
    except Exception as error:  # damaged pictures raise errors of many types
        raise_fault_of_machine(error, "a picture", needs=4 * (Image.MAX_IMAGE_PIXELS or 0))
        raise PictureError(str(error) or type(error).__name__) from error


def _formats() -> list[str]:
    """The formats that this build of Pillow can read."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _upright(picture: Image.Image) -> Image.Image:
    """Decode, with 8 bits per channel, and turn as the EXIF data say."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise PictureError(f"it has 32 bits per pixel (mode {picture.mode}); save it with 8 or 16")
    return ImageOps.exif_transpose(picture)


def _flat(picture: Image.Image) -> Image.Image:
    """Lay a picture with transparent parts on white."""
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
