"""MixUp of each network with an augmented copy of itself, which needs no labels."""

from dataclasses import dataclass

import torch

from weightspace.augment.compose import Augmentation, compose
from weightspace.augment.exact import Permutation
from weightspace.augment.input_space import Translate
from weightspace.augment.lam import Lam
from weightspace.augment.noise import GaussianNoise
from weightspace.symmetry.matching import apply_matching, match
from weightspace.weights import Weights, lerp

__all__ = ["SelfMixUp"]


@dataclass(frozen=True)
class SelfMixUp(Lam):
    """Mix each network w with v, its augmented copy brought closest to it: lam w + (1 - lam) v.

    Both represent the same object, so the label stays and this is an augmentation, not a mix.

    Its settings are those of `Lam` and:

    Attributes:
        augment: what the copy goes through, in order; at least one.
        signed: align the copy by permutations and signs, not by permutations alone.
        sweeps: the most sweeps of the matching.

    Raises:
        ValueError: if no augmentation is given: every mixture would be the network itself.

    Reference: Shamsian et al. 2024 (published code).
    """

    augment: tuple[Augmentation, ...] = (Permutation(), Translate(), GaussianNoise())
    signed: bool = True
    sweeps: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.augment:
            raise ValueError(
                "SelfMixUp was given no augmentations, so it would mix each network with itself; "
                "give at least one"
            )

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return mixtures; one augmented copy and one lam per network."""
        copy = compose(self.augment)(w, generator=generator)
        lam = self.draw_lam(w, generator=generator)
        matching = match(w, copy, signed=self.signed, sweeps=self.sweeps)
        return lerp(w, apply_matching(copy, matching), lam)
