"""Configs that cannot be run."""

from pathlib import Path

from ways import Met, config, kind, start

OWN = "datasets: {own: {source: folder, path: images, size: [8, 8], channels: 1, train: 4, "
BLOCK = "experiments: {views: [{models: [%s], schemes: [%s], views: [%s], datasets: [%s]}]}"


def block(model="dws", scheme="none", views=1, dataset="fashion_mnist"):
    return BLOCK % (model, scheme, views, dataset)


@kind("config: not there")
def missing():
    return Met(start("study.yaml"), "study.yaml")


@kind("config: empty")
def empty():
    return config("# nothing yet\n", "study.yaml")


@kind("config: no keys")
def no_keys():
    return config("fit\n", "study.yaml")


@kind("config: indented with tabs")
def tabs():
    return config("fit:\n\tsteps: 3\n", "study.yaml, line 2")


@kind("config: not YAML")
def not_yaml():
    return config("fit: {steps: 3\ntrain: {updates: 5}\n", "study.yaml, line 2")


@kind("config: not text")
def not_text():
    Path("study.yaml").write_bytes(b"\x89PNG\r\n\x1a\n")
    return Met(start("study.yaml"), "study.yaml")


@kind("config: a key twice")
def twice():
    return config("fit:\n  steps: 3\n  lr: 0.1\n  steps: 4\n", "study.yaml, line 4")


@kind("config: unknown key")
def unknown_key():
    return config("fit: {stpes: 3}", "fit")


@kind("config: wrong type")
def wrong_type():
    return config("fit: {lr: 1e-3}", "fit.lr")


@kind("config: no section")
def no_section():
    return config("train: 3", "train")


@kind("config: impossible value")
def impossible():
    return config("fit: {views: {train: 0}}", "fit.views.train")


@kind("config: not a number")
def not_a_number():
    return config("fit: {lr: .nan}", "fit.lr")


@kind("config: a value too large")
def too_large():
    return config("train: {batch_size: 1000000000000}", "train.batch_size")


@kind("config: widths too large")
def too_wide():
    return config("fit: {hidden: [100000000]}", "fit.hidden")


@kind("config: an alias within itself")
def circle():
    return config("train: &a\n  seeds: *a\n", "study.yaml, line 2")


@kind("config: unknown scheme")
def unknown_scheme():
    return config(block(scheme="nnoe"), "experiments: views.0")


@kind("config: unknown model")
def unknown_model():
    return config(block(model="dsw"), "experiments: views.0")


@kind("config: unknown dataset")
def unknown_dataset():
    return config(block(dataset="fashion_mnits"), "experiments: views.0")


@kind("config: unknown source")
def unknown_source():
    return config("datasets: {fashion_mnist: {source: fashion_mnst}}", "datasets.fashion_mnist")


@kind("config: more views than fitted")
def more_views():
    return config(block(views=9), "experiments: views.0")


@kind("config: more objects than the dataset has")
def more_objects():
    return config("datasets: {fashion_mnist: {train: 5000}}", "datasets.fashion_mnist")


@kind("config: a key of the source missing")
def no_path():
    text = OWN.replace("path: images, ", "") + "val: 2, test: 2}}"
    return config(text, "datasets.own")


@kind("config: none of the numbers")
def four_channels():
    return config(OWN.replace("channels: 1", "channels: 4") + "val: 2, test: 2}}", "own.channels")


@kind("config: pictures too large")
def large_pictures():
    text = OWN.replace("[8, 8]", "[8, 100000]") + "val: 2, test: 2}}"
    return config(text, "datasets.own.size")


@kind("config: braces in a path")
def braces():
    text = OWN.replace("path: images", "path: './i{m}'") + "val: 2, test: 2}}"
    return config(text, "datasets.own.path")


@kind("config: a home that is none")
def no_home():
    text = OWN.replace("path: images", "path: ~nobody_of_this_name/x") + "val: 2, test: 2}}"
    return config(text, "datasets.own.path")


@kind("config: a cell twice")
def cell_twice():
    return config(block(views="1, 1"), "experiments: views")
