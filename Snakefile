# The index of the workflow. Stages: snakemake fit | dataset | train | report (| reference)
# Experiments: overfitting | views | schemes | equivalence | alignment | strength | contrastive | gap
import sys
from os import environ, pathsep
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from weightspace.config.files import check_files
from weightspace.config.study import ConfigError

min_version("9.10")

# Jobs find the package also in an environment that only holds its dependencies.
SOURCES = f"{workflow.basedir}/src"
environ["PYTHONPATH"] = pathsep.join(filter(None, [SOURCES, environ.get("PYTHONPATH")]))

# Snakemake does not quote the interpreter of a script: a path with a space has to go by PATH.
if " " in sys.executable:
    environ["PATH"] = f"{Path(sys.executable).parent}{pathsep}{environ['PATH']}"
    sys.executable = "python"

# Snakemake takes the last of two equal keys without a word.
try:
    check_files(
        [path for path in ("config.yaml", *workflow.configfiles) if Path(path).exists()]
    )
except ConfigError as error:
    raise WorkflowError(str(error)) from None


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/contrastive.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/announce.smk"


rule all:
    default_target: True
    input:
        # All stages, not only the last: what was deleted in between is made again, but for the
        # shards, which may go when the dataset is there.
        rules.dataset.input,
        rules.train.input,
        rules.report.input,
