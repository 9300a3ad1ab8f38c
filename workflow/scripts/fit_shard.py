"""Fit all views of the objects of one shard."""

from typing import TYPE_CHECKING

from weightspace.data.objects import read_objects
from weightspace.dataset.shard import fit_shard
from weightspace.device import choose_device, use_threads
from weightspace.job import job
from weightspace.provenance import commit
from weightspace.store import write_inrs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

shard = int(snakemake.wildcards["shard"])
with job(f"fit shard {shard}", snakemake.log[0]) as progress:
    use_threads(snakemake.threads)
    settings = dict(snakemake.params["fit"])
    device = choose_device(settings.pop("device"))
    inrs = fit_shard(
        read_objects(snakemake.input[0]),
        shard,
        shard_size=snakemake.params["shard_size"],
        **settings,
        device=device,
        commit=commit(),
        threads=snakemake.threads,
        progress=progress,
    )
    write_inrs(snakemake.output[0], inrs)
