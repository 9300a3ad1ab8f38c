# The experiments: each compares cells in a figure and a table of its name, and is a target.


rule overfitting_results:
    input:
        metrics=files_of("overfitting", "metrics"),
        histories=files_of("overfitting", "history"),
    output:
        png=captioned(
            f"{FIGURES}/overfitting.png",
            "overfitting",
            "Figures",
            "learning curves of weights and raw data",
        ),
        pdf=f"{FIGURES}/overfitting.pdf",
        csv=captioned(
            f"{TABLES}/overfitting.csv",
            "overfitting_table",
            "Tables",
            "learning curves of weights and raw data",
        ),
        md=f"{TABLES}/overfitting.md",
    log:
        f"{RESULTS}/logs/overfitting.log",
    benchmark:
        f"{RESULTS}/benchmarks/overfitting.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("overfitting.py"),
    script:
        "../scripts/overfitting.py"


rule overfitting:
    input:
        lambda wildcards: results_of("overfitting"),


rule views_results:
    input:
        metrics=files_of("views", "metrics"),
    output:
        png=captioned(
            f"{FIGURES}/views.png", "views", "Figures", "accuracy against views"
        ),
        pdf=f"{FIGURES}/views.pdf",
        csv=captioned(
            f"{TABLES}/views.csv", "views_table", "Tables", "accuracy against views"
        ),
        md=f"{TABLES}/views.md",
    log:
        f"{RESULTS}/logs/views.log",
    benchmark:
        f"{RESULTS}/benchmarks/views.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("views.py"),
    script:
        "../scripts/views.py"


rule views:
    input:
        lambda wildcards: results_of("views"),


rule schemes_results:
    input:
        metrics=files_of("schemes", "metrics"),
        predictions=files_of("schemes", "predictions"),
    output:
        png=captioned(
            f"{FIGURES}/schemes.png", "schemes", "Figures", "schemes compared"
        ),
        pdf=f"{FIGURES}/schemes.pdf",
        csv=captioned(
            f"{TABLES}/schemes.csv", "schemes_table", "Tables", "schemes compared"
        ),
        md=f"{TABLES}/schemes.md",
        tex=f"{TABLES}/schemes.tex",
    log:
        f"{RESULTS}/logs/schemes.log",
    benchmark:
        f"{RESULTS}/benchmarks/schemes.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("schemes.py"),
    script:
        "../scripts/schemes.py"


rule schemes:
    input:
        lambda wildcards: results_of("schemes"),


rule equivalence_results:
    input:
        metrics=files_of("equivalence", "metrics"),
        predictions=files_of("equivalence", "predictions"),
    output:
        png=captioned(
            f"{FIGURES}/equivalence.png",
            "equivalence",
            "Figures",
            "worth how much more data",
        ),
        pdf=f"{FIGURES}/equivalence.pdf",
        csv=captioned(
            f"{TABLES}/equivalence.csv",
            "equivalence_table",
            "Tables",
            "worth how much more data",
        ),
        md=f"{TABLES}/equivalence.md",
    log:
        f"{RESULTS}/logs/equivalence.log",
    benchmark:
        f"{RESULTS}/benchmarks/equivalence.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("equivalence.py"),
    script:
        "../scripts/equivalence.py"


rule equivalence:
    input:
        lambda wildcards: results_of("equivalence"),


rule strength_results:
    input:
        metrics=files_of("strength", "metrics"),
    output:
        png=captioned(
            f"{FIGURES}/strength.png",
            "strength",
            "Figures",
            "accuracy against strength",
        ),
        pdf=f"{FIGURES}/strength.pdf",
        csv=captioned(
            f"{TABLES}/strength.csv",
            "strength_table",
            "Tables",
            "accuracy against strength",
        ),
        md=f"{TABLES}/strength.md",
    log:
        f"{RESULTS}/logs/strength.log",
    benchmark:
        f"{RESULTS}/benchmarks/strength.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        sweeps={name: s.model_dump() for name, s in CONFIG.sweeps.items()},
        code=fingerprint("strength.py"),
    script:
        "../scripts/strength.py"


rule strength:
    input:
        lambda wildcards: results_of("strength"),


rule gap_results:
    input:
        metrics=files_of("gap", "metrics"),
    output:
        png=captioned(
            f"{FIGURES}/gap.png", "gap", "Figures", "weights against raw data"
        ),
        pdf=f"{FIGURES}/gap.pdf",
        csv=captioned(
            f"{TABLES}/gap.csv", "gap_table", "Tables", "weights against raw data"
        ),
        md=f"{TABLES}/gap.md",
    log:
        f"{RESULTS}/logs/gap.log",
    benchmark:
        f"{RESULTS}/benchmarks/gap.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("gap.py"),
    script:
        "../scripts/gap.py"


rule gap:
    input:
        lambda wildcards: results_of("gap"),
