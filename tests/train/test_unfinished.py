"""A training that is ended and called again goes on, to the same result bit by bit."""

import dataclasses
import logging
import os
import pickle

import pytest
import torch

import weightspace.train.unfinished as module
from weightspace.train.cell import train_cell
from weightspace.train.contrastive_cell import train_contrastive_cell
from weightspace.train.steps import DivergedError
from weightspace.train.unfinished import NOTHING_KEPT, UnfinishedCell, unfinished_cell

# Attention on a CPU goes model by model under vmap, which torch says once.
pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop")

NOISE = {"kind": "gaussian_noise", "scale": 0.1}
ROWS = {"kind": "row_transformer", "depth": 1, "width": 8, "dropout": 0.3}
MODELS = {
    "mlp": {"kind": "mlp", "width": 16, "depth": 1},
    "norms": {"kind": "dws", "channels": 4, "batch_norm": True},
    "dropout": ROWS,
}
CELL = {
    "model": MODELS["mlp"],
    "scheme": {"augment": [NOISE], "mix": {"kind": "aligned"}},
    "views": 2,
    "seeds": [0, 1],
    "updates": 12,
    "batch_size": 7,
    "lr": 0.02,
    "weight_decay": 0.01,
    "warmup": 2,
    "clip_norm": 0.5,
    "evaluate_every": 5,
}
TRAINING = {"batch_size": 8, "lr": 0.01, "weight_decay": 0.0, "warmup": 1, "evaluate_every": 3}
CONTRASTIVE = {
    "model": ROWS,
    "embedding": 5,
    "scheme": {"augment": [NOISE]},
    "pairs": "views",
    "views": 2,
    "seeds": [0, 1],
    "label_fractions": [0.5, 1.0],
    "pretraining": {"projection": 4, "temperature": 0.5, "updates": 6, **TRAINING},
    "fine_tune": {"updates": 5, **TRAINING},
    "l2": [0.01],
}


class Killed(BaseException):
    """The end of the process."""


def killed_at(calls):
    """A progress that ends the training at one of its calls."""

    def progress(done, total):
        if done >= calls:
            raise Killed

    return progress


@pytest.fixture(autouse=True)
def at_every_evaluation(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_SAVES", 0.0)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="weightspace")
    return caplog


def plain(x):
    """Nested results without times and without tensors."""
    if isinstance(x, torch.Tensor):
        return x.dtype, x.tolist()
    if dataclasses.is_dataclass(x):
        x = vars(x)
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items() if k != "seconds"}
    return [plain(v) for v in x] if isinstance(x, list | tuple) else x


def interrupted(train, splits, folder, ends, **settings):
    """The result of calls that are ended at these updates, and of the last, which is not."""
    for calls in ends:
        with pytest.raises(Killed):
            kept = UnfinishedCell(folder, "x")
            train(splits, **settings, unfinished=kept, progress=killed_at(calls))
    return train(splits, **settings, unfinished=UnfinishedCell(folder, "x"))


# -- bit by bit ------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_a_cell_goes_on_to_the_same_result(splits, tmp_path, name, together):
    settings = {**CELL, "model": MODELS[name], "seeds_together": together}
    expected = train_cell(splits, **settings)
    # Behind an evaluation, at the last update, in the second seed.
    ends = (11, 24) if together else (6, 11, 12, 18, 24)
    assert plain(interrupted(train_cell, splits, tmp_path, ends, **settings)) == plain(expected)


@pytest.mark.parametrize("together", [False, True])
def test_consistency_goes_on_to_the_same_result(splits, tmp_path, together):
    scheme = {"augment": [NOISE], "consistency": 1.0}
    settings = {**CELL, "scheme": scheme, "batch_size": 6, "views": 3, "seeds_together": together}
    ends = (11, 24) if together else (6, 18)
    found = interrupted(train_cell, splits, tmp_path, ends, **settings)
    assert plain(found) == plain(train_cell(splits, **settings))


def test_a_contrastive_cell_goes_on_to_the_same_result(splits, tmp_path):
    total = 2 * (6 + 2 * 5)
    expected = train_contrastive_cell(splits, **CONTRASTIVE)
    found = interrupted(
        train_contrastive_cell, splits, tmp_path, (4, 6, 10, 16, 21, total), **CONTRASTIVE
    )
    assert plain(found) == plain(expected)


def test_raw_data_go_on_to_the_same_result(pictures, tmp_path):
    model = {"kind": "pixel_cnn", "channels": 4, "depth": 2}
    settings = {**CELL, "model": model, "scheme": {}, "views": 1}
    found = interrupted(train_cell, pictures, tmp_path, (8, 20), **settings)
    assert plain(found) == plain(train_cell(pictures, **settings))


# -- no work is done again -------------------------------------------------------------------


def test_it_goes_on_behind_the_last_evaluation(splits, tmp_path, said):
    with pytest.raises(Killed):
        kept = UnfinishedCell(tmp_path, "x")
        train_cell(splits, **CELL, unfinished=kept, progress=killed_at(18))
    calls = []
    train_cell(
        splits,
        **CELL,
        unfinished=UnfinishedCell(tmp_path, "x"),
        progress=lambda *call: calls.append(call),
    )
    # The first seed was finished, the second had been saved after update 5.
    assert calls == [(done, 24) for done in (12, *range(17, 25))]
    assert "going on after update 5" in said.text


def test_saves_are_seconds_apart_but_for_the_last(splits, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_SAVES", 3600.0)
    kept = UnfinishedCell(tmp_path / "kept", "x")
    with pytest.raises(Killed):
        train_cell(splits, **CELL, unfinished=kept, progress=killed_at(11))
    assert not kept.folder.exists()
    train_cell(splits, **CELL, unfinished=kept)
    assert {path.name for path in kept.folder.iterdir()} == {"seed-0.pt", "seed-1.pt"}
    kept.forget()
    assert not kept.folder.exists()


def test_the_seconds_of_all_attempts_count(splits, tmp_path):
    kept = UnfinishedCell(tmp_path, "x")
    train_cell(splits, **CELL, unfinished=kept)
    training = kept.training("seed", 0)
    state = training.load()
    training.earlier = 1000.0
    training.save(state, last=True)
    result = train_cell(splits, **CELL, unfinished=UnfinishedCell(tmp_path, "x"))
    assert result.seconds > 1000 < result.runs[0]["seconds"]
    assert result.runs[1]["seconds"] < 1000


def test_a_seed_that_diverged_is_not_trained_again(splits, tmp_path):
    settings = {**CELL, "lr": 1e30, "clip_norm": None, "updates": 40}
    messages = []
    for _ in range(2):
        calls = []
        with pytest.raises(DivergedError) as caught:
            train_cell(
                splits,
                **settings,
                unfinished=UnfinishedCell(tmp_path, "x"),
                progress=lambda *call, calls=calls: calls.append(call),
            )
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert [done for done, _ in calls] == [40, 80]


# -- what is not used ------------------------------------------------------------------------


def saved(tmp_path):
    training = UnfinishedCell(tmp_path, "x").training("seed", 0)
    training.save({"update": 3, "x": torch.arange(1000.0)}, last=True)
    return training.path


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-100], "is damaged"),
        (lambda data: data + b"x", "is damaged"),
        (lambda data: data[:3000] + bytes([data[3000] ^ 4]) + data[3001:], "is damaged"),
        (lambda data: b"", "is damaged or of other settings, code, data"),
        (lambda data: data.split(b"\n", 1)[1], "is damaged or of other settings, code, data"),
    ],
)
def test_a_damaged_file_is_not_used(tmp_path, said, damage, message):
    path = saved(tmp_path)
    assert UnfinishedCell(tmp_path, "x").training("seed", 0).load()["update"] == 3
    path.write_bytes(damage(path.read_bytes()))
    assert UnfinishedCell(tmp_path, "x").training("seed", 0).load() is None
    assert said.messages[-1] == f"{path} {message}" + (
        " or another machine: it is not used, this training starts anew"
        if "settings" in message
        else ": it is not used, this training starts anew"
    )


def test_what_is_of_another_cell_or_training_is_not_used(tmp_path, said):
    path = saved(tmp_path)
    assert UnfinishedCell(tmp_path, "y").training("seed", 0).load() is None
    path.rename(path.with_name("seed-1.pt"))
    assert UnfinishedCell(tmp_path, "x").training("seed", 1).load() is None
    assert said.text.count("of other settings, code, data or another machine") == 2


def test_code_in_a_file_is_not_run(tmp_path, said):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "evil"),)

    training = UnfinishedCell(tmp_path, "x").training("seed", 0)
    body = pickle.dumps(Evil(), protocol=2)
    training.path.write_bytes(training._head(body) + b"\n" + body)
    assert training.load() is None
    assert "something else than tensors and numbers" in said.text
    assert not (tmp_path / "evil").exists()


def test_all_that_decides_a_result_is_in_the_identity(tmp_path):
    data = tmp_path / "inrs.h5"
    data.write_bytes(b"1")
    given = {
        "settings": {"lr": 0.1},
        "code": "a",
        "inputs": [data],
        "origin": {"versions": {"torch": "1"}, "device": "cpu", "threads": 1, "commit": "a"},
    }

    def identity(**changed):
        return unfinished_cell(tmp_path, **{**given, **changed}).identity

    before = identity()
    assert before == identity(origin={**given["origin"], "commit": "b"})
    assert before != identity(settings={"lr": 0.2})
    assert before != identity(code="b")
    assert before != identity(origin={**given["origin"], "versions": {"torch": "2"}})
    assert before != identity(origin={**given["origin"], "threads": 2})
    os.utime(data, ns=(1, 1))
    assert before != identity()


# -- a disk that takes no more ---------------------------------------------------------------


def test_a_full_disk_does_not_end_a_training(splits, tmp_path, said, monkeypatch):
    (tmp_path / "a file").write_text("")
    found = train_cell(splits, **CELL, unfinished=UnfinishedCell(tmp_path / "a file", "x"))
    assert plain(found) == plain(train_cell(splits, **CELL))
    assert "update 5 could not be saved (File exists)" in said.text
    assert f"make room on the disk of {tmp_path / 'a file'}" in said.text


def test_nothing_is_kept_by_default(splits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train_cell(splits, **CELL)
    NOTHING_KEPT.forget()
    assert not list(tmp_path.iterdir())
    assert NOTHING_KEPT.earlier == 0.0
