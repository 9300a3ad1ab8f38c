import copy
import inspect
import subprocess
import sys

import pytest
from pydantic import ValidationError

from weightspace.config.contrastive import ContrastiveCellsConfig, ContrastiveConfig
from weightspace.train.contrastive import pretrain
from weightspace.train.contrastive_cell import train_contrastive_cell
from weightspace.train.supervised import train_together

TRAINING = {"updates": 300, "batch_size": 64, "lr": None, "warmup": 50, "clip_norm": None}
RAW = {
    "embedding": 128,
    "label_fractions": [0.01, 0.1, 1.0],
    "pretraining": {**TRAINING, "evaluate_every": 50, "temperature": 0.1, "projection": 128},
    "fine_tune": {**TRAINING, "evaluate_every": 50, "label_smoothing": 0.0},
    "probe": {"l2": [0.01, 0.1]},
}
BLOCK = {"models": ["mlp", "dws"], "schemes": ["translate", "sign_flip"]}


def edited(path, value):
    raw = copy.deepcopy(RAW)
    *parents, last = path.split(".")
    section = raw
    for key in parents:
        section = section[int(key) if isinstance(section, list) else key]
    section[last] = value
    return raw


def test_every_pre_training_has_its_scratch():
    cells = ContrastiveCellsConfig(**BLOCK).cells(["fashion"])
    assert [cell.name for cell in cells] == [
        *("fashion-mlp-scratch-1views", "fashion-mlp-translate-augmented-1views"),
        *("fashion-mlp-sign_flip-augmented-1views", "fashion-dws-scratch-1views"),
        *("fashion-dws-translate-augmented-1views", "fashion-dws-sign_flip-augmented-1views"),
    ]
    assert (cells[0].scheme, cells[0].pairs, cells[0].views) == (None, None, 1)
    block = {"models": ["dws"], "schemes": ["none"], "pairs": ["views"], "views": [2, 4]}
    assert [cell.name for cell in ContrastiveCellsConfig(**block).cells(["a"])] == [
        *("a-dws-scratch-2views", "a-dws-none-views-2views"),
        *("a-dws-scratch-4views", "a-dws-none-views-4views"),
    ]


def test_datasets_are_all_of_the_study_or_those_listed():
    for listed, expected in ((None, {"a", "b"}), (["b"], {"b"})):
        block = ContrastiveCellsConfig(**BLOCK, datasets=listed)
        assert {cell.dataset for cell in block.cells(["a", "b"])} == expected


def test_resolved_settings_are_what_the_training_takes():
    config = ContrastiveConfig(**edited("pretraining.lr", 0.5))
    settings = config.resolve(lr=0.02, weight_decay=0.1)
    assert settings.keys() == {
        *("embedding", "label_fractions", "pretraining", "fine_tune", "probe")
    }
    assert (settings["pretraining"]["lr"], settings["fine_tune"]["lr"]) == (0.5, 0.02)
    assert settings["pretraining"].pop("projection") == 128
    for part, function in (("pretraining", pretrain), ("fine_tune", train_together)):
        assert settings[part]["weight_decay"] == 0.1
        inspect.signature(function).bind_partial(**settings[part])
    taken = inspect.signature(train_contrastive_cell).parameters
    assert {"embedding", "label_fractions", "pretraining", "fine_tune"} <= taken.keys()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("pretraining.temperatur", 1.0, "unknown key 'temperatur'; did you mean 'temperature'"),
        ("pretraining.temperature", 0.0, "greater than 0"),
        ("pretraining.warmup", 301, "warmup is 301, more than updates 300"),
        ("pretraining.batch_size", 1, "greater than or equal to 2"),
        ("label_fractions", [0.0], "greater than 0"),
        ("label_fractions", [0.1, 0.1], "listed twice"),
        ("label_fractions", [], "at least 1 item"),
        ("probe.l2", [], "at least 1 item"),
    ],
)
def test_what_cannot_be_run_is_refused(path, value, message):
    with pytest.raises(ValidationError, match=message):
        ContrastiveConfig(**edited(path, value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": ["views"]}, "pairs of views need at least 2 views"),
        ({"pairs": ["both"]}, "'augmented' or 'views'"),
        ({"schemes": ["scratch"]}, "'scratch' names the cells"),
        ({"model": ["mlp"]}, "unknown key 'model'; did you mean 'models'"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        ContrastiveCellsConfig(**{**BLOCK, **change})


def test_imports_no_torch():
    code = "import sys, weightspace.config.contrastive; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
