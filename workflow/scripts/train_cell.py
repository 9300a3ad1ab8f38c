"""Train a model of networks, or of raw data, under one scheme from every seed."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.dataset.load import load_datasets
from weightspace.device import choose_device, device_name, use_threads
from weightspace.job import job
from weightspace.memory import allowed_memory, keep_freed_memory
from weightspace.provenance import commit, versions
from weightspace.train.cell import train_cell
from weightspace.train.records import write_records
from weightspace.train.scheme import needs_pool
from weightspace.train.selection import needed

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

cell = snakemake.params["cell"]
with job(cell["cell"], snakemake.log[0], unit="updates") as progress:
    use_threads(snakemake.threads)
    keep_freed_memory()
    settings = dict(cell["train"])
    device = choose_device(settings.pop("device"))
    memory = allowed_memory(settings.pop("memory_mb"), device)
    pool = needs_pool(cell["scheme_settings"])
    keep = partial(needed, views=cell["views"], train_views=cell["train_views"], pool=pool)
    result = train_cell(
        load_datasets(cell["inputs"], snakemake.input, keep=keep, memory=memory),
        model=cell["model_settings"],
        scheme=cell["scheme_settings"],
        **{key: cell[key] for key in ("views", "objects", "train_views")},
        **settings,
        device=device,
        progress=progress,
    )
    write_records(
        Path(snakemake.output["metrics"]).parent,
        result,
        config=cell,
        versions=versions(),
        commit=commit(),
        device=device_name(device),
        threads=snakemake.threads,
    )
    for seed, reason in result.failed_seeds.items():
        progress.say(f"seed {seed} has no result: {reason}")
