from pathlib import Path

from snakemake.exceptions import WorkflowError

from weightspace.config.cells import EXPERIMENTS
from weightspace.config.study import ConfigError, load_config
from weightspace.data.folder_listing import folder_state
from weightspace.data.images import needs_directory
from weightspace.provenance import code_fingerprint

try:
    CONFIG = load_config(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

DOWNLOADS = "results/downloads"
RESULTS = f"results/{CONFIG.study}"
TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
CELLS = CONFIG.all_cells
CONTRASTIVE = CONFIG.contrastive_cells
CONFIGURED = [name for name in EXPERIMENTS if getattr(CONFIG.experiments, name)]
DATASETS = CONFIG.used_datasets()
FITTED = CONFIG.fitted_datasets()


wildcard_constraints:
    dataset="|".join(DATASETS),
    shard=r"\d+",
    cell="|".join(CELLS),


def fingerprint(script):
    """Digest a script and the modules it uses, so that only a change of their code re-runs it."""
    return code_fingerprint(Path(workflow.basedir, "workflow", "scripts", script))


def captioned(path, caption, category, label):
    """Show a file in the HTML report."""
    return report(
        path,
        caption=f"../report/{caption}.rst",
        category=category,
        labels={"what": label},
    )


def pictures_of(dataset):
    """What has to be there before the objects of a dataset can be chosen."""
    chosen = CONFIG.datasets[dataset]
    if chosen.source == "folder":
        return ancient(chosen.path)  # `state_of` tells whether its pictures changed
    return (
        f"{DOWNLOADS}/{chosen.source}.complete"
        if needs_directory(chosen.source)
        else []
    )


def state_of(dataset):
    """Digest the user's own pictures, so that new ones are noticed."""
    chosen = CONFIG.datasets[dataset]
    return folder_state(Path(chosen.path)) if chosen.source == "folder" else None


def shards_of(dataset):
    """The files of all fits of a dataset."""
    shards = range(CONFIG.n_shards(dataset))
    return expand(rules.fit_shard.output, dataset=dataset, shard=shards)


def inrs_of(dataset):
    """The file of the INRs of a dataset."""
    if CONFIG.datasets[dataset].source == "inrs":
        return CONFIG.datasets[dataset].path
    return rules.assemble.output.inrs.format(dataset=dataset)


def aligned_datasets(wildcards):
    """The datasets that the experiment compares alignments on."""
    return list(dict.fromkeys(c.dataset for c in CONFIG.cells_of("alignment").values()))


def training_input(wildcards):
    """The pictures for a model of pixels, else the networks, aligned where the scheme says so."""
    cell = CELLS[wildcards.cell]
    if CONFIG.reads_pixels(cell):
        return {"objects": rules.objects.output[0].format(dataset=cell.dataset)}
    reference = CONFIG.scheme(cell.scheme).align_to_reference
    if reference is None:
        return {"inrs": inrs_of(cell.dataset)}
    aligned = rules.align_to_reference.output[0]
    return {"inrs": aligned.format(dataset=cell.dataset, reference=reference)}


def files_of(experiment, kind):
    """One file of every cell of an experiment, in the order of the cells."""
    output = rules.train_cell.output[kind]
    return expand(output, cell=CONFIG.cells_of(experiment))


def results_of(experiment):
    """The figure and the table of an experiment."""
    if experiment not in CONFIGURED:
        raise WorkflowError(
            f"the study {CONFIG.study!r} has no experiment {experiment!r}, but "
            f"{', '.join(CONFIGURED)}; list its cells under experiments.{experiment}, or "
            f"take a config that does: --configfile workflow/configs/images.yaml"
        )
    return list(getattr(rules, f"{experiment}_results").output)
