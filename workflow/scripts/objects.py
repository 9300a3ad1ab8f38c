"""Choose the objects of each split."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.images import load_images
from weightspace.data.objects import write_objects
from weightspace.data.selection import select_objects
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

dataset = snakemake.wildcards["dataset"]
with job(f"objects of {dataset}", snakemake.log[0]) as progress:
    settings = dict(snakemake.params["dataset"])
    source, path = settings.pop("source"), settings.pop("path")
    images = load_images(
        source,
        Path(path or f"{snakemake.params['downloads']}/{source}"),
        size=settings.pop("size"),
        channels=settings.pop("channels"),
        progress=progress,
    )
    write_objects(Path(snakemake.output[0]), select_objects(images, **settings))
