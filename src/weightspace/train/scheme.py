"""The augmentation and the mix of a scheme, ready for one training set."""

from collections.abc import Callable, Mapping
from typing import Any

from weightspace.augment.build import build_augment, build_mix
from weightspace.augment.compose import Augmentation
from weightspace.augment.mixup import Mix
from weightspace.dataset.examples import Dataset
from weightspace.dataset.inr_dataset import InrDataset
from weightspace.train.losses import one_hot

__all__ = ["build_scheme", "needs_pool"]


def build_scheme(
    scheme: Mapping[str, Any],
    *,
    train: Dataset,
    pool: Callable[[], Dataset],
    smoothing: float = 0.0,
) -> tuple[Augmentation | None, Mix | None]:
    """Build what a scheme names; of all mixes, only the leaky one gets the pool.

    Args:
        scheme: `{"augment": [{"kind": a key of AUGMENTATIONS, ...}], "mix": None or {"kind": a
            key of MIXES, ...}}`; an absent key means none. Other keys are not read here.
        train: what is trained on; its omega_0 goes to the augmentations that ask for it.
        pool: gives the networks from which the leaky mix draws its partners; not called for any
            other.
        smoothing: the share of each target of the pool that is spread over all classes.

    Raises:
        ValueError: if a kind is unknown, a setting is out of its range, or anything but networks
            is to be augmented, mixed or trained for consistency.
    """
    specs, mix = scheme.get("augment") or (), scheme.get("mix")
    if not isinstance(train, InrDataset):
        if specs or mix or scheme.get("consistency"):
            raise ValueError(
                "the scheme augments, mixes or pairs networks, but the model reads raw data; "
                "train it with the scheme 'none'"
            )
        return None, None
    augment = build_augment(specs, omega_0=train.omega_0)
    if not needs_pool(scheme):
        return augment, build_mix(mix)
    open_to_leak = pool().to(train.device)
    target = one_hot(open_to_leak.labels, train.n_classes, smoothing=smoothing)
    return augment, build_mix(mix, pool=open_to_leak.inputs, pool_target=target)


def needs_pool(scheme: Mapping[str, Any]) -> bool:
    """Whether a scheme draws partners from outside its training networks: the leaky mix alone."""
    return (scheme.get("mix") or {}).get("kind") == "leaky"
