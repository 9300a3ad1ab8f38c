"""Choose the shapes of each split."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.shapes.chosen import read_shapes, select_shapes
from weightspace.data.shapes.shape_sets import load_shape_set
from weightspace.data.study_objects import read_study_objects
from weightspace.device import use_threads
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

dataset = snakemake.wildcards["dataset"]
with job(f"objects of {dataset}", snakemake.log[0], unit="meshes") as progress:
    use_threads(snakemake.threads)
    choice = dict(snakemake.params["choice"])
    whole = load_shape_set(choice.pop("source"), Path(snakemake.params["directory"]))
    sizes = {key: choice[key] for key in ("train", "val", "test", "seed", "balance")}
    path = Path(snakemake.output[0])
    select_shapes(path, whole, **sizes, progress=progress)
    written = read_study_objects(path)
    skipped = read_shapes(path, rows=[]).skipped
    progress.say(f"{len(written)} shapes; skipped {len(skipped)} that cannot be used")
    for reason in skipped:
        progress.say(f"skipped {reason}")
