# Contrastive pre-training: one job pre-trains a cell from every seed and judges it with few labels.


rule contrastive_cell:
    input:
        lambda wildcards: inrs_of(CONTRASTIVE[wildcards.cell].dataset),
    output:
        multiext(
            f"{RESULTS}/contrastive/{{cell}}/",
            metrics="metrics.json",
            history="history.csv",
            predictions="predictions.csv",
        ),
    log:
        f"{RESULTS}/logs/contrastive_cell/{{cell}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/contrastive_cell/{{cell}}.tsv"
    wildcard_constraints:
        cell=one_of(CONTRASTIVE),
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: (
            attempt * (2000 + 3 * CONFIG.held_mb(CONTRASTIVE[wildcards.cell]))
        ),
        gpu=int(CONFIG.train.device == "cuda"),
        runtime=lambda wildcards, attempt: attempt * CONFIG.contrastive_minutes(),
    params:
        cell=lambda wildcards: CONFIG.resolve_contrastive(wildcards.cell),
        code=fingerprint("contrastive_cell.py"),
    script:
        "../scripts/contrastive_cell.py"


rule contrastive_results:
    input:
        metrics=expand(rules.contrastive_cell.output.metrics, cell=CONTRASTIVE),
    output:
        png=captioned(
            f"{FIGURES}/contrastive.png",
            "contrastive",
            "Figures",
            "contrastive pre-training",
        ),
        pdf=f"{FIGURES}/contrastive.pdf",
        csv=captioned(
            f"{TABLES}/contrastive.csv",
            "contrastive_table",
            "Tables",
            "contrastive pre-training",
        ),
        md=f"{TABLES}/contrastive.md",
    log:
        f"{RESULTS}/logs/contrastive.log",
    benchmark:
        f"{RESULTS}/benchmarks/contrastive.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("contrastive.py"),
    script:
        "../scripts/contrastive.py"


rule contrastive:
    input:
        lambda wildcards: results_of("contrastive"),
