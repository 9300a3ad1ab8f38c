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

RESULTS = f"results/{CONFIG.study}"
TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
CELLS = CONFIG.all_cells()
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
