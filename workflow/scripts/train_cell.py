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
from weightspace.train.unfinished import unfinished_cell

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

cell = snakemake.params["cell"]
with job(cell["cell"], snakemake.log[0], unit="updates") as progress:
    use_threads(snakemake.threads)
    keep_freed_memory()
    settings = dict(cell["train"])
    device = choose_device(settings.pop("device"))
    origin = {"versions": versions(), "commit": commit(), "device": device_name(device)}
    origin["threads"] = snakemake.threads
    folder, given = Path(snakemake.output["metrics"]).parent, {"inputs": snakemake.input}
    given |= {"settings": cell, "code": snakemake.params["code"], "origin": origin}
    unfinished = unfinished_cell(folder / "unfinished", **given)
    memory = allowed_memory(settings.pop("memory_mb"), device)
    scheme, chosen = cell["scheme_settings"], {key: cell[key] for key in ("views", "train_views")}
    keep = partial(needed, **chosen, pool=needs_pool(scheme))
    result = train_cell(
        load_datasets(cell["inputs"], snakemake.input, keep=keep, memory=memory),
        model=cell["model_settings"],
        scheme=scheme,
        **chosen,
        objects=cell["objects"],
        **settings,
        device=device,
        unfinished=unfinished,
        progress=progress,
    )
    write_records(folder, result, config=cell, **origin)
    unfinished.forget()
    for seed, reason in result.failed_seeds.items():
        progress.say(f"seed {seed} has no result: {reason}")
