"""The section of one dataset: which pictures or shapes, and how many objects of each split."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from weightspace.config.types import Count, Positive, Seed, Strict

__all__ = ["BUNDLED", "SHAPES", "DatasetConfig", "PointsConfig", "download_name"]

Side = Annotated[int, Field(ge=2, le=2**14)]

# The keys that a source needs; no other source has them.
OWN_KEYS = {
    "folder": ("path", "size", "channels"),
    "mesh_folder": ("path",),
    "inrs": ("path",),
}

BUNDLED = ("fashion_mnist_subset",)
"""The sources that are in the package: nothing is downloaded for them."""

SHAPES = ("ldraw10", "ldraw20", "modelnet10", "modelnet40", "mesh_folder")
"""The sources of 3D shapes."""

# Objects of each class in the official training and test sets.
CLASS_SIZES: dict[str, dict[str, tuple[int, ...]]] = {
    "fashion_mnist_subset": {"training": (500,) * 10, "test": (100,) * 10},
    "fashion_mnist": {"training": (6_000,) * 10, "test": (1_000,) * 10},
    "mnist": {
        "training": (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        "test": (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    },
    "cifar10": {"training": (5_000,) * 10, "test": (1_000,) * 10},
    "modelnet10": {
        "training": (106, 515, 889, 200, 200, 465, 200, 680, 392, 344),
        "test": (50, 100, 100, 86, 86, 100, 86, 100, 100, 100),
    },
}


def download_name(source: str) -> str | None:
    """What has to be downloaded for a source; None for what is bundled or the user's own."""
    if source in BUNDLED or source in OWN_KEYS:
        return None
    return "ldraw" if source in ("ldraw10", "ldraw20") else source


class PointsConfig(Strict):
    """How a shape becomes a signal.

    Attributes:
        queries: points at which the signal of a shape is known.
        near: the share of them near the surface; the others are uniform in the cube [-1, 1]^3.
        spread: the standard deviation of the offset of those from the surface.
        surface: points on the surface, for models that read these, and to judge the fits.
        signal: "sdf", the signed distance, or "occupancy".
        truncation: the distance at which "sdf" becomes flat.
        per_step: points that a step of a fit sees; null for all.
    """

    queries: Count = 8192
    near: Annotated[float, Field(ge=0, le=1)] = 0.8
    spread: Positive = 0.03
    surface: Count = 1024
    signal: Literal["sdf", "occupancy"] = "sdf"
    truncation: Positive = 0.1
    per_step: Count | None = 512

    @model_validator(mode="after")
    def _slices(self) -> "PointsConfig":
        if self.per_step is not None and self.per_step > self.queries:
            raise ValueError(f"per_step is {self.per_step}, more than queries {self.queries}")
        return self


class DatasetConfig(Strict):
    """Which pictures or shapes, and how many objects of each split.

    Attributes:
        source: an official set of pictures or shapes, `folder` (the user's own pictures),
            `mesh_folder` (the user's own meshes) or `inrs` (fitted networks).
        path: where the user's own pictures, meshes or networks lie.
        size: the height and width that the pictures of a folder are resized to.
        channels: 1 makes the pictures of a folder grey, 3 makes them RGB.
        train: the number of objects of the official training split to train on.
        val: the number of other objects of the official training split to validate on.
        test: the number of objects of the official test split.
        seed: of the choice of objects.
        balance: "equal": as many objects of every class; "proportional": as many as the classes
            have in the set, so that all of a set can be used whose classes differ in size.
        points: how a shape becomes a signal; of shapes alone, which get the defaults.
        fit: what differs from the section `fit` of the study.
    """

    source: Literal[
        "fashion_mnist_subset",
        "fashion_mnist",
        "mnist",
        "cifar10",
        "folder",
        "ldraw10",
        "ldraw20",
        "modelnet10",
        "modelnet40",
        "mesh_folder",
        "inrs",
    ]
    path: Annotated[str, Field(min_length=1)] | None = None
    size: Annotated[list[Side], Field(min_length=2, max_length=2)] | None = None
    channels: Literal[1, 3] | None = None
    train: Count | None = None
    val: Count | None = None
    test: Count | None = None
    seed: Seed = 0
    balance: Literal["equal", "proportional"] = "equal"
    points: PointsConfig | None = Field(default=None, validate_default=True)
    fit: dict[str, Any] = Field(default_factory=dict)

    @field_validator("path")
    @classmethod
    def _of_a_file(cls, path: str | None) -> str | None:
        if path is None:
            return None
        if "{" in path or "}" in path:
            raise ValueError(
                f"{path!r} has braces, which Snakemake takes for a wildcard: rename the folder, or "
                "make a link to it"
            )
        try:
            return str(Path(path).expanduser()) if path.startswith("~") else path
        except RuntimeError:
            raise ValueError(f"there is no home folder for {path!r}: write it in full") from None

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

    @field_validator("points")
    @classmethod
    def _points_of_shapes(cls, points: PointsConfig | None, info: Any) -> PointsConfig | None:
        source = info.data.get("source")
        if source in SHAPES:
            return points or PointsConfig()
        if points is not None and source is not None:
            raise ValueError(f"points is a key of shapes alone; take it out for {source}")
        return points

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
                raise ValueError(f"{key} chooses objects; take it out for source inrs")
            if self.source != "inrs" and getattr(self, key) is None:
                raise ValueError(f"{key}: this key is missing")
        return self

    @property
    def is_shape(self) -> bool:
        """Whether its objects are shapes rather than pictures."""
        return self.source in SHAPES

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
        """Refuse to choose more objects of an official split than it has."""
        sizes, k = CLASS_SIZES[self.source][official], len(CLASS_SIZES[self.source][official])
        wish = " + ".join(f"{name} {n}" for name, n in asked.items())
        what = f"{official} {'shapes' if self.is_shape else 'pictures'}"
        smallest_first = sorted(range(k), key=sizes.__getitem__)
        for c in smallest_first if self.balance == "equal" else ():
            shares = [n // k + (c < n % k) for n in asked.values()]
            if sum(shares) > sizes[c]:
                raise ValueError(
                    f"{self.source} has {sizes[c]} {what} of class {c}; "
                    f"{wish} needs {' + '.join(map(str, shares))} of them; ask for fewer"
                    + ("" if len(set(sizes)) == 1 else " or set balance: proportional")
                )
        if sum(asked.values()) > sum(sizes):
            raise ValueError(
                f"{self.source} has {sum(sizes)} {what}; "
                f"{wish} needs {sum(asked.values())}; ask for fewer"
            )
