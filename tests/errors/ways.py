"""The ways in which a user meets bad input, and the register of its kinds.

A kind writes its bad input into the working directory and says what is run then, by the entry
point that a user or Snakemake takes, in this process.
"""

import copy
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import yaml

from weightspace.__main__ import main
from weightspace.config.data import DatasetConfig
from weightspace.config.files import read_file
from weightspace.config.study import ConfigError, load_config
from weightspace.job import job

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
GOLDEN = ROOT / "tests" / "golden" / "v1.h5"
LOG = "log.txt"


@dataclass(frozen=True)
class Met:
    """What is run on bad input, and the file or the key that the message must name."""

    run: Callable[[], object]
    names: str


KINDS: dict[str, Callable[[], Met]] = {}


def kind(name):
    """Register what makes a kind of bad input."""

    def register(make):
        assert name not in KINDS
        KINDS[name] = make
        return make

    return register


def command(*arguments):
    """`python -m weightspace ...`."""
    return lambda: sys.exit(main([str(x) for x in arguments]))


class Files(dict):
    """The files of a job: by their names, and one after the other."""

    def __iter__(self):
        return iter(self.values())


def script(name, *, output, params=None, **snakemake):
    """A job, as Snakemake runs it; its outputs are files of the working directory."""
    given = {"input": [], "wildcards": {"dataset": "own"}, "threads": 1, **snakemake}
    given["params"] = {"code": "a digest", **(params or {})}
    job = SimpleNamespace(**given, output=output, log=[LOG])
    path = ROOT / "workflow" / "scripts" / f"{name}.py"
    return lambda: runpy.run_path(str(path), init_globals={"snakemake": job})


def function(call):
    """A function that scripts of users call, in the frame of a job."""

    def run():
        with job("function", LOG):
            call()

    return run


def start(path):
    """The start of a workflow on a config file, up to where Snakemake shows the error."""

    def run():
        from snakemake.utils import update_config

        raw = copy.deepcopy(DEFAULT)
        try:
            update_config(raw, read_file(path))
            load_config(raw)
        except ConfigError as error:
            print(f"snakemake: error: {error}", file=sys.stderr)
            sys.exit(1)

    return run


def config(text, names):
    """A config file of some text, at the start of a workflow."""
    Path("study.yaml").write_text(text, encoding="utf-8")
    return Met(start("study.yaml"), names)


def pictures(source="folder", *, train=2, val=2, test=2):
    """The choice of pictures from the folder `images`."""
    own = {"path": "images", "size": [8, 8], "channels": 1} if source == "folder" else {}
    dataset = DatasetConfig(source=source, train=train, val=val, test=test, **own)
    return script(
        "objects",
        output=["objects.npz"],
        params={
            "choice": dataset.model_dump(exclude={"fit", "points", "path"}),
            "directory": "images",
        },
    )


def shapes(source="mesh_folder", *, train=2, val=2, test=2):
    """The choice of shapes from the folder `meshes`."""
    choice = {"source": source, "train": train, "val": val, "test": test}
    return script(
        "shape_objects",
        output=["objects.npz"],
        params={"choice": {**choice, "seed": 0, "balance": "equal"}, "directory": "meshes"},
    )


def training(path, *, views=1):
    """The training of a cell on an imported file of networks."""
    raw = copy.deepcopy(DEFAULT)
    raw["datasets"] = {"theirs": {"source": "inrs", "path": path}}
    raw["models"] = {"m": {"kind": "mlp", "lr": 0.01, "weight_decay": 0.0, "width": 4, "depth": 1}}
    raw["train"] |= {"updates": 2, "warmup": 0, "evaluate_every": 1, "seeds": [0], "batch_size": 2}
    block = {"datasets": ["theirs"], "models": ["m"], "schemes": ["none"], "views": [views]}
    raw["experiments"] = {"views": [block]}
    (cell,) = (study := load_config(raw)).all_cells
    return script(
        "train_cell",
        input=Files(inrs=path),
        output={"metrics": "run/metrics.json"},
        params={"cell": study.resolve(cell)},
    )
