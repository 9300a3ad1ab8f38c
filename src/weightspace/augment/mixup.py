"""MixUp in weight space: each network is mixed with another of its batch, and so its label.

w <- lam w + (1 - lam) v and t <- lam t + (1 - lam) u, with one lam ~ U(lam_min, 1) for each
network (w, t) and its partner (v, u). The schemes differ in what they do to v first. Partners
come from the batch alone, so never from a view that was not selected, and no network is its
own partner; a batch of one comes back as it is.

Reference: Shamsian et al. 2024 (in weight space); Zhang et al. 2018 (MixUp).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weightspace.augment.exact import Permutation
from weightspace.symmetry.matching import Matching, apply_matching, invert_matching, match
from weightspace.weights import Weights, lerp

__all__ = ["AlignedMixUp", "DirectMixUp", "Mix", "Pairs", "RandomisedMixUp", "draw_pairs"]

Target = Float[Tensor, "batch classes"]


@runtime_checkable
class Mix(Protocol):
    """A random mixture within a batch, of networks and soft labels alike."""

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return new networks and their soft labels."""
        ...


class Pairs(NamedTuple):
    """Who is mixed with whom among n networks: `first[i]` with `second[i]`, and back.

    Working in pairs lets one matching serve both of its networks. Of an odd batch one network
    stands in two pairs; its partner is the one of the pair in which it comes first.
    """

    n: int
    first: Int[Tensor, " pairs"]
    second: Int[Tensor, " pairs"]

    def spread(self, to_first: Tensor, to_second: Tensor) -> Tensor:
        """One row per network, from one row per pair for each of its two sides."""
        rows = to_first.new_empty(self.n, *to_first.shape[1:])
        rows[self.second] = to_second
        rows[self.first] = to_first
        return rows

    @property
    def partner(self) -> Int[Tensor, " batch"]:
        """The partner of each network of the batch."""
        return self.spread(self.second, self.first)


def draw_pairs(n: int, *, generator: torch.Generator, device: torch.device) -> Pairs:
    """Pair n >= 2 networks at random; for each, every other is an equally likely partner."""
    order = torch.randperm(n, generator=generator, device=device)
    half = n // 2
    second = torch.cat([order[half : 2 * half], order[: n % 2]])
    first = torch.cat([order[:half], order[2 * half :]])
    return Pairs(n, first, second)


@dataclass(frozen=True)
class DirectMixUp:
    """Mix each network with its partner as it is.

    Attributes:
        lam_min: the least share a network keeps of itself, in [0, 1]; 1 is the identity.
    """

    lam_min: float = 0.0

    def __post_init__(self) -> None:
        _check_lam_min(self)

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return mixtures; one partner and one lam per network."""
        return _mix(w, target, lambda pairs: w[pairs.partner], self.lam_min, generator)


@dataclass(frozen=True)
class RandomisedMixUp:
    """Mix each network with its partner, whose hidden neurons are relabelled at random first.

    Attributes:
        lam_min: the least share a network keeps of itself, in [0, 1]; 1 is the identity.
    """

    lam_min: float = 0.0

    def __post_init__(self) -> None:
        _check_lam_min(self)

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return mixtures; one partner, one permutation and one lam per network."""

        def relabelled(pairs: Pairs) -> Weights:
            return Permutation()(w[pairs.partner], generator=generator)

        return _mix(w, target, relabelled, self.lam_min, generator)


@dataclass(frozen=True)
class AlignedMixUp:
    """Mix each network with its partner, brought closest to it by weight matching first.

    Attributes:
        signed: align by permutations and signs, not by permutations alone.
        sweeps: the most sweeps of the matching.
        lam_min: the least share a network keeps of itself, in [0, 1]; 1 is the identity.
    """

    signed: bool = False
    sweeps: int = 20
    lam_min: float = 0.0

    def __post_init__(self) -> None:
        _check_lam_min(self)

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return mixtures; one partner and one lam per network."""

        def aligned(pairs: Pairs) -> Weights:
            there = match(w[pairs.first], w[pairs.second], signed=self.signed, sweeps=self.sweeps)
            back = invert_matching(there)
            both = Matching(
                tuple(pairs.spread(*x) for x in zip(there.perms, back.perms, strict=True)),
                tuple(pairs.spread(*x) for x in zip(there.signs, back.signs, strict=True)),
            )
            return apply_matching(w[pairs.partner], both)

        return _mix(w, target, aligned, self.lam_min, generator)


def _mix(
    w: Weights,
    target: Target,
    partners: Callable[[Pairs], Weights],
    lam_min: float,
    generator: torch.Generator,
) -> tuple[Weights, Target]:
    if len(w) < 2:
        return w, target
    pairs = draw_pairs(len(w), generator=generator, device=w.device)
    uniform = torch.rand(len(w), generator=generator, device=w.device, dtype=w.dtype)
    lam = lam_min + (1 - lam_min) * uniform
    share = lam.to(target.dtype)[:, None]
    mixed_target = share * target + (1 - share) * target[pairs.partner]
    return lerp(w, partners(pairs), lam), mixed_target


def _check_lam_min(mix: DirectMixUp | RandomisedMixUp | AlignedMixUp) -> None:
    if not 0 <= mix.lam_min <= 1:
        raise ValueError(
            f"{type(mix).__name__} lam_min is {mix.lam_min}; it must be in [0, 1], the least "
            f"share a network keeps of itself"
        )
