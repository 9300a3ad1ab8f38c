from pathlib import Path

from snakemake.exceptions import WorkflowError

from weightspace.config import BUNDLED, ConfigError, load_config
from weightspace.provenance import code_fingerprint

try:
    CONFIG = load_config(config)
except ConfigError as error:
    raise WorkflowError(str(error)) from None

RESULTS = f"results/{CONFIG.experiment}"
CELLS = CONFIG.all_cells()
SHARDS = range(CONFIG.n_shards())


wildcard_constraints:
    shard=r"\d+",
    cell="|".join(CELLS),


def fingerprint(script):
    """Digest a script and the modules it uses, so that only a change of their code re-runs it."""
    return code_fingerprint(Path(workflow.basedir, "workflow", "scripts", script))


# The whole config as it was run, with the defaults filled in.
rule config_record:
    output:
        f"{RESULTS}/config.yaml",
    log:
        f"{RESULTS}/logs/config_record.log",
    benchmark:
        f"{RESULTS}/benchmarks/config_record.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=200,
        runtime=5,
    params:
        config=CONFIG.model_dump(),
        code=fingerprint("config_record.py"),
    localrule: True
    script:
        "../scripts/config_record.py"
