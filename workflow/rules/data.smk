# Pictures and shapes: fetched where a dataset is not bundled, then the objects of each split.


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
        lambda wildcards: source_of(wildcards.dataset),
    output:
        f"{RESULTS}/objects/{{dataset}}.npz",
    log:
        f"{RESULTS}/logs/objects/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/objects/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(PICTURED),
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        choice=lambda wildcards: choice_of(wildcards.dataset),
        directory=lambda wildcards: directory_of(wildcards.dataset),
        state=lambda wildcards: state_of(wildcards.dataset),
        code=fingerprint("objects.py"),
    script:
        "../scripts/objects.py"


rule shape_objects:
    input:
        lambda wildcards: source_of(wildcards.dataset),
    output:
        f"{RESULTS}/objects/{{dataset}}.npz",
    log:
        f"{RESULTS}/logs/shape_objects/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shape_objects/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SHAPED),
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=120,
    params:
        choice=lambda wildcards: choice_of(wildcards.dataset),
        directory=lambda wildcards: directory_of(wildcards.dataset),
        state=lambda wildcards: state_of(wildcards.dataset),
        code=fingerprint("shape_objects.py"),
    script:
        "../scripts/shape_objects.py"


# The points of a shard of shapes: where their signals are known, and on their surfaces.
rule sample_points:
    input:
        rules.shape_objects.output[0],
    output:
        f"{RESULTS}/points/{{dataset}}/shard_{{shard}}.npz",
    log:
        f"{RESULTS}/logs/sample_points/{{dataset}}/{{shard}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/sample_points/{{dataset}}/{{shard}}.tsv"
    wildcard_constraints:
        dataset=one_of(SHAPED),
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=120,
    params:
        points=lambda wildcards: sampling_of(wildcards.dataset),
        n_shards=lambda wildcards: CONFIG.n_shards(wildcards.dataset),
        code=fingerprint("sample_points.py"),
    script:
        "../scripts/sample_points.py"
