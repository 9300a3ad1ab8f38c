# The pictures: fetched where a dataset is not bundled, then the objects of each split.
DOWNLOADS = "results/downloads"


rule download:
    output:
        # A mark rather than the folder: Snakemake would delete the folder, and with it what an
        # interrupted download can resume from.
        touch(f"{DOWNLOADS}/{{dataset}}.complete"),
    log:
        f"{DOWNLOADS}/{{dataset}}.log",
    benchmark:
        f"{DOWNLOADS}/{{dataset}}.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        directory=lambda wildcards: f"{DOWNLOADS}/{wildcards.dataset}",
        code=fingerprint("download.py"),
    script:
        "../scripts/download.py"


rule objects:
    input:
        (
            f"{DOWNLOADS}/{CONFIG.dataset.name}.complete"
            if needs_directory(CONFIG.dataset.name)
            else []
        ),
    output:
        f"{RESULTS}/objects.npz",
    log:
        f"{RESULTS}/logs/objects.log",
    benchmark:
        f"{RESULTS}/benchmarks/objects.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        dataset=CONFIG.dataset.model_dump(),
        directory=f"{DOWNLOADS}/{CONFIG.dataset.name}",
        code=fingerprint("objects.py"),
    script:
        "../scripts/objects.py"
