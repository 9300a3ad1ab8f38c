# Weight-space models: one job trains a cell (dataset, model, scheme, views ...) from every seed.


rule train_cell:
    input:
        unpack(training_input),
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
        mem_mb=lambda wildcards, attempt: (
            attempt * (2000 + 3 * CONFIG.held_mb(CELLS[wildcards.cell]))
        ),
        gpu=int(CONFIG.train.device == "cuda"),
        runtime=lambda wildcards, attempt: (
            attempt
            * CONFIG.minutes(CONFIG.train.updates * CELLS[wildcards.cell].budget)
        ),
    params:
        cell=lambda wildcards: CONFIG.resolve(wildcards.cell),
        code=fingerprint("train_cell.py"),
    script:
        "../scripts/train_cell.py"


rule train:
    input:
        expand(rules.train_cell.output, cell=CELLS),
        RECORD,
