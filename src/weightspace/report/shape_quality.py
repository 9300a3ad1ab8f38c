"""How well the networks of shapes show them: overlap with the mesh and distance to it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from weightspace.data.shapes.chosen import read_shapes
from weightspace.data.study_objects import read_study_objects
from weightspace.fit.shape_quality import chamfer, iou, level_set
from weightspace.report.collect import ReportError
from weightspace.report.tables import Table
from weightspace.report.wording import number
from weightspace.rng import stream
from weightspace.store import read_columns, read_inrs

__all__ = ["measure_shapes", "places_of", "shape_quality_table"]

RESOLUTION = 48  # of the grid of the level set
POINTS = 20_000  # of the cube, for the overlap
ON_SURFACE = 5_000  # points of each surface, for the distance
AT_ONCE = 256  # meshes in memory
CLOSED = (("closed", True), ("open", False))

NOTE = (
    "View 0 of the stated numbers of objects: where there are more, half of them closed meshes as "
    "far as there are so many, the classes in turn; failed fits are left out. IoU: "
    "volume inside both of network and mesh over volume inside either, from random points of the "
    "cube. "
    "Chamfer: mean distance between the surfaces, both ways, in units of the unit ball; 0 for "
    "equal ones. Closed: every edge of the mesh belongs to two faces; of an open mesh the inside "
    "is where the winding number exceeds 1/2. No surface: the network is on one side of the level "
    "everywhere; it has no Chamfer distance."
)


def measure_shapes(
    inr_path: str | Path,
    shapes_path: str | Path,
    *,
    objects: int = 240,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Measure the level set of view 0 of some objects against their meshes.

    Args:
        inr_path: an assembled dataset of shapes.
        shapes_path: the shapes, as `write_shapes` writes them.
        objects: how many to measure at most, one of each class in turn: half of them closed
            meshes, if there are so many, and half open ones.
        progress: called with the objects done and in all.

    Returns:
        One row per object: object_id, class, split, title, faces, closed, psnr (dB), iou (NaN
        where neither has an inside), surface, chamfer (unit ball; NaN without a surface).

    Raises:
        ReportError: if the networks are of other objects.
    """
    places = places_of(shapes_path)
    entries = pd.DataFrame(read_columns(inr_path))
    first = entries[entries["view"] == 0]
    if not set(first["object_id"]) <= set(places):
        raise ReportError(f"{inr_path} has networks of other objects than {shapes_path}")
    rows = [places[object_id] for object_id in first["object_id"]]
    chosen = _chosen(first.assign(closed=_closed(shapes_path, rows)), objects)
    inrs = read_inrs(inr_path, chosen.index.to_numpy())
    siren = {"omega_0": inrs.header.omega_0, "output_offset": inrs.header.output_offset}
    shapes = read_shapes(
        Path(shapes_path), [places[object_id] for object_id in chosen["object_id"]]
    )
    found = []
    for i, entry in enumerate(chosen.to_dict("records")):
        object_id, mesh, w = int(entry["object_id"]), shapes.meshes[i], inrs.weights[i : i + 1]
        generator = stream(0, "shape quality", object_id)
        surface = level_set(w, **siren, resolution=RESOLUTION)
        overlap = iou(w, mesh, **siren, points=POINTS, generator=generator)
        apart = np.nan
        if surface is not None:
            apart = chamfer(mesh, surface, points=ON_SURFACE, generator=generator)
        found.append(
            {"object_id": object_id, "class": shapes.classes[shapes.labels[i]]}
            | {"split": entry["split"], "title": shapes.titles[i]}
            | {"faces": len(mesh.faces), "closed": entry["closed"], "psnr": entry["psnr"]}
            | {"iou": overlap.item(), "surface": surface is not None, "chamfer": apart}
        )
        if progress is not None:
            progress(i + 1, len(chosen))
    return pd.DataFrame(found)


def places_of(path: str | Path) -> dict[int, int]:
    """Where each object_id is among the shapes of a file."""
    object_ids = read_study_objects(Path(path)).object_ids
    return {object_id: i for i, object_id in enumerate(object_ids.tolist())}


def _closed(path: str | Path, rows: list[int]) -> list[bool]:
    """Whether each of these meshes is closed."""
    parts = (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
    return [mesh.closed for part in parts for mesh in read_shapes(Path(path), part).meshes]


def _chosen(first: pd.DataFrame, objects: int) -> pd.DataFrame:
    """The entries to measure; half of them closed, the classes in turn."""
    turn = first.groupby(["closed", "label"]).cumcount()
    ranked = first.assign(turn=turn).sort_values(["turn", "label"])
    closed, others = ranked[ranked["closed"]], ranked[~ranked["closed"]]
    n = min(len(closed), max(objects // 2, objects - len(others)))
    return pd.concat([closed[:n], others[: objects - n]])


def shape_quality_table(measured: pd.DataFrame) -> Table:
    """Summarise `measure_shapes` over the closed and the open meshes, of all and of each class.

    They are kept apart, because the choice of objects prefers closed ones.

    Args:
        measured: as `measure_shapes` returns.

    Returns:
        The table; its numbers are those of `measured`.
    """
    groups = [("all", measured)]
    groups += [(str(name), own) for name, own in measured.groupby("class", sort=True)]
    parts = [(name, word, own[own["closed"] == c]) for name, own in groups for word, c in CLOSED]
    words = pd.DataFrame(
        {
            "class": name,
            "meshes": word,
            "objects": f"{len(own):,}",
            "mean IoU": number(own["iou"].mean(), 3),
            "median IoU": number(own["iou"].median(), 3),
            "5 % quantile": number(float(own["iou"].quantile(0.05)), 3),
            "mean Chamfer": number(own["chamfer"].mean(), 4),
            "no surface": f"{(~own['surface']).sum():,}",
        }
        for name, word, own in parts
        if len(own)
    )
    return Table(measured, words, NOTE)
