from functools import cache
from os import W_OK, access
from pathlib import Path

from snakemake.exceptions import WorkflowError

from weightspace.config.data import download_name
from weightspace.config.study import ConfigError, load_config
from weightspace.data.folder_listing import PICTURES, folder_state
from weightspace.data.shapes.mesh_folder import MESHES
from weightspace.provenance import code_fingerprint

try:
    CONFIG = load_config(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

DOWNLOADS = "results/downloads"
RESULTS = f"results/{CONFIG.study}"
RECORD = f"{RESULTS}/config.yaml"  # of the config, as the study was last run
TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
CELLS = CONFIG.all_cells
CONTRASTIVE = CONFIG.contrastive_cells
DATASETS = CONFIG.used_datasets()
FITTED = CONFIG.fitted_datasets()
SHAPED = [name for name in DATASETS if CONFIG.datasets[name].is_shape]
PICTURED = [name for name in DATASETS if name not in SHAPED]


onstart:
    # Snakemake would end in a traceback where it prepares the first job.
    for folder in ("results", RESULTS):
        if Path(folder).exists() and not access(folder, W_OK):
            raise WorkflowError(
                f"{Path(folder).resolve()} cannot be written: make it writable (a read-only "
                f"disk? the folder of somebody else?), or run in a copy; what is there stays as "
                f"it is"
            )


def one_of(names):
    """A constraint that just these names meet."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=one_of(DATASETS),
    shard=r"\d+",
    cell=one_of(CELLS),


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


def source_of(dataset):
    """What has to be there before the objects of a dataset can be chosen."""
    chosen = CONFIG.datasets[dataset]
    if chosen.path is not None:
        return ancient(chosen.path)  # `state_of` tells whether its files changed
    download = download_name(chosen.source)
    return f"{DOWNLOADS}/{download}.complete" if download else []


def directory_of(dataset):
    """The folder that the objects of a dataset are read from; None for the bundled ones."""
    chosen = CONFIG.datasets[dataset]
    download = download_name(chosen.source)
    return chosen.path or (f"{DOWNLOADS}/{download}" if download else None)


def choice_of(dataset):
    """What decides the choice of the objects of a dataset."""
    return CONFIG.datasets[dataset].model_dump(exclude={"fit", "points", "path"})


def state_of(dataset):
    """Digest the user's own files, so that new ones are noticed."""
    chosen = CONFIG.datasets[dataset]
    kind = MESHES if chosen.source == "mesh_folder" else PICTURES
    return None if chosen.path is None else folder_state(Path(chosen.path), kind)


def points_of(dataset):
    """The files of the points of a dataset of shapes; none of pictures."""
    shards = range(CONFIG.n_shards(dataset) if dataset in SHAPED else 0)
    return expand(rules.sample_points.output, dataset=dataset, shard=shards)


@cache
def sampling_of(dataset):
    """How the points of a dataset of shapes are sampled; made once, like `fits_of`."""
    return CONFIG.sampling_of(dataset)


@cache
def fits_of(dataset):
    """What decides the fits of a shard of a dataset; made once, for its thousands of shards."""
    fit = CONFIG.fit_of(dataset)
    return {
        "fit": fit.model_dump(exclude={"shard_size"}) | {"views": fit.views.fitted()},
        "signal": CONFIG.signal_of(dataset),
        "n_shards": CONFIG.n_shards(dataset),
    }


@cache
def fit_mb(dataset):
    """About how many MB the fits of a shard of a dataset need."""
    points = 4 * CONFIG.points_mb(dataset)  # copies for retries and in tiles
    return 2000 + (CONFIG.dataset_mb(dataset) + points) // CONFIG.n_shards(dataset)


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
    """The raw objects for a model of these, else the networks, aligned where the scheme says."""
    cell = CELLS[wildcards.cell]
    if CONFIG.inputs_of(cell) != "weights":
        objects = f"{RESULTS}/objects/{cell.dataset}.npz"
        points = points_of(cell.dataset)
        return {"objects": objects} | ({"points": points} if points else {})
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
    """The figures and the table of an experiment, and the record of the config."""
    if experiment not in CONFIG.configured:
        raise WorkflowError(
            f"the study {CONFIG.study!r} has no experiment {experiment!r}, but "
            f"{', '.join(CONFIG.configured)}; list its cells under experiments.{experiment}, or "
            f"take a config that does: --configfile workflow/configs/images.yaml"
        )
    results = getattr(rules, f"{experiment}_results").output
    return [*results, RECORD]
