"""Write down the config as it is run, with the defaults filled in."""

from typing import TYPE_CHECKING

import yaml

from weightspace.atomic import replacing
from weightspace.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job("config", snakemake.log[0]), replacing(snakemake.output[0]) as path:
    path.write_text(yaml.safe_dump(snakemake.params["config"], sort_keys=False), encoding="utf-8")
