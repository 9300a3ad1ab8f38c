"""Augmentations that leave the function of a SIREN exactly as it is."""

from dataclasses import dataclass
from math import inf

import torch

from weightspace.symmetry.permutation import permute
from weightspace.symmetry.phase import shift_phases
from weightspace.symmetry.sign import flip_signs
from weightspace.weights import Weights

__all__ = ["Permutation", "PhaseShift", "SignFlip"]


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


@dataclass(frozen=True)
class PhaseShift:
    """Shift the phase of each hidden neuron by k half turns, k uniform in low..high ("SIREN bias").

    Attributes:
        omega_0: the frequency of every sine of the networks; with another one than theirs the
            function changes.
        low: the least k.
        high: the greatest k, included; low = high = 0 is the identity.

    Raises:
        ValueError: if omega_0 is not positive or low is greater than high.

    Reference: Shamsian et al. 2024 (SIREN bias).
    """

    omega_0: float
    low: int = -4
    high: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.omega_0 < inf:
            raise ValueError(f"PhaseShift omega_0 is {self.omega_0}; it must be positive")
        if self.low > self.high:
            raise ValueError(
                f"PhaseShift low is {self.low} and high {self.high}; low must not be greater"
            )

    def __call__(self, w: Weights, *, generator: torch.Generator) -> Weights:
        """Return networks of shifted phases; one k per network and neuron."""
        ks = tuple(
            torch.randint(
                self.low, self.high + 1, (len(w), n), generator=generator, device=w.device
            )
            for n in w.layer_layout[1:-1]
        )
        return shift_phases(w, ks, omega_0=self.omega_0)
