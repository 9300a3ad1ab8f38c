# Weight-space models: one job trains a cell (dataset, model, scheme, views ...) from every seed.


def training_input(wildcards):
    """The pictures for a model of pixels, else the networks, aligned where the scheme says so."""
    cell = CELLS[wildcards.cell]
    if CONFIG.reads_pixels(cell):
        return {"objects": rules.objects.output[0].format(dataset=cell.dataset)}
    reference = CONFIG.scheme(cell.scheme).align_to_reference
    if reference is None:
        return {"inrs": inrs_of(cell.dataset)}
    aligned = rules.align_to_reference.output[0]
    return {"inrs": aligned.format(dataset=cell.dataset, reference=reference)}


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
        mem_mb=lambda wildcards: (
            2000 + 3 * CONFIG.dataset_mb(CELLS[wildcards.cell].dataset)
        ),
        gpu=int(CONFIG.train.device == "cuda"),
        runtime=lambda wildcards: CONFIG.minutes(
            CONFIG.train.updates * CELLS[wildcards.cell].budget
        ),
    params:
        cell=lambda wildcards: CONFIG.resolve(wildcards.cell),
        code=fingerprint("train_cell.py"),
    script:
        "../scripts/train_cell.py"


rule train:
    input:
        expand(rules.train_cell.output, cell=CELLS),
