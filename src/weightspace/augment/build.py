"""Construct augmentations and mixes from the settings that a config names them by."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from jaxtyping import Float
from torch import Tensor

from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.augment.compose import Augmentation, Composition, compose
from weightspace.augment.leaky import LeakyMixUp
from weightspace.augment.mixup import Mix
from weightspace.weights import Weights

__all__ = ["build_augment", "build_mix"]

Settings = Mapping[str, Any]


def build_augment(specs: Sequence[Settings], *, omega_0: float) -> Composition:
    """The augmentations of a config, one after the other.

    Args:
        specs: `{"kind": a key of AUGMENTATIONS, ...its settings}` for each, in order; the
            `augment` of a self_mixup is again such a list.
        omega_0: of the networks; given to those that ask for it.

    Raises:
        ValueError: if a kind is unknown or a setting is out of its range.
    """
    return compose([_augmentation(spec, omega_0) for spec in specs])


def build_mix(
    spec: Settings | None,
    *,
    pool: Weights | None = None,
    pool_target: Float[Tensor, "pool classes"] | None = None,
) -> Mix | None:
    """The mix of a config; None is none.

    Args:
        spec: `{"kind": a key of MIXES, ...its settings}` or None.
        pool: of the leaky mix alone, which needs it: every view of the training objects.
        pool_target: the soft label of each network of the pool.

    Raises:
        ValueError: if the kind is unknown, a setting is out of its range, or the leaky mix has
            no pool.
    """
    if spec is None:
        return None
    made, settings = _look_up(MIXES, spec, "mix")
    if made is LeakyMixUp:
        if pool is None or pool_target is None:
            raise ValueError("mix leaky needs pool and pool_target: what it draws partners from")
        settings |= {"pool": pool, "pool_target": pool_target}
    return made(**settings)


def _augmentation(spec: Settings, omega_0: float) -> Augmentation:
    made, settings = _look_up(AUGMENTATIONS, spec, "augment")
    if "augment" in settings:
        settings["augment"] = tuple(_augmentation(s, omega_0) for s in settings["augment"])
    if "omega_0" in {f.name for f in fields(made)}:
        settings["omega_0"] = omega_0
    return made(**settings)


def _look_up(registry: Mapping[str, Any], spec: Settings, what: str) -> tuple[Any, dict[str, Any]]:
    """What `spec` names, and its settings."""
    settings = dict(spec)
    kind = settings.pop("kind", None)
    if kind not in registry:
        raise ValueError(f"{what} kind is {kind!r}; it must be one of {', '.join(registry)}")
    return registry[kind], settings
