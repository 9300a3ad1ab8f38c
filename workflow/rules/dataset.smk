# All shards of a dataset as one file of INRs, or a file that was imported.


rule assemble:
    input:
        objects=f"{RESULTS}/objects/{{dataset}}.npz",
        shards=lambda wildcards: shards_of(wildcards.dataset),
    output:
        inrs=f"{RESULTS}/datasets/{{dataset}}.h5",
        quality=f"{RESULTS}/datasets/{{dataset}}.fit_quality.json",
    log:
        f"{RESULTS}/logs/assemble/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/assemble/{{dataset}}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        # The columns are in memory, of the networks a few MiB.
        mem_mb=lambda wildcards, attempt: (
            attempt * (1000 + CONFIG.n_inrs(wildcards.dataset) // 1500)
        ),
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        views=lambda wildcards: CONFIG.fit_of(wildcards.dataset).views.fitted(),
        code=fingerprint("assemble.py"),
    script:
        "../scripts/assemble.py"


rule dataset:
    input:
        [inrs_of(dataset) for dataset in FITTED],
        RECORD,
