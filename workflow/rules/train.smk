# Weight-space models: one job trains a cell (model, scheme, views) from every seed.


rule train_cell:
    input:
        rules.assemble.output.inrs,
    output:
        multiext(
            f"{RESULTS}/runs/{{cell}}/",
            metrics="metrics.json",
            history="history.csv",
            predictions="predictions.csv",
            checkpoint="checkpoint.pt",
        ),
    log:
        f"{RESULTS}/logs/train_cell/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_cell/{{cell}}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000 + 3 * CONFIG.dataset_mb(),
        gpu=int(CONFIG.train.device == "cuda"),
        runtime=240,
    params:
        cell=lambda wildcards: CONFIG.resolve(wildcards.cell),
        code=fingerprint("train_cell.py"),
    script:
        "../scripts/train_cell.py"


rule train:
    input:
        expand(rules.train_cell.output, cell=CELLS),
