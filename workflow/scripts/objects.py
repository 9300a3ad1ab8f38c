"""Choose the pictures of each split."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.images import load_images
from weightspace.data.objects import write_objects
from weightspace.data.selection import select_objects
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

dataset = snakemake.wildcards["dataset"]
with job(f"objects of {dataset}", snakemake.log[0], unit="pictures") as progress:
    choice, directory = dict(snakemake.params["choice"]), snakemake.params["directory"]
    images = load_images(
        choice.pop("source"),
        None if directory is None else Path(directory),
        size=choice.pop("size"),
        channels=choice.pop("channels"),
        progress=progress,
    )
    write_objects(Path(snakemake.output[0]), select_objects(images, **choice))
