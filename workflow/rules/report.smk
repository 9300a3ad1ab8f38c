# Tables, figures and the HTML report, all made from files of the stages before.
TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
METRICS = expand(rules.train_cell.output.metrics, cell=CELLS)


rule runs_table:
    input:
        metrics=METRICS,
    output:
        captioned(f"{TABLES}/runs.csv", "runs", "Tables", "all runs"),
    log:
        f"{RESULTS}/logs/runs_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/runs_table.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("runs_table.py"),
    script:
        "../scripts/runs_table.py"


rule comparison_table:
    input:
        metrics=METRICS,
        predictions=expand(rules.train_cell.output.predictions, cell=CELLS),
    output:
        csv=captioned(f"{TABLES}/comparison.csv", "comparison", "Tables", "comparison"),
        md=f"{TABLES}/comparison.md",
        tex=f"{TABLES}/comparison.tex",
    log:
        f"{RESULTS}/logs/comparison_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/comparison_table.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("comparison_table.py"),
    script:
        "../scripts/comparison_table.py"


rule schemes_figure:
    input:
        metrics=METRICS,
        predictions=expand(rules.train_cell.output.predictions, cell=CELLS),
    output:
        png=captioned(
            f"{FIGURES}/schemes.png", "schemes", "Figures", "schemes compared"
        ),
        pdf=f"{FIGURES}/schemes.pdf",
    log:
        f"{RESULTS}/logs/schemes_figure.log",
    benchmark:
        f"{RESULTS}/benchmarks/schemes_figure.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("schemes_figure.py"),
    script:
        "../scripts/schemes_figure.py"


rule learning_curves_figure:
    input:
        metrics=METRICS,
        histories=expand(rules.train_cell.output.history, cell=CELLS),
    output:
        png=captioned(
            f"{FIGURES}/learning_curves.png",
            "learning_curves",
            "Figures",
            "learning curves",
        ),
        pdf=f"{FIGURES}/learning_curves.pdf",
    log:
        f"{RESULTS}/logs/learning_curves_figure.log",
    benchmark:
        f"{RESULTS}/benchmarks/learning_curves_figure.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("learning_curves_figure.py"),
    script:
        "../scripts/learning_curves_figure.py"


rule views_figure:
    input:
        metrics=METRICS,
    output:
        png=captioned(
            f"{FIGURES}/views.png", "views", "Figures", "accuracy against views"
        ),
        pdf=f"{FIGURES}/views.pdf",
    log:
        f"{RESULTS}/logs/views_figure.log",
    benchmark:
        f"{RESULTS}/benchmarks/views_figure.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("views_figure.py"),
    script:
        "../scripts/views_figure.py"


rule fit_quality:
    input:
        inrs=rules.assemble.output.inrs,
    output:
        table=captioned(
            f"{TABLES}/fit_quality.csv", "fit_quality_table", "Tables", "fit quality"
        ),
        png=captioned(
            f"{FIGURES}/fit_quality.png", "fit_quality", "Figures", "fit quality"
        ),
        pdf=f"{FIGURES}/fit_quality.pdf",
    log:
        f"{RESULTS}/logs/fit_quality.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_quality.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("fit_quality.py"),
    script:
        "../scripts/fit_quality.py"


rule gallery_figure:
    input:
        inrs=rules.assemble.output.inrs,
        objects=rules.objects.output[0],
    output:
        png=captioned(f"{FIGURES}/gallery.png", "gallery", "Figures", "gallery"),
        pdf=f"{FIGURES}/gallery.pdf",
    log:
        f"{RESULTS}/logs/gallery_figure.log",
    benchmark:
        f"{RESULTS}/benchmarks/gallery_figure.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("gallery_figure.py"),
    script:
        "../scripts/gallery_figure.py"


# The whole config as it was run, with the defaults filled in.
rule config_record:
    output:
        f"{RESULTS}/config.yaml",
    log:
        f"{RESULTS}/logs/config_record.log",
    benchmark:
        f"{RESULTS}/benchmarks/config_record.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=200,
        runtime=5,
    params:
        config=CONFIG.model_dump(),
        code=fingerprint("config_record.py"),
    script:
        "../scripts/config_record.py"


rule html_report:
    input:
        config=rules.config_record.output[0],
        parts=[
            rules.runs_table.output,
            rules.comparison_table.output,
            rules.schemes_figure.output,
            rules.learning_curves_figure.output,
            rules.views_figure.output,
            rules.fit_quality.output,
            rules.gallery_figure.output,
        ],
        captions=sorted(Path(workflow.basedir, "workflow/report").glob("*.rst")),
    output:
        f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/html_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/html_report.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        snakefile=workflow.main_snakefile,
        code=fingerprint("html_report.py"),
    script:
        "../scripts/html_report.py"


rule report:
    input:
        rules.html_report.input.parts,
        rules.html_report.output,
