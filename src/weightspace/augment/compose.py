"""Augmentations one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from weightspace.weights import Weights

__all__ = ["Augmentation", "Composition", "compose"]


@runtime_checkable
class Augmentation(Protocol):
    """A random change of each network of a batch, drawn from an explicit generator."""

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return new networks; one draw per network."""
        ...


@dataclass(frozen=True)
class Composition:
    """Apply `steps` in order, all from one generator; no steps leave the networks as they are."""

    steps: tuple[Augmentation, ...] = ()

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return what the last step makes of the networks."""
        for step in self.steps:
            w = step(w, generator=generator)
        return w


def compose(augmentations: Sequence[Augmentation]) -> Composition:
    """The augmentation that applies `augmentations` in order; of none it is the identity."""
    return Composition(tuple(augmentations))
