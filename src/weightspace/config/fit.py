"""The section of the fits: how a picture becomes the weights of a SIREN."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from weightspace.config.types import Count, Device, Positive, Seed, Strict, Width

__all__ = ["FitConfig", "ViewsConfig"]

Decay = Annotated[float, Field(ge=0, lt=1)]
Views = Annotated[int, Field(ge=1, le=10_000)]


class ViewsConfig(Strict):
    """How many independent fits (views) each object of a split gets.

    `internal` more views of every training object are never trained on.
    """

    train: Views
    internal: Annotated[int, Field(ge=0, le=10_000)] = 0
    val: Views
    test: Views

    def fitted(self) -> dict[str, int]:
        """All the views of an object of each split."""
        return {"train": self.train + self.internal, "val": self.val, "test": self.test}


class FitConfig(Strict):
    """How a picture becomes the weights of a SIREN."""

    hidden: list[Width] = Field(min_length=1, max_length=100)
    omega_0: Positive
    output_offset: float = Field(allow_inf_nan=False)
    views: ViewsConfig
    steps: Count
    lr: Positive
    schedule: Literal["constant", "cosine"]
    betas: Annotated[list[Decay], Field(min_length=2, max_length=2)]
    target_psnr: Positive | None
    min_psnr: float = Field(allow_inf_nan=False)
    retries: Annotated[int, Field(ge=0, le=1000)]
    shared_init: bool = False
    backend: Literal["auto", "reference", "cpu", "cuda"]
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
