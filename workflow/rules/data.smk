# The pictures: fetched where a dataset is not bundled, then the objects of each split.
DOWNLOADS = "results/downloads"


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


def pictures_of(dataset):
    """What has to be there before the objects of a dataset can be chosen."""
    chosen = CONFIG.datasets[dataset]
    if chosen.source == "folder":
        return ancient(chosen.path)  # `state_of` tells whether its pictures changed
    return (
        f"{DOWNLOADS}/{chosen.source}.complete"
        if needs_directory(chosen.source)
        else []
    )


def state_of(dataset):
    """Digest the user's own pictures, so that new ones are noticed."""
    chosen = CONFIG.datasets[dataset]
    return folder_state(Path(chosen.path)) if chosen.source == "folder" else None


rule objects:
    input:
        lambda wildcards: pictures_of(wildcards.dataset),
    output:
        f"{RESULTS}/objects/{{dataset}}.npz",
    log:
        f"{RESULTS}/logs/objects/{{dataset}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/objects/{{dataset}}.tsv"
    conda:
        "../../envs/weightspace.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        dataset=lambda wildcards: CONFIG.datasets[wildcards.dataset].model_dump(
            exclude={"fit"}
        ),
        downloads=DOWNLOADS,
        state=lambda wildcards: state_of(wildcards.dataset),
        code=fingerprint("objects.py"),
    script:
        "../scripts/objects.py"
