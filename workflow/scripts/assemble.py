"""Join the shards to one dataset."""

import json
from typing import TYPE_CHECKING

from weightspace.atomic import replacing
from weightspace.data.study_objects import read_study_objects
from weightspace.dataset.assemble import assemble
from weightspace.device import use_threads
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

name = f"assemble {snakemake.wildcards['dataset']}"
with job(name, snakemake.log[0], unit="B") as progress:
    use_threads(snakemake.threads)
    objects = read_study_objects(snakemake.input["objects"])
    quality = assemble(
        snakemake.input["shards"],
        snakemake.output["inrs"],
        objects=(objects.object_ids, objects.labels, objects.splits),
        views=snakemake.params["views"],
        dataset=objects.dataset,
        progress=progress,
    )
    with replacing(snakemake.output["quality"]) as path:
        path.write_text(json.dumps(quality, indent=2, allow_nan=False) + "\n", encoding="utf-8")
