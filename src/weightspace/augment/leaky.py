"""MixUp with partners from outside of the batch: a mistake, kept to measure what it is worth.

Published runs that claim one view per object draw their partners from all views, so that
networks which were to be excluded take part in the training. This scheme does the same on
purpose, under a name of its own; no other mix can, as no other is given any further networks.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from weightspace.augment.mixup import MixUp, Target
from weightspace.symmetry.matching import apply_matching, match
from weightspace.weights import Weights

__all__ = ["LeakyMixUp"]


@dataclass(frozen=True, eq=False)
class LeakyMixUp(MixUp):
    """Mix each network with one drawn uniformly from a pool that holds excluded views too.

    The partner may be another view of the same object, or the network itself.

    Its settings are those of `MixUp` and:

    Attributes:
        pool: every fitted view of the selected training objects, raw, on the device of the
            batches.
        pool_target: the soft label of each.
        align: what the partner is brought closest to its network by: nothing, permutations, or
            permutations and signs.
        sweeps: the most sweeps of the matching.

    Raises:
        ValueError: if the pool is empty or has not one label per network.
    """

    pool: Weights
    pool_target: Float[Tensor, "pool classes"]
    align: Literal["none", "permutation", "signed"] = "none"
    sweeps: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.pool) or len(self.pool) != len(self.pool_target):
            raise ValueError(
                f"LeakyMixUp was given a pool of {len(self.pool)} networks and "
                f"{len(self.pool_target)} labels; it needs at least one network, and a label for "
                f"each"
            )

    def __call__(
        self, w: Weights, target: Target, *, generator: torch.Generator
    ) -> tuple[Weights, Target]:
        """Return mixtures; one partner and one lam per network."""
        size = (len(w),)
        index = torch.randint(len(self.pool), size, generator=generator, device=w.device)
        lam = self.draw_lam(w, generator=generator)
        partner = self.pool[index]
        if self.align != "none":
            matching = match(w, partner, signed=self.align == "signed", sweeps=self.sweeps)
            partner = apply_matching(partner, matching)
        label = self.pool_target[index].to(target.dtype)
        return self.mixture(w, partner, target, label, lam)
