"""The sections of a config, their types and what each value may be."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from weightspace.config_messages import nearest

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Device = Literal["auto", "cpu", "cuda"]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


N_CLASSES = 10  # of every dataset, all of one size

# Pictures in the official training and test sets.
OFFICIAL_SIZES = {"fashion_mnist_subset": (5_000, 1_000), "fashion_mnist": (60_000, 10_000)}


class Strict(BaseModel):
    """A section of the config: no unknown keys, no conversions between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    raise ValueError(f"unknown key {key!r}; {nearest(str(key), cls.model_fields)}")
        return data


class DatasetConfig(Strict):
    """Which pictures, and how many objects of each split: at least one of each class."""

    name: Literal["fashion_mnist_subset", "fashion_mnist"]
    train: Annotated[int, Field(ge=N_CLASSES)]
    val: Annotated[int, Field(ge=N_CLASSES)]
    test: Annotated[int, Field(ge=N_CLASSES)]
    seed: Seed

    @model_validator(mode="after")
    def _enough_pictures(self) -> "DatasetConfig":
        # The splits are balanced: the largest class of each has this share of it.
        train, val, test = (-(-n // N_CLASSES) for n in (self.train, self.val, self.test))
        n_train, n_test = (n // N_CLASSES for n in OFFICIAL_SIZES[self.name])
        if train + val > n_train or test > n_test:
            raise ValueError(
                f"{self.name} has {n_train} training and {n_test} test pictures of each class; "
                f"train {self.train} + val {self.val} needs {train} + {val} of the former, "
                f"test {self.test} needs {test} of the latter"
            )
        return self


class ViewsConfig(Strict):
    """How many independent fits (views) each object of a split gets."""

    train: Count
    val: Count
    test: Count


class FitConfig(Strict):
    """How a picture becomes the weights of a SIREN."""

    hidden: list[Count] = Field(min_length=1)
    omega_0: Positive
    output_offset: float = Field(allow_inf_nan=False)
    views: ViewsConfig
    steps: Count
    lr: Positive
    target_psnr: Positive | None
    min_psnr: float = Field(allow_inf_nan=False)
    retries: Annotated[int, Field(ge=0)]
    backend: Literal["auto", "reference", "cpu"]
    device: Device
    shard_size: Count
    seed: Seed

    @model_validator(mode="after")
    def _reachable(self) -> "FitConfig":
        if self.target_psnr is not None and self.target_psnr < self.min_psnr:
            raise ValueError(
                f"target_psnr is {self.target_psnr}, under min_psnr {self.min_psnr}: fits that "
                "stop there would count as failed"
            )
        return self


class TrainConfig(Strict):
    """How every cell is trained: the same number of updates for all of them."""

    seeds: list[Seed] = Field(min_length=1)
    updates: Count
    batch_size: Annotated[int, Field(ge=2)]
    warmup: Annotated[int, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    clip_norm: Positive | None
    evaluate_every: Count
    device: Device

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is listed twice")
        return seeds

    @model_validator(mode="after")
    def _possible(self) -> "TrainConfig":
        for key in ("warmup", "evaluate_every"):
            if getattr(self, key) > self.updates:
                raise ValueError(f"{key} is {getattr(self, key)}, more than updates {self.updates}")
        return self


class MlpConfig(Strict):
    """A plain MLP on the flattened weights (weightspace.models.mlp)."""

    kind: Literal["mlp"]
    lr: Positive
    weight_decay: NonNegative
    width: Count = 256
    depth: Count = 2


class DwsConfig(Strict):
    """DWSNet, equivariant to permutations of hidden neurons (weightspace.models.dws)."""

    kind: Literal["dws"]
    lr: Positive
    weight_decay: NonNegative
    channels: Count = 16
    depth: Count = 3
    reduce: Literal["mean", "max"] = "mean"
    neuron_channels: Count = 32
    network_channels: Count = 64
    head_width: Count = 128


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


ModelConfig = Annotated[MlpConfig | DwsConfig, Field(discriminator="kind")]
AugmentationConfig = Annotated[
    PermutationConfig | SignFlipConfig | GaussianNoiseConfig, Field(discriminator="kind")
]
MixConfig = Annotated[
    DirectMixUpConfig | RandomisedMixUpConfig | AlignedMixUpConfig, Field(discriminator="kind")
]


class SchemeConfig(Strict):
    """An augmentation scheme: augmentations in order, then a mix. Empty means none."""

    augment: list[AugmentationConfig] = []
    mix: MixConfig | None = None


class CellsConfig(Strict):
    """A block of cells: every model with every scheme at every number of views."""

    models: list[str] = Field(min_length=1)
    schemes: list[str] = Field(min_length=1)
    views: list[Count] = Field(min_length=1)
