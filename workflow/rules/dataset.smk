# All shards as one dataset of INRs.


rule assemble:
    input:
        objects=f"{RESULTS}/objects.npz",
        shards=expand(rules.fit_shard.output, shard=SHARDS),
    output:
        inrs=f"{RESULTS}/datasets/inrs.h5",
        quality=f"{RESULTS}/datasets/fit_quality.json",
    log:
        f"{RESULTS}/logs/assemble.log",
    benchmark:
        f"{RESULTS}/benchmarks/assemble.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=1000 + 5 * CONFIG.dataset_mb(),
        runtime=30,
    params:
        views=CONFIG.fit.views.model_dump(),
        code=fingerprint("assemble.py"),
    script:
        "../scripts/assemble.py"


rule dataset:
    input:
        rules.assemble.output,
