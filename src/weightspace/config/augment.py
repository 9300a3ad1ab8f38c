"""The schemes that a config can name; a test keeps their settings like the constructors."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from weightspace.config.types import Count, NonNegative, Positive, Share, Strict

__all__ = ["AugmentationConfig", "RotateConfig", "SchemeConfig"]

# What leaves a network in another place of its orbit than the reference it was aligned to.
UNALIGNING = ("permutation", "sign_flip", "phase_shift")


class RangeConfig(Strict):
    """A section with `low` and `high`."""

    @model_validator(mode="after")
    def _in_order(self) -> "RangeConfig":
        low, high = getattr(self, "low", 0), getattr(self, "high", 0)
        if low > high:
            raise ValueError(f"low is {low}, more than high, which is {high}")
        return self


class LamConfig(RangeConfig):
    """The distribution of lam: low + (high - low) Beta(alpha, beta) (weightspace.augment.lam)."""

    low: Share = 0.0
    high: Share = 1.0
    alpha: Positive = 1.0
    beta: Positive = 1.0


class RotateConfig(Strict):
    """Rotate what a network represents (weightspace.augment.input_space)."""

    kind: Literal["rotate"]
    max_angle: Annotated[float, Field(ge=0, le=180)] = 30.0
    axis: Literal["x", "y", "z"] | None = None


class ScaleConfig(RangeConfig):
    """Scale what a network represents (weightspace.augment.input_space)."""

    kind: Literal["scale"]
    low: Positive = 0.8
    high: Positive = 1.2


class TranslateConfig(Strict):
    """Translate what a network represents (weightspace.augment.input_space)."""

    kind: Literal["translate"]
    max_shift: NonNegative = 0.25


class GaussianNoiseConfig(Strict):
    """Add Gaussian noise relative to the deviation of each tensor (weightspace.augment.noise)."""

    kind: Literal["gaussian_noise"]
    scale: NonNegative = 0.32


class DropoutConfig(Strict):
    """Zero random entries (weightspace.augment.dropout)."""

    kind: Literal["dropout"]
    probability: Annotated[float, Field(ge=0, lt=1)] = 0.1


class QuantileDropoutConfig(Strict):
    """Zero the smallest entries (weightspace.augment.dropout)."""

    kind: Literal["quantile_dropout"]
    max_quantile: Share = 0.1


class SignFlipConfig(Strict):
    """Negate random hidden neurons, which an odd activation undoes (weightspace.augment.exact)."""

    kind: Literal["sign_flip"]
    probability: Share = 0.5


class PhaseShiftConfig(RangeConfig):
    """Shift hidden neurons by half turns of the sine (weightspace.augment.exact)."""

    kind: Literal["phase_shift"]
    low: int = -4
    high: int = 3


class PermutationConfig(Strict):
    """Relabel hidden neurons (weightspace.augment.exact)."""

    kind: Literal["permutation"]


PlainAugmentationConfig = (
    RotateConfig
    | ScaleConfig
    | TranslateConfig
    | GaussianNoiseConfig
    | DropoutConfig
    | QuantileDropoutConfig
    | SignFlipConfig
    | PhaseShiftConfig
    | PermutationConfig
)


def _default_copy() -> list[Any]:
    return [
        PermutationConfig(kind="permutation"),
        TranslateConfig(kind="translate"),
        GaussianNoiseConfig(kind="gaussian_noise"),
    ]


class SelfMixUpConfig(LamConfig):
    """Mix with an augmented, re-aligned copy of itself (weightspace.augment.self_mixup)."""

    kind: Literal["self_mixup"]
    augment: list[Annotated[PlainAugmentationConfig, Field(discriminator="kind")]] = Field(
        default_factory=_default_copy, min_length=1
    )
    signed: bool = True
    sweeps: Count = 20


class DirectMixUpConfig(LamConfig):
    """Mix with a partner as it is (weightspace.augment.mixup)."""

    kind: Literal["direct"]
    hard_labels: bool = False


class RandomisedMixUpConfig(LamConfig):
    """Mix with a randomly permuted partner (weightspace.augment.mixup)."""

    kind: Literal["randomised"]
    hard_labels: bool = False


class AlignedMixUpConfig(LamConfig):
    """Mix with a partner that is matched first (weightspace.augment.mixup)."""

    kind: Literal["aligned"]
    signed: bool = False
    sweeps: Count = 20
    hard_labels: bool = False


class LeakyMixUpConfig(LamConfig):
    """Mix with a partner that may be an excluded view (weightspace.augment.leaky)."""

    kind: Literal["leaky"]
    align: Literal["none", "permutation", "signed"] = "none"
    sweeps: Count = 20
    hard_labels: bool = False


AugmentationConfig = Annotated[
    PlainAugmentationConfig | SelfMixUpConfig, Field(discriminator="kind")
]
MixConfig = Annotated[
    DirectMixUpConfig | RandomisedMixUpConfig | AlignedMixUpConfig | LeakyMixUpConfig,
    Field(discriminator="kind"),
]


class SchemeConfig(Strict):
    """An augmentation scheme: augmentations in order, then a mix. Empty means none.

    `label_smoothing` is used in place of that of the training section. With
    `align_to_reference` all networks were brought closest to one fixed network beforehand.
    `consistency` is the weight in the loss of how far the predictions for two views of an object
    are from each other; like a key that is absent, 0 is none, and not part of a dump. Without
    `standardise`, which alike is part of a dump only where it is false, models read the weights
    as they are.
    """

    augment: list[AugmentationConfig] = Field(default_factory=list)
    mix: MixConfig | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] | None = None
    align_to_reference: Literal["permutation", "signed"] | None = None
    consistency: NonNegative = Field(default=0.0, exclude_if=lambda weight: weight == 0)
    standardise: bool = Field(default=True, exclude_if=lambda asked: asked)

    @model_validator(mode="after")
    def _stays_aligned(self) -> "SchemeConfig":
        kinds = [step.kind for step in self.augment]
        undoing = [f"augment {kind}" for kind in kinds if kind in UNALIGNING]
        if self.mix is not None and self.mix.kind == "randomised":
            undoing.append("mix randomised")
        if self.align_to_reference is not None and undoing:
            raise ValueError(
                f"align_to_reference is {self.align_to_reference!r}, but {', '.join(undoing)} "
                f"would undo it; leave out one or the other"
            )
        return self

    @model_validator(mode="after")
    def _pairs_are_not_mixed(self) -> "SchemeConfig":
        if self.consistency and self.mix is not None:
            raise ValueError(
                f"consistency is of two views of one object, but mix {self.mix.kind} makes "
                "mixtures of two objects; leave out one or the other"
            )
        return self
