"""Augmentations and mixes built from their settings, as a scheme lists them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weightspace.augment import AUGMENTATIONS, MIXES
from weightspace.augment.compose import Composition, compose
from weightspace.augment.mixup import Mix
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.train.losses import one_hot

__all__ = ["build_augment", "build_mix"]


def build_augment(specs: Sequence[Mapping[str, Any]], *, omega_0: float) -> Composition:
    """The composition of the augmentations that `specs` list, in their order.

    Args:
        specs: `{"kind": a key of AUGMENTATIONS, ...its settings}` each; a setting `augment` is
            itself such a list.
        omega_0: the frequency of the sines, for the augmentations that ask for it.

    Raises:
        ValueError: if a kind is unknown or a setting is out of its range.
    """
    return compose([_build(AUGMENTATIONS, spec, "augment", omega_0=omega_0) for spec in specs])


def build_mix(
    spec: Mapping[str, Any] | None, *, pool: Callable[[], InrDataset], smoothing: float = 0.0
) -> Mix | None:
    """The mix that `spec` names, or None for none.

    Args:
        spec: `{"kind": a key of MIXES, ...its settings}`, or None.
        pool: the INRs from which a mix that asks for a pool (`leaky`) draws its partners; not
            called for any other mix.
        smoothing: the share of each target of the pool that is spread over all classes.

    Raises:
        ValueError: if the kind is unknown or a setting is out of its range.
    """
    if spec is None:
        return None
    if "pool" not in _parameters(MIXES, spec, "mix"):
        return _build(MIXES, spec, "mix")
    given = pool()
    target = one_hot(given.labels, given.n_classes, smoothing=smoothing)
    return _build(MIXES, spec, "mix", pool=given.weights, pool_target=target)


def _build(
    registry: Mapping[str, Callable[..., Any]], spec: Mapping[str, Any], name: str, **given: Any
) -> Any:
    """Construct what `spec` names, with those of `given` that it asks for."""
    wanted = _parameters(registry, spec, name)
    settings = {k: v for k, v in given.items() if k in wanted}
    settings |= {k: v for k, v in spec.items() if k != "kind"}
    if "augment" in settings:
        settings["augment"] = build_augment(settings["augment"], **given)
    return registry[spec["kind"]](**settings)


def _parameters(
    registry: Mapping[str, Callable[..., Any]], spec: Mapping[str, Any], name: str
) -> Mapping[str, inspect.Parameter]:
    """The parameters of the constructor of what `spec` names."""
    kind: Any = spec.get("kind")
    if kind not in registry:
        raise ValueError(f"{name} kind is {kind!r}; it must be one of {', '.join(registry)}")
    return inspect.signature(registry[kind]).parameters
