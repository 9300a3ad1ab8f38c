"""Checks of what a model is given, each with its message."""

from collections.abc import Sequence

from torch import Tensor

from weightspace.weights import Weights

__all__ = [
    "require_at_least",
    "require_dropout",
    "require_images",
    "require_layout",
    "require_multiple",
    "require_one_of",
    "require_points",
    "require_positive",
]


def require_positive(**values: int) -> None:
    """Check that every value is a positive whole number.

    Raises:
        ValueError: names the first that is not.
    """
    require_at_least(1, **values)


def require_at_least(minimum: int, **values: int) -> None:
    """Check that every value is a whole number of at least `minimum`.

    Raises:
        ValueError: names the first that is not.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ValueError(
                f"{name} is {value!r}; it must be a whole number of at least {minimum}"
            )


def require_multiple(name: str, value: int, of_name: str, of: int) -> None:
    """Check that `value` is a multiple of `of`.

    Raises:
        ValueError: names both.
    """
    if value % of:
        raise ValueError(f"{name} is {value}; it must be a multiple of {of_name}, which is {of}")


def require_dropout(dropout: float) -> None:
    """Check that `dropout` is a share that leaves something.

    Raises:
        ValueError: if it is outside [0, 1).
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout is {dropout}; it must lie in [0, 1)")


def require_one_of(name: str, value: str, known: Sequence[str]) -> None:
    """Check that `value` is one of the `known` ones.

    Raises:
        ValueError: lists the known ones.
    """
    if value not in known:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")


def require_layout(w: Weights, layer_layout: tuple[int, ...]) -> None:
    """Check that the networks `w` have the layout that a model was built for.

    Raises:
        ValueError: names both layouts.
    """
    if w.layer_layout != layer_layout or w.channels:
        raise ValueError(
            f"this model reads raw networks of layer_layout {layer_layout}; got networks of "
            f"layer_layout {w.layer_layout} with channel axes {w.channels}"
        )


def require_images(x: Tensor, image_shape: tuple[int, ...]) -> None:
    """Check that the images `x` have the shape that a model was built for.

    Raises:
        ValueError: names both shapes.
    """
    if tuple(x.shape[1:]) != image_shape:
        raise ValueError(
            f"this model reads images of shape {image_shape}; got images of shape "
            f"{tuple(x.shape[1:])}"
        )


def require_points(x: Tensor, point_channels: int) -> None:
    """Check that `x` holds points with the channels that a model was built for.

    Raises:
        ValueError: names what was given and what was expected.
    """
    if x.ndim != 3 or not x.shape[1] or x.shape[2] != point_channels:
        raise ValueError(
            f"this model reads (batch, points, {point_channels}) with at least one point; got "
            f"{tuple(x.shape)}"
        )
