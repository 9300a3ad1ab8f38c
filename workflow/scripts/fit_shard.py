"""Fit all views of the objects of one shard."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.objects import read_objects
from weightspace.data.shapes.points import read_points
from weightspace.data.sharding import shard_rows
from weightspace.data.signals import image_signals, shape_signals
from weightspace.data.study_objects import read_study_objects
from weightspace.dataset.shard import fit_shard
from weightspace.device import choose_device, use_threads
from weightspace.job import job
from weightspace.provenance import commit
from weightspace.store import write_inrs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

shard, fits = int(snakemake.wildcards["shard"]), snakemake.params["fits"]
dataset = snakemake.wildcards["dataset"]
with job(f"fits of {dataset}, shard {shard}", snakemake.log[0], unit="fits") as progress:
    use_threads(snakemake.threads)
    settings, signal = dict(fits["fit"]), fits["signal"]
    device = choose_device(settings.pop("device"))
    path = Path(snakemake.input["objects"])
    objects = read_study_objects(path)
    rows = shard_rows(len(objects), shard, fits["n_shards"])
    if signal is None:
        signals = image_signals(read_objects(path).images[rows])
    else:
        signals = shape_signals(read_points(Path(snakemake.input["points"])), **signal)
    inrs = fit_shard(
        objects,
        rows,
        signals,
        **settings,
        device=device,
        commit=commit(),
        threads=snakemake.threads,
        progress=progress,
    )
    write_inrs(snakemake.output[0], inrs)
