# Tables, figures and the HTML report, all made from files of the stages before.


rule runs_table:
    input:
        metrics=expand(rules.train_cell.output.metrics, cell=CELLS),
    output:
        captioned(f"{TABLES}/runs.csv", "runs_table", "Tables", "all runs"),
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


rule fit_quality:
    input:
        inrs=lambda wildcards: inrs_of(wildcards.dataset),
    output:
        table=captioned(
            f"{TABLES}/fit_quality.{{dataset}}.csv",
            "fit_quality_table",
            "Tables",
            "fit quality, {dataset}",
        ),
        png=captioned(
            f"{FIGURES}/fit_quality.{{dataset}}.png",
            "fit_quality",
            "Figures",
            "fit quality, {dataset}",
        ),
        pdf=f"{FIGURES}/fit_quality.{{dataset}}.pdf",
    log:
        f"{RESULTS}/logs/fit_quality/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/fit_quality/{{dataset}}.tsv"
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
        inrs=lambda wildcards: inrs_of(wildcards.dataset),
        objects=rules.objects.output[0],
    output:
        png=captioned(
            f"{FIGURES}/gallery.{{dataset}}.png",
            "gallery",
            "Figures",
            "gallery, {dataset}",
        ),
        pdf=f"{FIGURES}/gallery.{{dataset}}.pdf",
    log:
        f"{RESULTS}/logs/gallery_figure/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/gallery_figure/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(PICTURED),
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


rule shape_gallery_figure:
    input:
        inrs=lambda wildcards: inrs_of(wildcards.dataset),
        shapes=rules.shape_objects.output[0],
    output:
        png=captioned(
            f"{FIGURES}/gallery.{{dataset}}.png",
            "shape_gallery",
            "Figures",
            "gallery, {dataset}",
        ),
        pdf=f"{FIGURES}/gallery.{{dataset}}.pdf",
    log:
        f"{RESULTS}/logs/shape_gallery_figure/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shape_gallery_figure/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SHAPED),
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=15,
    params:
        code=fingerprint("shape_gallery_figure.py"),
    script:
        "../scripts/shape_gallery_figure.py"


rule shape_quality:
    input:
        inrs=lambda wildcards: inrs_of(wildcards.dataset),
        shapes=rules.shape_objects.output[0],
    output:
        png=captioned(
            f"{FIGURES}/shape_quality.{{dataset}}.png",
            "shape_quality",
            "Figures",
            "quality of the fitted shapes, {dataset}",
        ),
        pdf=f"{FIGURES}/shape_quality.{{dataset}}.pdf",
        csv=captioned(
            f"{TABLES}/shape_quality.{{dataset}}.csv",
            "shape_quality_table",
            "Tables",
            "quality of the fitted shapes, {dataset}",
        ),
        md=f"{TABLES}/shape_quality.{{dataset}}.md",
    log:
        f"{RESULTS}/logs/shape_quality/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/shape_quality/{{dataset}}.tsv"
    wildcard_constraints:
        dataset=one_of(SHAPED),
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        code=fingerprint("shape_quality.py"),
    script:
        "../scripts/shape_quality.py"


# The whole config as it is run, with the defaults filled in. It comes before all other jobs of a
# run: what is older did not run with it.
rule config_record:
    output:
        RECORD,
    log:
        f"{RESULTS}/logs/config_record.log",
    benchmark:
        f"{RESULTS}/benchmarks/config_record.tsv"
    priority: 1
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
        config=RECORD,
        parts=[
            rules.runs_table.output if CELLS else [],
            [
                rules.fit_quality.output[i].format(dataset=d)
                for d in FITTED
                for i in range(3)
            ],
            [
                f"{FIGURES}/gallery.{d}.{form}"
                for d in FITTED
                for form in ("png", "pdf")
            ],
            [
                rules.shape_quality.output[i].format(dataset=d)
                for d in FITTED
                if d in SHAPED
                for i in range(4)
            ],
            [results_of(experiment) for experiment in CONFIG.configured],
        ],
        metrics=expand(rules.train_cell.output.metrics, cell=CELLS),
        contrastive=expand(rules.contrastive_cell.output.metrics, cell=CONTRASTIVE),
        shapes=[rules.shape_objects.output[0].format(dataset=d) for d in SHAPED],
        page=Path(workflow.basedir, "workflow/report/report.html.j2"),
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
        times=f"{RESULTS}/benchmarks",
        code=fingerprint("html_report.py"),
    script:
        "../scripts/html_report.py"


rule report:
    input:
        rules.html_report.input.parts,
        rules.html_report.output,


# What of a study is kept in the repository; no other target asks for it.
rule reference:
    input:
        config=RECORD,
        parts=rules.html_report.input.parts,
        metrics=rules.html_report.input.metrics + rules.html_report.input.contrastive,
    output:
        f"results/reference/{CONFIG.study}/origin.md",
        [
            f"results/reference/{CONFIG.study}/{name}"
            for name in dict.fromkeys(
                Path(p).name for p in rules.html_report.input.parts
            )
        ],
    log:
        f"{RESULTS}/logs/reference.log",
    benchmark:
        f"{RESULTS}/benchmarks/reference.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        times=f"{RESULTS}/benchmarks",
        code=fingerprint("reference.py"),
    script:
        "../scripts/reference.py"
