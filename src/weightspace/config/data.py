"""The section of the pictures: which, and how many objects of each split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from weightspace.config.types import Seed, Strict

__all__ = ["DatasetConfig"]

N_CLASSES = 10  # of every dataset, all of one size

# Pictures in the official training and test sets.
OFFICIAL_SIZES = {"fashion_mnist_subset": (5_000, 1_000), "fashion_mnist": (60_000, 10_000)}


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
