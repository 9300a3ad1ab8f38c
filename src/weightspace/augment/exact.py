"""Augmentations that leave the function of a SIREN exactly as it is."""

from dataclasses import dataclass

import torch

from weightspace.symmetry.permutation import permute
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights

__all__ = ["Permutation", "SignFlip"]


@dataclass(frozen=True)
class Permutation:
    """Relabel the hidden neurons of each network by a uniform random permutation."""

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return relabelled networks; one permutation per network and hidden layer."""
        perms = tuple(
            torch.rand(len(w), n, generator=generator, device=w.device).argsort(1)
            for n in w.layer_layout[1:-1]
        )
        return permute(w, perms)


@dataclass(frozen=True)
class SignFlip:
    """Negate each hidden neuron of each network with a given probability ("SIREN negation").

    Attributes:
        probability: of each neuron, in [0, 1]; 0 is the identity.

    Raises:
        ValueError: if the probability is not in [0, 1].

    Reference: Shamsian et al. 2024 (SIREN negation).
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"SignFlip probability is {self.probability}; it must be in [0, 1]")

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return networks with neurons negated; one draw per network and neuron."""
        signs = []
        for n in w.layer_layout[1:-1]:
            uniform = torch.rand(len(w), n, generator=generator, device=w.device)
            signs.append(1 - 2 * (uniform < self.probability).to(w.dtype))
        return flip_signs(w, signs)
