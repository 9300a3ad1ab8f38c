# Matchings of networks: datasets aligned to one reference, and how good the alignments are.


rule align_to_reference:
    input:
        inrs=lambda wildcards: inrs_of(wildcards.dataset),
    output:
        f"{RESULTS}/datasets/{{dataset}}.{{reference}}.h5",
    log:
        f"{RESULTS}/logs/align_to_reference/{{dataset}}.{{reference}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/align_to_reference/{{dataset}}.{{reference}}.tsv"
    wildcard_constraints:
        reference="permutation|signed",
    conda:
        "../../envs/weightspace.yaml"
    threads: 8
    resources:
        mem_mb=lambda wildcards, attempt: (
            attempt * (1000 + 5 * CONFIG.dataset_mb(wildcards.dataset))
        ),
        runtime=60,
    params:
        code=fingerprint("align_to_reference.py"),
    script:
        "../scripts/align_to_reference.py"


rule matching_quality:
    input:
        inrs=lambda wildcards: inrs_of(wildcards.dataset),
    output:
        quality=f"{RESULTS}/alignment/{{dataset}}.csv",
        examples=f"{RESULTS}/alignment/{{dataset}}.npz",
    log:
        f"{RESULTS}/logs/matching_quality/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/matching_quality/{{dataset}}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        settings=dict(pairs=200, examples=1, seed=0),
        code=fingerprint("matching_quality.py"),
    script:
        "../scripts/matching_quality.py"


rule alignment_results:
    input:
        quality=lambda wildcards: expand(
            rules.matching_quality.output.quality, dataset=aligned_datasets(wildcards)
        ),
        examples=lambda wildcards: expand(
            rules.matching_quality.output.examples, dataset=aligned_datasets(wildcards)
        ),
        metrics=lambda wildcards: files_of("alignment", "metrics"),
    output:
        png=captioned(
            f"{FIGURES}/alignment.png",
            "alignment",
            "Figures",
            "quality and accuracy of the alignments",
        ),
        pdf=f"{FIGURES}/alignment.pdf",
        midpoints_png=captioned(
            f"{FIGURES}/midpoints.png",
            "midpoints",
            "Figures",
            "midpoints between networks",
        ),
        midpoints_pdf=f"{FIGURES}/midpoints.pdf",
        csv=captioned(
            f"{TABLES}/alignment.csv",
            "alignment_table",
            "Tables",
            "quality and accuracy of the alignments",
        ),
        md=f"{TABLES}/alignment.md",
    log:
        f"{RESULTS}/logs/alignment.log",
    benchmark:
        f"{RESULTS}/benchmarks/alignment.tsv"
    localrule: True
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=fingerprint("alignment.py"),
    script:
        "../scripts/alignment.py"


rule alignment:
    input:
        lambda wildcards: results_of("alignment"),
