"""Choose the shapes of each split."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.shapes.chosen import select_shapes, write_shapes
from weightspace.data.shapes.shape_sets import load_shape_set
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

dataset = snakemake.wildcards["dataset"]
with job(f"objects of {dataset}", snakemake.log[0]) as progress:
    choice = dict(snakemake.params["choice"])
    whole = load_shape_set(choice.pop("source"), Path(snakemake.params["directory"]))
    sizes = {key: choice[key] for key in ("train", "val", "test", "seed", "balance")}
    shapes = select_shapes(whole, **sizes, progress=progress)
    for reason in shapes.skipped:
        print(f"skipped {reason}", file=sys.stderr)
    write_shapes(Path(snakemake.output[0]), shapes)
