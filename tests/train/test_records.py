import csv
import json
import os

import pytest
import torch

from weightspace.train.cell import train_cell
from weightspace.train.records import load_checkpoint, write_records
from weightspace.train.supervised import predict

CONFIG = {
    "study": "quickstart",
    "cell": "mlp_small-direct-2views",
    "dataset": "fashion_mnist_subset",
    "model": "mlp_small",
    "scheme": "direct",
    "inputs": "weights",
    "budget": 3,
    "lr": 0.01,
}
META = {
    "config": CONFIG,
    "versions": {"torch": "2"},
    "commit": "0123abc",
    "device": "cpu",
    "threads": 1,
}


@pytest.fixture
def result(splits):
    return train_cell(
        splits,
        model={"kind": "mlp", "width": 8, "depth": 1},
        scheme={"augment": [], "mix": {"kind": "direct"}},
        views=2,
        objects=8,
        seeds=[4, 2],
        updates=6,
        batch_size=8,
        lr=0.01,
        weight_decay=0.0,
        warmup=1,
        evaluate_every=2,
    )


@pytest.fixture
def directory(result, tmp_path):
    write_records(tmp_path / "runs" / "cell", result, **META)
    return tmp_path / "runs" / "cell"


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_leaves_four_files_and_nothing_else(directory):
    names = sorted(p.name for p in directory.iterdir())
    assert names == ["checkpoint.pt", "history.csv", "metrics.json", "predictions.csv"]


def test_metrics_hold_the_agreed_keys(directory, result):
    metrics = json.loads((directory / "metrics.json").read_text())
    assert " ".join(metrics) == (
        "study cell dataset model scheme inputs budget n_classes views objects "
        "train_inrs test_inrs updates batch_size config versions commit device threads "
        "majority_accuracy streamed_mb seconds n_parameters failed_seeds runs"
    )
    assert {k: metrics[k] for k in META} == META
    assert (metrics["model"], metrics["scheme"]) == ("mlp_small", "direct")
    assert (metrics["inputs"], metrics["budget"], metrics["n_classes"]) == ("weights", 3, 2)
    assert (metrics["views"], metrics["objects"]) == (2, 8)
    assert (metrics["updates"], metrics["batch_size"]) == (6, 8)
    assert metrics["runs"] == result.runs
    assert " ".join(metrics["runs"][0]) == (
        "seed updates best_update train_accuracy val_accuracy val_balanced_accuracy val_loss "
        "internal_accuracy test_accuracy test_balanced_accuracy test_loss seconds"
    )
    assert 0 < sum(run["seconds"] for run in metrics["runs"]) <= metrics["seconds"]


def test_history_gives_back_every_number(directory, result):
    table = rows(directory / "history.csv")
    assert " ".join(table[0]) == (
        "seed update epoch lr loss train_accuracy train_loss val_accuracy val_loss "
        "val_balanced_accuracy"
    )
    assert [(row["seed"], row["update"]) for row in table] == [
        (seed, update) for seed in "42" for update in "246"
    ]
    assert [{k: float(v) for k, v in row.items()} for row in table] == result.history


def test_predictions_give_back_every_logit(directory, result):
    table = rows(directory / "predictions.csv")
    assert " ".join(table[0]) == ("seed object_id view label prediction logit_0 logit_1")
    logits = torch.tensor([[float(row["logit_0"]), float(row["logit_1"])] for row in table])
    assert torch.equal(logits, torch.cat([p.logits for p in result.predictions]))
    assert [int(row["prediction"]) for row in table] == logits.argmax(dim=1).tolist()
    assert [row["object_id"] for row in table] == [str(i) for i in range(200, 206)] * 2
    for run in result.runs:
        own = [row for row in table if row["seed"] == str(run["seed"])]
        hits = sum(row["prediction"] == row["label"] for row in own)
        assert hits / len(own) == pytest.approx(run["test_accuracy"])
        recalls = []
        for label in {row["label"] for row in own}:
            members = [row for row in own if row["label"] == label]
            right = sum(row["prediction"] == label for row in members)
            recalls.append(right / len(members))
        assert sum(recalls) / len(recalls) == pytest.approx(run["test_balanced_accuracy"])


def test_a_checkpoint_predicts_as_the_model_did(directory, result, splits):
    models = load_checkpoint(directory / "checkpoint.pt")
    assert models.statistics == result.models.statistics
    assert models.input_settings == splits["train"].input_settings
    assert models.n_classes == 2
    test = splits["test"].select(views=1)
    for p in result.predictions:
        model = models.restore(p.seed)
        assert not model.training
        assert torch.equal(predict(model, test, models.statistics, 8), p.logits)


def test_a_checkpoint_of_images_predicts_as_the_model_did(pictures, tmp_path):
    result = train_cell(
        pictures,
        model={"kind": "pixel_cnn", "channels": 2, "depth": 1},
        scheme={},
        views=1,
        seeds=[0],
        updates=3,
        batch_size=8,
        lr=0.01,
        weight_decay=0.0,
        warmup=1,
        evaluate_every=3,
    )
    write_records(tmp_path, result, **{**META, "config": {**CONFIG, "inputs": "pixels"}})
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["inputs"] == "pixels"
    assert metrics["runs"][0]["internal_accuracy"] is None
    models = load_checkpoint(tmp_path / "checkpoint.pt")
    logits = predict(models.restore(0), pictures["test"], models.statistics, 8)
    assert torch.equal(logits, result.predictions[0].logits)


def test_equal_results_give_equal_bytes(directory, result, tmp_path):
    write_records(tmp_path / "again", result, **META)
    for path in directory.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_failed_write_leaves_the_old_file_whole(directory, result, monkeypatch):
    before = {p.name: p.read_bytes() for p in directory.iterdir()}

    def fail(_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="full"):
        write_records(directory, result, **{**META, "commit": "new"})
    assert {p.name: p.read_bytes() for p in directory.iterdir()} == before


def test_metrics_refuse_numbers_json_does_not_have(result, tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        config = {**CONFIG, "lr": float("nan")}
        write_records(tmp_path / "cell", result, **{**META, "config": config})
    assert not (tmp_path / "cell").exists()


def test_a_config_without_the_names_is_refused(result, tmp_path):
    with pytest.raises(
        ValueError, match="config lacks cell, dataset, model, scheme, inputs, budget; it"
    ):
        write_records(tmp_path, result, **{**META, "config": {"study": "quickstart"}})


class Payload:
    def __reduce__(self):
        return (os.mkdir, ("should_not_exist",))


def test_a_checkpoint_runs_no_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Payload()}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="cannot be read as a checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "should_not_exist").exists()
