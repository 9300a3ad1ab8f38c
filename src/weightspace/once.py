"""JSON in which a key is there once: of two values of a key, Python would take the last."""

from typing import Any

__all__ = ["once"]


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The `object_pairs_hook` of such JSON.

    Raises:
        ValueError: naming the key that is there twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the key {name!r} is there twice")
        found[name] = value
    return found
