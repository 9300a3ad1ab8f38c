"""The figure of the gallery: originals above renderings of their views."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weightspace.data.coordinates import grid
from weightspace.data.objects import read_objects
from weightspace.fit.quality import psnr
from weightspace.report.collect import ReportError
from weightspace.report.style import WIDTH, report_style
from weightspace.siren import siren
from weightspace.store import Header, InrSet, read_columns, read_header, read_inrs

__all__ = ["choose_objects", "gallery_figure", "render"]


@report_style()
def gallery_figure(
    inr_path: str | Path, objects_path: str | Path, *, n_objects: int = 8, n_views: int = 4
) -> Figure:
    """Draw original images and below each what the networks of its views give back.

    The renderings need the file of the networks alone; the PSNR above each is computed from
    the rendering, not read from the file. The objects are those with the most views, one of
    each class in turn.

    Args:
        inr_path: an assembled dataset, or one shard.
        objects_path: the objects, as `write_objects` writes them.
        n_objects: the number of columns, at most.
        n_views: the number of renderings per object, at most.

    Returns:
        The figure.

    Raises:
        ReportError: if the networks are not of two-dimensional images, or not of these objects.
    """
    _image_shape(read_header(inr_path))
    columns = read_columns(inr_path)
    entries = pd.DataFrame({key: columns[key] for key in ("object_id", "view", "label")})
    chosen = choose_objects(entries, n_objects)
    originals = _originals(Path(objects_path), chosen)
    rows = entries[entries["object_id"].isin(chosen)]
    keys = rows[["object_id", "view"]].itertuples(index=False, name=None)
    images = render(read_inrs(inr_path, rows.index.to_numpy()))
    renderings = dict(zip(keys, images, strict=True))
    views = sorted(rows["view"].unique())[:n_views]

    width = min(WIDTH, 0.4 + 0.83 * len(chosen))
    cell = (width - 0.4) / len(chosen)
    size = (width, 0.1 + (cell + 0.2) * (1 + len(views)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1 + len(views), len(chosen), squeeze=False)
    for column, (object_id, (name, image)) in enumerate(originals.items()):
        _show(panels[0, column], image, name)
        for row, view in enumerate(views, start=1):
            _show_view(panels[row, column], renderings.get((object_id, view)), image)
    for row, name in enumerate(["original", *(f"view {view}" for view in views)]):
        panels[row, 0].set_ylabel(name)
    return figure


def render(inrs: InrSet) -> np.ndarray:
    """Evaluate the networks on the pixel grid that their header names.

    Args:
        inrs: n networks with their header.

    Returns:
        Images `(n, height, width)`, or `(n, height, width, channels)`, near [0, 1].

    Raises:
        ReportError: if the header's coordinates are not a two-dimensional grid.
    """
    header = inrs.header
    shape = _image_shape(header)
    outputs = siren(
        inrs.weights,
        grid(shape),
        omega_0=header.omega_0,
        output_offset=header.output_offset,
    )
    images = outputs.reshape(len(outputs), *shape, -1).numpy()
    return images[..., 0] if images.shape[-1] == 1 else images


def _image_shape(header: Header) -> tuple[int, ...]:
    shape = tuple(header.coords.get("shape", ()))
    if len(shape) != 2:
        raise ReportError(
            f"the networks of {header.dataset} have coordinates {header.coords}; a picture needs "
            "a shape of two axes"
        )
    return shape


def choose_objects(entries: pd.DataFrame, n_objects: int) -> list[int]:
    """Objects with the most views, in turn one of each class."""
    objects = entries.groupby("object_id", as_index=False).agg(
        label=("label", "first"), views=("view", "nunique")
    )
    most = objects[objects["views"] == objects["views"].max()]
    turn = most.groupby("label").cumcount()
    return most.assign(turn=turn).sort_values(["turn", "label"])["object_id"].tolist()[:n_objects]


def _originals(path: Path, object_ids: list[int]) -> dict[int, tuple[str, np.ndarray]]:
    """The class name and the image in [0, 1] of each of `object_ids`."""
    objects = read_objects(path)
    position = {int(object_id): i for i, object_id in enumerate(objects.object_ids)}
    foreign = [object_id for object_id in object_ids if object_id not in position]
    if foreign:
        raise ReportError(
            f"{path} lacks the objects {foreign}, of which there are networks; "
            "give the objects that were fitted"
        )
    rows = [position[object_id] for object_id in object_ids]
    names = [objects.classes[label] for label in objects.labels[rows]]
    return dict(zip(object_ids, zip(names, objects.images[rows] / 255.0, strict=True), strict=True))


def _show(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image.clip(0, 1), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_title(title, fontsize=8, fontweight="normal", pad=3)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _show_view(axes: Axes, rendering: np.ndarray | None, image: np.ndarray) -> None:
    if rendering is None:  # the fit of this view failed
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "failed", ha="center", va="center", transform=axes.transAxes)
        return
    mse = torch.tensor([((rendering - image) ** 2).mean()])
    _show(axes, rendering, f"{psnr(mse).item():.1f} dB")
