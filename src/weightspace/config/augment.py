"""The schemes that a config can name; a test keeps their settings like the constructors."""

from typing import Annotated, Literal

from pydantic import Field

from weightspace.config.types import Count, NonNegative, Share, Strict

__all__ = ["SchemeConfig"]


class PermutationConfig(Strict):
    """Relabel hidden neurons (weightspace.augment.exact)."""

    kind: Literal["permutation"]


class SignFlipConfig(Strict):
    """Negate random hidden neurons, which an odd activation undoes (weightspace.augment.exact)."""

    kind: Literal["sign_flip"]
    probability: Share = 0.5


class GaussianNoiseConfig(Strict):
    """Add Gaussian noise relative to the deviation of each tensor (weightspace.augment.noise)."""

    kind: Literal["gaussian_noise"]
    scale: NonNegative = 0.32


class DirectMixUpConfig(Strict):
    """Mix with a partner as it is (weightspace.augment.mixup)."""

    kind: Literal["direct"]
    lam_min: Share = 0.0


class RandomisedMixUpConfig(Strict):
    """Mix with a randomly permuted partner (weightspace.augment.mixup)."""

    kind: Literal["randomised"]
    lam_min: Share = 0.0


class AlignedMixUpConfig(Strict):
    """Mix with a partner that is matched first (weightspace.augment.mixup)."""

    kind: Literal["aligned"]
    signed: bool = False
    sweeps: Count = 20
    lam_min: Share = 0.0


AugmentationConfig = Annotated[
    PermutationConfig | SignFlipConfig | GaussianNoiseConfig, Field(discriminator="kind")
]
MixConfig = Annotated[
    DirectMixUpConfig | RandomisedMixUpConfig | AlignedMixUpConfig, Field(discriminator="kind")
]


class SchemeConfig(Strict):
    """An augmentation scheme: augmentations in order, then a mix. Empty means none."""

    augment: list[AugmentationConfig] = Field(default_factory=list)
    mix: MixConfig | None = None
