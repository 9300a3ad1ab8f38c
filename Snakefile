# The index of the workflow. Stages: snakemake fit | dataset | train | report
import os

from snakemake.utils import min_version

min_version("9.10")

# Jobs find the package also in an environment that only holds its dependencies.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [f"{workflow.basedir}/src", *filter(None, [os.environ.get("PYTHONPATH")])]
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
