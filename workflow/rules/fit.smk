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
        mem_mb=lambda wildcards: (
            2000
            + (
                CONFIG.dataset_mb(wildcards.dataset)
                + 4
                * CONFIG.points_mb(
                    wildcards.dataset
                )  # copies for retries and in tiles
            )
            // CONFIG.n_shards(wildcards.dataset)
        ),
        gpu=int(CONFIG.fit.device == "cuda"),
        runtime=120,
    params:
        fit=lambda wildcards: {
            **CONFIG.fit_of(wildcards.dataset).model_dump(exclude={"shard_size"}),
            "views": CONFIG.fit_of(wildcards.dataset).views.fitted(),
        },
        signal=lambda wildcards: CONFIG.signal_of(wildcards.dataset),
        n_shards=lambda wildcards: CONFIG.n_shards(wildcards.dataset),
        code=fingerprint("fit_shard.py"),
    script:
        "../scripts/fit_shard.py"


rule fit:
    input:
        [shards_of(dataset) for dataset in FITTED],
