"""A small sample of `kill.py`, and that it would see what it looks for."""

import pytest
from kill import STAGES, STUDY, Found, Tree, changed, harm, results, same, strike

OBJECTS = "results/killed/objects/fashion_mnist.npz"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    schemes = [{"models": ["dws"], "schemes": ["none"]}]
    experiments = {**STUDY["experiments"], "schemes": schemes, "contrastive": []}
    study = {**STUDY, "fit": {**STUDY["fit"], "shard_size": 40}, "experiments": experiments}
    stages = {**STAGES, "training": ["train"], "aggregation": ["schemes"]}
    tree = Tree(tmp_path_factory.mktemp("killed"), study, stages)
    tree.finish(OBJECTS)
    return tree


@pytest.mark.parametrize(("number", "stage"), list(enumerate(STAGES)))
def test_a_killed_stage_ends_like_an_undisturbed_one(tree, number, stage):
    tree.learn(stage)
    found = harm(tree, stage, 1, seed=number)
    assert not found.problems
    assert found.half == found.wrong == found.left == 0
    assert found.redone <= 4 * tree.cores  # the files of jobs that had just ended


def test_a_cut_file_is_not_the_same(tree, tmp_path):
    # Of each kind that the stages leave.
    whole = {path.suffix: path for path in results(tree.path).values()}
    assert {".h5", ".csv", ".json", ".pt", ".png", ".pdf", ".md"} <= set(whole)
    for suffix, path in whole.items():
        part = tmp_path / path.name
        part.write_bytes(path.read_bytes()[:-20])
        assert same(path, path) and not same(part, path), suffix
    assert changed(part.stat(), path.stat())


def test_a_lost_and_a_strange_file_are_seen(tree):
    # What an undisturbed run is said to leave: one file under another name, one of other content.
    after, found = tree.root / "after assembly/results/killed/datasets", Found()
    quality = after / "fashion_mnist.fit_quality.json"
    (after / "fashion_mnist.h5").write_bytes(quality.read_bytes())
    quality.rename(after / "other.json")
    strike(tree, "assembly", 0.0, found, one=False)
    names = sorted(problem.rsplit("/", 1)[1] for problem in found.problems)
    assert names == ["fashion_mnist.fit_quality.json", "fashion_mnist.h5", "other.json"]
    assert found.wrong == 3
