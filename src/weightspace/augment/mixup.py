"""MixUp in weight space: each network is mixed with another of its batch, and so its label.

w <- lam w + (1 - lam) v and t <- lam t + (1 - lam) u, with one lam for each network (w, t) and
its partner (v, u); `weightspace.augment.lam` says how it is distributed. With `hard_labels`
the label is that of the larger share instead. The schemes differ in what they do to v first.
Partners come from the batch alone, so never from a view that was not selected, and no row of a
batch is its own partner; a batch of one comes back as it is. (A batch that runs over the end of
an epoch can hold a network in two rows, and then mix it with itself.)

Reference: Shamsian et al. 2024 (in weight space); Zhang et al. 2018 (MixUp).
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weightspace.augment.exact import Permutation
from weightspace.augment.lam import Lam
from weightspace.symmetry.matching import Matching, apply_matching, invert_matching, match
from weightspace.weights import Weights, lerp

__all__ = [
    "AlignedMixUp",
    "BatchMixUp",
    "DirectMixUp",
    "Mix",
    "MixUp",
    "Pairs",
    "RandomisedMixUp",
    "draw_pairs",
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


@dataclass(frozen=True, kw_only=True, eq=False)
class MixUp(Lam):
    """What every mix has: the settings of `Lam`, and which label a mixture gets.

    Attributes:
        hard_labels: keep the label of the larger share (of equal shares the own one) instead of
            mixing labels.
    """

    hard_labels: bool = False

    def mixture(
        self,
        w: Weights,
        other: Weights,
        target: Target,
        other_target: Target,
        lam: Float[Tensor, " batch"],
    ) -> tuple[Weights, Target]:
        """Networks and labels mixed by lam, or with `hard_labels` the labels of larger shares."""
        label_lam = lam >= 0.5 if self.hard_labels else lam
        share = label_lam.to(target.dtype)[:, None]
        return lerp(w, other, lam), share * target + (1 - share) * other_target


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchMixUp(MixUp):
    """Mix each network with a partner of its batch; a subclass says what becomes of it first."""

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return mixtures; one partner and one lam per network."""
        if len(w) < 2:
            return w, target
        pairs = draw_pairs(len(w), generator=generator, device=w.device)
        lam = self.draw_lam(w, generator=generator)
        partners = self.partners(w, pairs, generator)
        return self.mixture(w, partners, target, target[pairs.partner], lam)

    def partners(self, w: Weights, pairs: Pairs, generator: torch.Generator) -> Weights:
        """What each network is mixed with."""
        raise NotImplementedError


@dataclass(frozen=True)
class DirectMixUp(BatchMixUp):
    """Mix each network with its partner as it is; settings as of `MixUp`."""

    def partners(self, w: Weights, pairs: Pairs, generator: torch.Generator) -> Weights:
        """The partners as they are."""
        return w[pairs.partner]


@dataclass(frozen=True)
class RandomisedMixUp(BatchMixUp):
    """Mix each network with its partner, whose hidden neurons are relabelled at random first.

    Its settings are those of `MixUp`.
    """

    def partners(self, w: Weights, pairs: Pairs, generator: torch.Generator) -> Weights:
        """The partners, each with permutations of its own."""
        return Permutation()(w[pairs.partner], generator=generator)


@dataclass(frozen=True)
class AlignedMixUp(BatchMixUp):
    """Mix each network with its partner, brought closest to it by weight matching first.

    Its settings are those of `MixUp` and:

    Attributes:
        signed: align by permutations and signs, not by permutations alone.
        sweeps: the most sweeps of the matching.
    """

    signed: bool = False
    sweeps: int = 20

    def partners(self, w: Weights, pairs: Pairs, generator: torch.Generator) -> Weights:
        """The partners, each brought to its network."""
        there = match(w[pairs.first], w[pairs.second], signed=self.signed, sweeps=self.sweeps)
        back = invert_matching(there)
        both = Matching(
            tuple(pairs.spread(*x) for x in zip(there.perms, back.perms, strict=True)),
            tuple(pairs.spread(*x) for x in zip(there.signs, back.signs, strict=True)),
        )
        return apply_matching(w[pairs.partner], both)
