# SIRENs: a shard is a range of objects with all their views.


rule fit_shard:
    input:
        f"{RESULTS}/objects.npz",
    output:
        f"{RESULTS}/fits/shard_{{shard}}.h5",
    log:
        f"{RESULTS}/logs/fit_shard/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_shard/{{shard}}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 8
    resources:
        mem_mb=2000 + CONFIG.dataset_mb() // len(SHARDS),
        gpu=int(CONFIG.fit.device == "cuda"),
        runtime=120,
    params:
        fit={
            key: value
            for key, value in CONFIG.fit.model_dump().items()
            if key != "shard_size"
        },
        shard_size=CONFIG.fit.shard_size,
        code=fingerprint("fit_shard.py"),
    script:
        "../scripts/fit_shard.py"


rule fit:
    input:
        expand(rules.fit_shard.output, shard=SHARDS),
