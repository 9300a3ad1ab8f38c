"""Sample points of the shapes of one shard, and their signed distances."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.shapes.chosen import read_shapes
from weightspace.data.shapes.points import write_points
from weightspace.data.shapes.sampled_shapes import sample_shapes
from weightspace.data.sharding import shard_rows
from weightspace.data.study_objects import read_study_objects
from weightspace.device import use_threads
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

dataset, shard = snakemake.wildcards["dataset"], int(snakemake.wildcards["shard"])
with job(f"points of {dataset}, shard {shard}", snakemake.log[0], unit="shapes") as progress:
    use_threads(snakemake.threads)
    path = Path(snakemake.input[0])
    rows = shard_rows(len(read_study_objects(path)), shard, snakemake.params["n_shards"])
    shapes = read_shapes(path, rows)
    points = sample_shapes(shapes, **snakemake.params["points"], progress=progress)
    write_points(Path(snakemake.output[0]), points)
