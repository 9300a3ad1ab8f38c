# The index of the workflow. Stages: snakemake fit | dataset | train | report
from os import environ, pathsep

from snakemake.utils import min_version

min_version("9.10")

# Jobs find the package also in an environment that only holds its dependencies.
environ["PYTHONPATH"] = (
    f"{workflow.basedir}/src{pathsep}{environ.get('PYTHONPATH', '')}"
)


configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        rules.report.input,
