"""Checks of what a model is given, each with its message."""

from collections.abc import Sequence

from weightspace.weights import Weights

__all__ = ["require_layout", "require_one_of", "require_positive"]


def require_positive(**values: int) -> None:
    """Check that every value is a positive whole number.

    Raises:
        ValueError: names the first that is not.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1")


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
