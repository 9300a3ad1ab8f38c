# SIRENs: a shard is a range of objects of a dataset with all their views.


rule fit_shard:
    input:
        objects=f"{RESULTS}/objects/{{dataset}}.npz",
        points=branch(
            lambda wildcards: wildcards.dataset in SHAPED,
            then=rules.sample_points.output[0],
            otherwise=[],
        ),
    output:
        f"{RESULTS}/fits/{{dataset}}/shard_{{shard}}.h5",
    log:
        f"{RESULTS}/logs/fit_shard/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_shard/{{dataset}}/{{shard}}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: attempt * fit_mb(wildcards.dataset),
        gpu=int(CONFIG.fit.device == "cuda"),
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        fits=lambda wildcards: fits_of(wildcards.dataset),
        code=fingerprint("fit_shard.py"),
    script:
        "../scripts/fit_shard.py"


rule fit:
    input:
        [shards_of(dataset) for dataset in FITTED],
        RECORD,
