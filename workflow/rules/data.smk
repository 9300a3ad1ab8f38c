# The pictures: fetched where a dataset is not bundled, then the objects of each split.


rule download:
    output:
        directory("results/downloads/{dataset}"),
    log:
        "results/downloads/{dataset}.log",
    benchmark:
        "results/downloads/{dataset}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    localrule: True
    params:
        code=fingerprint("download.py"),
    script:
        "../scripts/download.py"


rule objects:
    input:
        images=(
            []
            if CONFIG.dataset.name in BUNDLED
            else f"results/downloads/{CONFIG.dataset.name}"
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
        code=fingerprint("objects.py"),
    script:
        "../scripts/objects.py"
