"""A few shapes of three classes, in files, with the networks of their views after a short fit."""

from functools import cache

import numpy as np
import torch
import trimesh

from weightspace.data.shapes.chosen import ShapeObjects
from weightspace.data.shapes.distance import signed_distance
from weightspace.data.shapes.mesh import Mesh, normalised
from weightspace.data.shapes.points import ShapePoints
from weightspace.data.shapes.sampling import sample_queries
from weightspace.data.signals import shape_signals
from weightspace.fit.views import fit_views
from weightspace.inr_set import COLUMNS, Header, InrSet
from weightspace.rng import stream

CLASSES = ("ball", "bin", "brick")
IDS = np.array([3, 10, 11, 12, 20, 21, 30, 31])
LABELS = np.array([2, 2, 2, 2, 0, 0, 1, 2])
FITTED, VIEWS = IDS[1:], 2  # the shapes hold an object that has no networks
LOST = (31, 0)  # the view that failed
LAYOUT, OMEGA, OFFSET = (3, 16, 16, 1), 15.0, 0.4
SIREN = {"omega_0": OMEGA, "output_offset": OFFSET}


def _mesh(shape, keep=slice(None)):
    faces = np.array(shape.faces, dtype=np.int64)[keep]
    mesh = normalised(Mesh(np.array(shape.vertices, dtype=np.float64), faces))
    return Mesh(mesh.vertices.astype(np.float32).astype(np.float64), faces)


def _meshes():
    """Bricks, balls and an open bin, of other proportions each."""
    meshes = []
    for object_id, label in zip(IDS, LABELS, strict=True):
        box = trimesh.creation.box(extents=(1, 0.5 + object_id / 100, 0.8))
        if label == 0:
            meshes.append(_mesh(trimesh.creation.icosphere(2 + object_id % 2)))
        else:
            meshes.append(_mesh(box, box.face_normals[:, 1] < 0.5 if label == 1 else slice(None)))
    return tuple(meshes)


def shapes(dataset="ldraw10"):
    return ShapeObjects(
        dataset=dataset,
        labels=LABELS,
        object_ids=IDS,
        splits=np.where(IDS < 20, "train", "test"),
        classes=CLASSES,
        meshes=_meshes(),
        titles=tuple(f"{object_id}.dat" for object_id in IDS),
        skipped=(),
    )


def _fits():
    """The networks of the views of all objects but one, after a short fit."""
    object_id, view = np.repeat(FITTED, VIEWS), np.tile(np.arange(VIEWS), len(FITTED))
    queries, distances = [], []
    for i, mesh in zip(IDS, _meshes(), strict=True):
        points = sample_queries(mesh, 2000, near=0.8, spread=0.05, generator=stream(0, int(i)))
        queries.append(points.astype(np.float32))
        distances.append(signed_distance(mesh, points).astype(np.float32))
    surface = np.zeros((len(IDS), 1, 3), np.float32)
    points = ShapePoints(IDS, np.stack(queries), np.stack(distances), surface)
    signals = shape_signals(points, signal="sdf", truncation=0.2, near=0.8, spread=0.05)
    rows = np.searchsorted(IDS, object_id)
    settings = {"layer_layout": LAYOUT, "steps": 150, "lr": 0.01, "seed": 0, **SIREN}
    fits = fit_views(
        *(signals.values[rows], object_id, view, signals.coords[rows]),
        **settings,
        min_psnr=0.0,
        retries=0,
    )
    known = {"object_id": object_id, "view": view, "label": LABELS[rows]}
    known |= {"split": np.where(object_id < 20, "train", "test"), "psnr": fits.psnr.numpy()}
    zeros = np.zeros(len(rows))
    columns = {
        name: known.get(name, zeros).astype(str if name == "split" else dtype)
        for name, dtype in COLUMNS.items()
    }
    header = Header(
        dataset="ldraw10",
        layer_layout=LAYOUT,
        omega_0=OMEGA,
        output_offset=OFFSET,
        coords=signals.description,
        classes=CLASSES,
        commit="0" * 40,
        config={},
    )
    return InrSet(header, fits.result.weights, columns)


def without(inrs, lost):
    """The set in which the view `lost` is a failure."""
    failed = (inrs.columns["object_id"] == lost[0]) & (inrs.columns["view"] == lost[1])
    kept, given_up = (
        {name: x[which] for name, x in inrs.columns.items()} for which in (~failed, failed)
    )
    return InrSet(inrs.header, inrs.weights[torch.as_tensor(~failed)], kept, given_up)


def constant(inrs, rows):
    """The set in which some networks are 0.3 everywhere."""
    w = inrs.weights.map(torch.clone)
    for x in w:
        x[rows] = 0.0
    w.biases[-1][rows] = 0.3 - OFFSET
    return InrSet(inrs.header, w, inrs.columns, inrs.failures)


@cache
def fitted():
    """The networks; one view of them is a failure."""
    return without(_fits(), LOST)


def network(inrs, object_id, view):
    own = (inrs.columns["object_id"] == object_id) & (inrs.columns["view"] == view)
    return inrs.weights[torch.as_tensor(own)]
