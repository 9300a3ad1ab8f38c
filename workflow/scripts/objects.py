"""Choose the objects of each split."""

from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.data.images import load_images
from weightspace.data.objects import write_objects
from weightspace.data.selection import select_objects
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("objects", snakemake.log[0]):
    settings = dict(snakemake.params["dataset"])
    images = load_images(settings.pop("name"), Path(snakemake.params["directory"]))
    write_objects(Path(snakemake.output[0]), select_objects(images, **settings))
