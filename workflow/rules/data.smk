# The pictures: fetched where a dataset is not bundled, then the objects of each split.


rule download:
    output:
        # A mark rather than the folder: Snakemake would delete the folder, and with it what an
        # interrupted download can resume from.
        touch(f"{DOWNLOADS}/{{source}}.complete"),
    log:
        f"{DOWNLOADS}/{{source}}.log",
    benchmark:
        f"{DOWNLOADS}/{{source}}.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        directory=lambda wildcards: f"{DOWNLOADS}/{wildcards.source}",
        code=fingerprint("download.py"),
    script:
        "../scripts/download.py"


rule objects:
    input:
        lambda wildcards: pictures_of(wildcards.dataset),
    output:
        f"{RESULTS}/objects/{{dataset}}.npz",
    log:
        f"{RESULTS}/logs/objects/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/objects/{{dataset}}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        dataset=lambda wildcards: CONFIG.datasets[wildcards.dataset].model_dump(
            exclude={"fit"}
        ),
        downloads=DOWNLOADS,
        state=lambda wildcards: state_of(wildcards.dataset),
        code=fingerprint("objects.py"),
    script:
        "../scripts/objects.py"
