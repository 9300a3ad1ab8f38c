import csv
import dataclasses
import json
import math

import pytest

from weightspace.report.contrastive import collect_contrastive, contrastive_points
from weightspace.train.contrastive_cell import train_contrastive_cell
from weightspace.train.contrastive_records import write_contrastive_records
from weightspace.train.few_labels import Failure

CONFIG = {
    "study": "quickstart",
    "cell": "mlp_small-noise-augmented-2views",
    "dataset": "fashion_mnist",
    "model": "mlp_small",
    "scheme": "noise",
    "pairs": "augmented",
}
META = {
    "config": CONFIG,
    "versions": {"torch": "2"},
    "commit": "0123abc",
    "device": "cpu",
    "threads": 1,
}
TRAINING = {"batch_size": 8, "lr": 0.01, "weight_decay": 0.0, "warmup": 1, "evaluate_every": 2}


def result_of(splits, **settings):
    return train_contrastive_cell(
        splits,
        model={"kind": "mlp", "width": 8, "depth": 1},
        embedding=5,
        **{"scheme": {"augment": [{"kind": "permutation"}]}, "pairs": "augmented"} | settings,
        views=2,
        seeds=[4, 2],
        label_fractions=[0.25, 1.0],
        pretraining={"projection": 4, "temperature": 0.5, "updates": 3, **TRAINING},
        fine_tune={"updates": 3, **TRAINING},
        l2=[0.1],
    )


@pytest.fixture
def result(splits):
    return result_of(splits)


@pytest.fixture
def directory(result, tmp_path):
    write_contrastive_records(tmp_path / "contrastive" / "cell", result, **META)
    return tmp_path / "contrastive" / "cell"


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_metrics_hold_the_agreed_keys(directory, result):
    metrics = json.loads((directory / "metrics.json").read_text())
    assert " ".join(metrics) == (
        "study cell dataset model scheme pairs views objects n_classes config versions commit "
        "device threads seconds n_parameters failed_seeds failed_runs runs"
    )
    assert {k: metrics[k] for k in META} == META
    assert (metrics["views"], metrics["objects"], metrics["n_classes"]) == (2, 16, 2)
    assert metrics["n_parameters"] == result.n_parameters == 17 * 8 + 8 + 8 * 5 + 5 + 5 * 2 + 2
    expected = [{"seed": s, **j.run} for s in (4, 2) for j in result.judgements[s]]
    assert metrics["runs"] == expected and len(expected) == 8
    assert set(expected[0]) == {
        *("seed", "protocol", "label_fraction", "label_objects", "val_accuracy", "test_accuracy"),
        *("test_loss", "best_update", "l2", "seconds"),
    }


def test_history_gives_back_every_number(directory, result):
    table = rows(directory / "history.csv")
    assert " ".join(table[0]) == "seed update lr loss pair_accuracy"
    assert [(row["seed"], row["update"]) for row in table] == [
        (seed, update) for seed in "42" for update in "23"
    ]
    assert [{k: float(v) for k, v in row.items()} for row in table] == result.history


def test_predictions_give_the_accuracies_of_the_metrics(directory):
    table = rows(directory / "predictions.csv")
    assert " ".join(table[0]) == "seed protocol label_fraction object_id label prediction"
    runs = json.loads((directory / "metrics.json").read_text())["runs"]
    assert len(table) == 6 * len(runs)
    for run in runs:
        name = (str(run["seed"]), run["protocol"], str(run["label_fraction"]))
        own = [r for r in table if (r["seed"], r["protocol"], r["label_fraction"]) == name]
        assert [r["object_id"] for r in own] == [str(i) for i in range(200, 206)]
        hits = sum(r["prediction"] == r["label"] for r in own)
        assert hits / 6 == pytest.approx(run["test_accuracy"])


def test_a_cell_from_scratch_has_the_same_files(splits, tmp_path):
    result = result_of(splits, scheme=None, pairs=None)
    config = {**CONFIG, "scheme": None, "pairs": None}
    write_contrastive_records(tmp_path / "cell", result, **{**META, "config": config})
    metrics = json.loads((tmp_path / "cell" / "metrics.json").read_text())
    assert (metrics["scheme"], metrics["pairs"]) == (None, None)
    assert {run["protocol"] for run in metrics["runs"]} == {
        *("scratch", "scratch_long", "untrained_probe")
    }
    header = "seed,update,lr,loss,pair_accuracy\n"
    assert (tmp_path / "cell" / "history.csv").read_text() == header
    assert sorted(p.name for p in (tmp_path / "cell").iterdir()) == [
        "history.csv",
        "metrics.json",
        "predictions.csv",
    ]


def test_equal_results_give_equal_bytes(directory, result, tmp_path):
    write_contrastive_records(tmp_path / "again", result, **META)
    for path in directory.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_what_failed_is_named(result, tmp_path):
    failure = Failure("fine_tune", 0.25, "the loss is nan")
    changed = dataclasses.replace(result, failures={4: [failure], 2: []})
    write_contrastive_records(tmp_path / "cell", changed, **META)
    metrics = json.loads((tmp_path / "cell" / "metrics.json").read_text())
    assert metrics["failed_runs"] == [
        {
            "seed": 4,
            "protocol": "fine_tune",
            "label_fraction": 0.25,
            "reason": "the loss is nan",
        }
    ]


def test_numbers_json_does_not_have_are_refused(result, tmp_path):
    result.judgements[2][0].run["test_loss"] = math.nan
    with pytest.raises(ValueError, match="JSON"):
        write_contrastive_records(tmp_path / "cell", result, **META)
    assert not (tmp_path / "cell").exists()


def test_a_config_without_the_names_is_refused(result, tmp_path):
    with pytest.raises(ValueError, match="config lacks cell, dataset, model, scheme, pairs"):
        write_contrastive_records(tmp_path, result, **{**META, "config": {"study": "quickstart"}})


def test_the_report_reads_what_is_written_and_pairs_what_is_left(splits, tmp_path):
    paths = []
    for name, settings in (("noise", {}), (None, {"scheme": None, "pairs": None})):
        result = result_of(splits, **settings)
        if name is None:
            # Seed 2 lost its training from scratch with a quarter of the labels.
            kept = [
                j
                for j in result.judgements[2]
                if (j.run["protocol"], j.run["label_fraction"]) != ("scratch", 0.25)
            ]
            result = dataclasses.replace(result, judgements={**result.judgements, 2: kept})
        config = {**CONFIG, "cell": str(name), "scheme": name, "pairs": name and "augmented"}
        write_contrastive_records(tmp_path / str(name), result, **{**META, "config": config})
        paths.append(tmp_path / str(name) / "metrics.json")
    points = contrastive_points(collect_contrastive(paths)).set_index(
        ["protocol", "label_fraction"]
    )
    assert set(points.index.levels[0]) == {
        *("untrained_probe", "scratch", "scratch_long", "linear_probe", "fine_tune")
    }
    assert points.loc[("scratch", 0.25), "seeds"] == 1
    for protocol in ("fine_tune", "linear_probe", "scratch_long"):
        assert points.loc[(protocol, 0.25), "paired_seeds"] == 1
        assert points.loc[(protocol, 1.0), "paired_seeds"] == 2
