"""Pre-train a model without labels from every seed and judge it with few labels."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from weightspace.dataset.load import load_datasets
from weightspace.device import choose_device, device_name, use_threads
from weightspace.job import job
from weightspace.memory import allowed_memory, keep_freed_memory
from weightspace.provenance import commit, versions
from weightspace.train.contrastive_cell import train_contrastive_cell
from weightspace.train.contrastive_records import write_contrastive_records
from weightspace.train.selection import needed
from weightspace.train.unfinished import unfinished_cell

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

cell = snakemake.params["cell"]
with job(cell["cell"], snakemake.log[0], unit="updates") as progress:
    use_threads(snakemake.threads)
    keep_freed_memory()
    device = choose_device(cell["device"])
    origin = {"versions": versions(), "commit": commit(), "device": device_name(device)}
    origin["threads"] = snakemake.threads
    folder, given = Path(snakemake.output["metrics"]).parent, {"inputs": snakemake.input}
    given |= {"settings": cell, "code": snakemake.params["code"], "origin": origin}
    unfinished = unfinished_cell(folder / "unfinished", **given)
    memory = allowed_memory(cell["memory_mb"], device)
    keep = partial(needed, views=cell["views"], train_views=cell["train_views"], pool=False)
    result = train_contrastive_cell(
        load_datasets("weights", {"inrs": snakemake.input[0]}, keep=keep, memory=memory),
        model=cell["model_settings"],
        scheme=cell["scheme_settings"],
        **{key: cell[key] for key in ("pairs", "views", "train_views", "seeds")},
        **{key: cell[key] for key in ("embedding", "label_fractions", "pretraining", "fine_tune")},
        l2=cell["probe"]["l2"],
        device=device,
        unfinished=unfinished,
        progress=progress,
    )
    write_contrastive_records(folder, result, config=cell, **origin)
    unfinished.forget()
    for seed, reason in result.failed_seeds.items():
        progress.say(f"seed {seed} has no result: {reason}")
    for seed, f in ((seed, f) for seed, fs in result.failures.items() for f in fs):
        progress.say(f"seed {seed}, {f}")
