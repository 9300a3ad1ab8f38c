"""Sets of others that are imported, and results that are tabulated, and cannot be used."""

import json
import os
from pathlib import Path

import torch
from ways import GOLDEN, Met, command, kind, script


def network(n=3, **more):
    layers = torch.nn.Sequential(torch.nn.Linear(2, n), torch.nn.Linear(n, 1))
    return {**layers.state_dict(), "label": 0, **more}


class Code:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def theirs(second=None, splits=None, names="theirs/b.pth"):
    """The import of a set of two networks, the second of which is given."""
    Path("theirs").mkdir()
    torch.save(network(), "theirs/a.pth")
    if isinstance(second, bytes):
        Path("theirs/b.pth").write_bytes(second)
    else:
        torch.save(network(label=1) if second is None else second, "theirs/b.pth")
    given = {"train": ["a.pth"], "test": ["b.pth"]} if splits is None else splits
    Path("theirs/splits.json").write_text(given if isinstance(given, str) else json.dumps(given))
    return Met(command("import", "theirs", "networks.h5"), names)


@kind("import: .pth with code in it")
def code():
    return theirs(network(extra=Code()))


@kind("import: .pth truncated")
def truncated():
    return theirs(b"PK\x03\x04")


@kind("import: .pth of another architecture")
def other():
    return theirs({"conv.0.weight": torch.ones(1, 1, 3, 3), "label": 1})


@kind("import: .pth of other widths")
def widths():
    return theirs(network(5, label=1))


@kind("import: .pth with NaN")
def nan():
    return theirs(network(label=1, **{"1.bias": torch.full((1,), torch.nan)}))


@kind("import: splits.json is not JSON")
def not_json():
    return theirs(splits="{", names="theirs/splits.json")


@kind("import: splits.json without end")
def nested():
    return theirs(splits='{"train": ' + 100_000 * "[", names="theirs/splits.json")


@kind("import: a path that leads out")
def escape():
    return theirs(splits={"train": ["../a.pth"]}, names="theirs/splits.json")


@kind("import: a file is missing")
def gone():
    return theirs(splits={"train": ["a.pth", "gone.pth"]}, names="gone.pth")


@kind("import: an object in two splits")
def two_splits():
    splits = {"train": {"path": ["a.pth"], "object_id": [7], "view": [0]}}
    splits["test"] = {"path": ["b.pth"], "object_id": [7], "view": [1]}
    return theirs(splits=splits, names="theirs/splits.json")


@kind("import: a file in two splits")
def leak():
    columns = {"label": [0], "view": [0]}
    train = {"path": ["a.pth"], "object_id": [1], **columns}
    test = {"path": ["./a.pth"], "object_id": [2], **columns}
    return theirs(splits={"train": train, "test": test}, names="theirs/splits.json")


@kind("import: a split twice")
def split_twice():
    return theirs(splits='{"train": ["a.pth"], "train": ["b.pth"]}', names="theirs/splits.json")


@kind("import: a path too long")
def long_path():
    return theirs(splits={"train": ["a" * 5000]}, names="theirs/splits.json")


@kind("import: a label of too many digits")
def huge_label():
    splits = {"train": {"path": ["a.pth"], "label": [10**30]}}
    return theirs(splits=splits, names="theirs/splits.json")


@kind("import: an object_id of too many digits")
def huge_id():
    splits = {"train": {"path": ["a.pth"], "object_id": [2**70], "view": [0]}}
    return theirs(splits=splits, names="theirs/splits.json")


@kind("import: weightspace.json with a key twice")
def sidecar_twice():
    met = theirs(names="theirs/weightspace.json")
    Path("theirs/weightspace.json").write_text('{"version": 2, "version": 1}')
    return met


@kind("import: an HDF5 file")
def hdf5():
    Path("ok.h5").write_bytes(GOLDEN.read_bytes())
    return Met(command("import", "ok.h5", "networks.h5"), "ok.h5")


@kind("import: one .pth file")
def one():
    torch.save(network(), "a.pth")
    return Met(command("import", "a.pth", "networks.h5"), "a.pth")


def with_option(*options, names):
    """The import of a good set with an option that cannot be."""
    theirs()
    return Met(command("import", "theirs", "new.h5", *options), names)


@kind("import: a grid too large")
def huge_grid():
    return with_option("--shape", 10**8, 10**8, names="shape")


@kind("import: an empty name")
def empty_name():
    return with_option("--dataset", "", names="''")


@kind("import: a class twice")
def class_twice():
    return with_option("--classes", "a", "a", names="'a'")


@kind("import: split points that decide nothing")
def split_points():
    return with_option("--split-points", 5, 2, names="theirs/splits.json")


@kind("import: a view part that decides nothing")
def view_part():
    columns = {"path": ["a.pth"], "object_id": [1], "view": [0]}
    theirs(splits={"train": columns})
    arguments = ("theirs", "new.h5", "--view-part", 7)
    return Met(command("import", *arguments), "theirs/splits.json")


@kind("import: onto its own splits file")
def onto_itself():
    theirs()
    return Met(command("import", "theirs", "theirs/splits.json"), "theirs/splits.json")


@kind("export: onto its own file")
def export_onto_itself():
    Path("ok.h5").write_bytes(GOLDEN.read_bytes())
    return Met(command("export", "ok.h5", "ok.h5", "--format", "safetensors"), "ok.h5")


@kind("render: onto a folder")
def render_onto_folder():
    Path("ok.h5").write_bytes(GOLDEN.read_bytes())
    Path("d.png").mkdir()
    return Met(command("render", "ok.h5", "--out", "d.png"), "d.png")


@kind("import: no set there")
def no_set():
    Path("theirs").mkdir()
    return Met(command("import", "theirs", "networks.h5"), "theirs")


def table(content):
    """The table of all runs of a cell whose metrics are given."""
    Path("metrics.json").write_text(content, encoding="utf-8")
    return Met(
        script("runs_table", input={"metrics": ["metrics.json"]}, output=["runs.csv"]),
        "metrics.json",
    )


@kind("metrics: truncated")
def metrics_truncated():
    return table('{"study": "x", ')


@kind("metrics: a key twice")
def metrics_twice():
    return table('{"study": "x", "study": "y"}')


@kind("metrics: of something else")
def metrics_foreign():
    return table("[1, 2]")


@kind("metrics: a key is missing")
def metrics_old():
    return table('{"study": "x", "runs": [{}]}')
