"""The section of the training, the same for all cells."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from weightspace.config.types import Count, Device, Positive, Seed, Strict

__all__ = ["TrainConfig", "UpdatesConfig"]


class UpdatesConfig(Strict):
    """What every training states of its updates."""

    updates: Count
    batch_size: Annotated[int, Field(ge=2, le=2**20)]
    warmup: Annotated[int, Field(ge=0)]
    clip_norm: Positive | None
    evaluate_every: Count

    @model_validator(mode="after")
    def _possible(self) -> "UpdatesConfig":
        for key in ("warmup", "evaluate_every"):
            if getattr(self, key) > self.updates:
                raise ValueError(f"{key} is {getattr(self, key)}, more than updates {self.updates}")
        return self


class TrainConfig(UpdatesConfig):
    """How every cell is trained: the same number of updates for all of them."""

    seeds: list[Seed] = Field(min_length=1)
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    seeds_together: bool | Literal["auto"]
    precision: Literal["float32", "bfloat16"]
    device: Device
    memory_mb: Count | None

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is listed twice")
        return seeds
