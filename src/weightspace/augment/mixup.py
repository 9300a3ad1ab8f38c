"""MixUp in weight space: each network is mixed with another of its batch, and so its label.

w <- lam w + (1 - lam) v and t <- lam t + (1 - lam) u, with one lam for each network (w, t) and
its partner (v, u); `weightspace.augment.lam` says how it is distributed. With `hard_labels`
the label is that of the larger share instead. The schemes differ in what they do to v first.
Partners come from the batch alone, so never from a view that was not selected, and no network
is its own partner; a batch of one comes back as it is.

Reference: Shamsian et al. 2024 (in weight space); Zhang et al. 2018 (MixUp).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weightspace.augment.exact import Permutation
from weightspace.augment.lam import LamSettings, check_lam, draw_lam
from weightspace.symmetry.matching import Matching, apply_matching, invert_matching, match
from weightspace.weights import Weights, lerp

__all__ = [
    "AlignedMixUp",
    "DirectMixUp",
    "Mix",
    "MixSettings",
    "Pairs",
    "RandomisedMixUp",
    "draw_pairs",
    "mixture",
]

Target = Float[Tensor, "batch classes"]


@runtime_checkable
class Mix(Protocol):
    """A random mixture within a batch, of networks and soft labels alike."""

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return new networks and their soft labels."""
        ...


@runtime_checkable
class MixSettings(LamSettings, Protocol):
    """The settings that every mix has: those of lam, and which label a mixture gets."""

    @property
    def hard_labels(self) -> bool:
        """Keep the label of the larger share (of equal shares the own one); do not mix labels."""
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


def mixture(
    w: Weights,
    other: Weights,
    target: Target,
    other_target: Target,
    lam: Float[Tensor, " batch"],
    *,
    hard_labels: bool,
) -> tuple[Weights, Target]:
    """Networks and labels mixed by lam, or with `hard_labels` the labels of the larger shares."""
    label_lam = lam >= 0.5 if hard_labels else lam
    share = label_lam.to(target.dtype)[:, None]
    return lerp(w, other, lam), share * target + (1 - share) * other_target


@dataclass(frozen=True)
class DirectMixUp:
    """Mix each network with its partner as it is.

    Attributes:
        low: the least lam; this and the next three as in `LamSettings`.
        high: the greatest lam.
        alpha: of the Beta distribution.
        beta: of the Beta distribution.
        hard_labels: keep the label of the larger share instead of mixing labels.
    """

    low: float = 0.0
    high: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0
    hard_labels: bool = False

    def __post_init__(self) -> None:
        check_lam(self)

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return mixtures; one partner and one lam per network."""
        return _mix(self, w, target, lambda pairs: w[pairs.partner], generator)


@dataclass(frozen=True)
class RandomisedMixUp:
    """Mix each network with its partner, whose hidden neurons are relabelled at random first.

    Attributes:
        low: the least lam; this and the next three as in `LamSettings`.
        high: the greatest lam.
        alpha: of the Beta distribution.
        beta: of the Beta distribution.
        hard_labels: keep the label of the larger share instead of mixing labels.
    """

    low: float = 0.0
    high: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0
    hard_labels: bool = False

    def __post_init__(self) -> None:
        check_lam(self)

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return mixtures; one partner, one permutation and one lam per network."""

        def relabelled(pairs: Pairs) -> Weights:
            return Permutation()(w[pairs.partner], generator=generator)

        return _mix(self, w, target, relabelled, generator)


@dataclass(frozen=True)
class AlignedMixUp:
    """Mix each network with its partner, brought closest to it by weight matching first.

    Attributes:
        signed: align by permutations and signs, not by permutations alone.
        sweeps: the most sweeps of the matching.
        low: the least lam; this and the next three as in `LamSettings`.
        high: the greatest lam.
        alpha: of the Beta distribution.
        beta: of the Beta distribution.
        hard_labels: keep the label of the larger share instead of mixing labels.
    """

    signed: bool = False
    sweeps: int = 20
    low: float = 0.0
    high: float = 1.0
    alpha: float = 1.0
    beta: float = 1.0
    hard_labels: bool = False

    def __post_init__(self) -> None:
        check_lam(self)

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

        return _mix(self, w, target, aligned, generator)


def _mix(
    settings: MixSettings,
    w: Weights,
    target: Target,
    partners: Callable[[Pairs], Weights],
    generator: torch.Generator,
) -> tuple[Weights, Target]:
    if len(w) < 2:
        return w, target
    pairs = draw_pairs(len(w), generator=generator, device=w.device)
    lam = draw_lam(settings, w, generator=generator)
    hard = settings.hard_labels
    return mixture(w, partners(pairs), target, target[pairs.partner], lam, hard_labels=hard)
