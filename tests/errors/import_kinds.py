"""Sets of others that are imported, and results that are tabulated, and cannot be used."""

import json
import os
from pathlib import Path

import torch
from ways import Met, command, kind, script


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


@kind("metrics: of something else")
def metrics_foreign():
    return table("[1, 2]")


@kind("metrics: a key is missing")
def metrics_old():
    return table('{"study": "x", "runs": [{}]}')
