"""The section of one dataset: which pictures, and how many objects of each split."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from weightspace.config.types import Count, Seed, Strict

__all__ = ["DatasetConfig"]

Side = Annotated[int, Field(ge=2)]

# The keys that a source needs; no other source has them.
OWN_KEYS = {"folder": ("path", "size", "channels"), "inrs": ("path",)}

# Pictures of each class in the official training and test sets. The classes of MNIST differ.
CLASS_SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "fashion_mnist_subset": {"training": (500,) * 10, "test": (100,) * 10},
    "fashion_mnist": {"training": (6_000,) * 10, "test": (1_000,) * 10},
    "mnist": {
        "training": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    },
    "cifar10": {"training": (5_000,) * 10, "test": (1_000,) * 10},
}


class DatasetConfig(Strict):
    """Which pictures, and how many objects of each split.

    Attributes:
        source: an official set, `folder` (the user's own pictures) or `inrs` (fitted networks).
        path: where the user's own pictures or networks lie.
        size: the height and width that the pictures of a folder are resized to.
        channels: 1 makes the pictures of a folder grey, 3 makes them RGB.
        train: the number of objects of the official training split to train on.
        val: the number of other objects of the official training split to validate on.
        test: the number of objects of the official test split.
        seed: of the choice of objects.
        balance: "equal": as many objects of every class; "proportional": as many as the classes
            have in the set, so that all of a set can be used whose classes differ in size.
        fit: what differs from the section `fit` of the study.
    """

    source: Literal["fashion_mnist_subset", "fashion_mnist", "mnist", "cifar10", "folder", "inrs"]
    path: Annotated[str, Field(min_length=1)] | None = None
    size: Annotated[list[Side], Field(min_length=2, max_length=2)] | None = None
    channels: Literal[1, 3] | None = None
    train: Count | None = None
    val: Count | None = None
    test: Count | None = None
    seed: Seed = 0
    balance: Literal["equal", "proportional"] = "equal"
    fit: dict[str, Any] = Field(default_factory=dict)

    @field_validator("train", "val", "test")
    @classmethod
    def _one_of_each_class(cls, n: int | None, info: Any) -> int | None:
        if n is None:
            return n
        sizes = CLASS_SIZES.get(info.data.get("source", ""), {"training": ()})["training"]
        if n < len(sizes):
            raise ValueError(
                f"must be greater than or equal to {len(sizes)}, one object of each class "
                f"(given: {n})"
            )
        return n

    @model_validator(mode="after")
    def _keys_of_the_source(self) -> "DatasetConfig":
        needed = OWN_KEYS.get(self.source, ())
        for key in OWN_KEYS["folder"]:
            if key in needed and getattr(self, key) is None:
                raise ValueError(
                    f"source {self.source} needs the keys {', '.join(needed)}; {key} is missing"
                )
            if key not in needed and getattr(self, key) is not None:
                users = " and ".join(source for source, keys in OWN_KEYS.items() if key in keys)
                raise ValueError(
                    f"{key} is a key of source {users} alone; take it out for {self.source}"
                )
        return self

    @model_validator(mode="after")
    def _counts_of_pictures(self) -> "DatasetConfig":
        for key in ("train", "val", "test"):
            if self.source == "inrs" and getattr(self, key) is not None:
                raise ValueError(f"{key} chooses pictures; take it out for source inrs")
            if self.source != "inrs" and getattr(self, key) is None:
                raise ValueError(f"{key}: this key is missing")
        return self

    def n_objects(self) -> dict[str, int]:
        """The number of objects of each split; none are known of imported networks."""
        return {"train": self.train or 0, "val": self.val or 0, "test": self.test or 0}

    @model_validator(mode="after")
    def _enough_pictures(self) -> "DatasetConfig":
        if self.source in CLASS_SIZES:
            counts = self.n_objects()
            self._compare("test", {"test": counts.pop("test")})
            self._compare("training", counts)
        return self

    def _compare(self, official: str, asked: dict[str, int]) -> None:
        """Refuse to choose more pictures of an official split than it has."""
        sizes, k = CLASS_SIZES[self.source][official], len(CLASS_SIZES[self.source][official])
        wish = " + ".join(f"{name} {n}" for name, n in asked.items())
        smallest_first = sorted(range(k), key=sizes.__getitem__)
        for c in smallest_first if self.balance == "equal" else ():
            shares = [n // k + (c < n % k) for n in asked.values()]
            if sum(shares) > sizes[c]:
                raise ValueError(
                    f"{self.source} has {sizes[c]} {official} pictures of class {c}; "
                    f"{wish} needs {' + '.join(map(str, shares))} of them; ask for fewer"
                    + ("" if len(set(sizes)) == 1 else " or set balance: proportional")
                )
        if sum(asked.values()) > sum(sizes):
            raise ValueError(
                f"{self.source} has {sum(sizes)} {official} pictures; "
                f"{wish} needs {sum(asked.values())}; ask for fewer"
            )
