"""The words of tables and figures, derived from the names and numbers of the runs."""

from collections.abc import Iterable

import pandas as pd

__all__ = ["display_name", "setting_label", "varying", "with_labels"]

# Names and words whose spelling cannot be derived; every other name is shown as it is.
NAMES = {
    "fashion_mnist": "Fashion-MNIST",
    "fashion_mnist_subset": "Fashion-MNIST subset",
    "cifar10": "CIFAR-10",
    "pixel_cnn": "CNN on pixels",
    "pixel_mlp": "MLP on pixels",
    "pointnet": "PointNet on points",
    "pointnet_occupancy": "PointNet on occupancy",
    "ldraw10": "LDraw-10",
    "ldraw20": "LDraw-20",
    "modelnet10": "ModelNet10",
    "modelnet40": "ModelNet40",
    "gaussian_noise": "Gaussian noise",
    "self_mixup": "self-MixUp",
}
SPELLING = {"mlp": "MLP", "dws": "DWSNet", "cnn": "CNN", "mnist": "MNIST", "mixup": "MixUp"}

NOUNS = {
    "views": ("view", "views"),
    "objects": ("object", "objects"),
    "budget": ("× the updates", "× the updates"),
}
SERIES = ("study", "dataset")


def display_name(name: str) -> str:
    """The name of a model, scheme or dataset in words: "aligned_mixup" -> "aligned MixUp"."""
    return NAMES.get(name, " ".join(SPELLING.get(word, word) for word in name.split("_")))


def setting_label(**counts: int) -> str:
    """The numbers of a setting in words: `views=4, objects=1500` -> "4 views, 1,500 objects"."""
    words = []
    for key, count in counts.items():
        singular, plural = NOUNS[key]
        space = "" if key == "budget" else " "
        words.append(f"{count:,}{space}{singular if count == 1 else plural}")
    return ", ".join(words)


def varying(frame: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Those of `columns` that hold more than one value."""
    return [column for column in columns if frame[column].nunique() > 1]


def with_labels(frame: pd.DataFrame, names: Iterable[str] = SERIES) -> pd.DataFrame:
    """Add the text columns `series`, `setting` and `scheme_label`, which say only what differs.

    `series` names the model (and those of `names` of which there are several), `setting`
    the views, objects and budget where there are several.
    """
    names, numbers = varying(frame, names), varying(frame, NOUNS)
    series, settings = [], []
    for row in frame.to_dict("records"):
        series.append(", ".join(display_name(row[key]) for key in ["model", *names]))
        settings.append(setting_label(**{key: int(row[key]) for key in numbers}))
    schemes = [display_name(scheme) for scheme in frame["scheme"]]
    return frame.assign(series=series, setting=settings, scheme_label=schemes)
