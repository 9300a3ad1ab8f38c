"""A small sample of `kill.py`, and that it would see what it looks for."""

import pytest
from kill import STAGES, Found, Tree, changed, harm, results, same, strike

OBJECTS = "results/killed/objects/fashion_mnist.npz"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    tree = Tree(tmp_path_factory.mktemp("killed"))
    tree.finish(OBJECTS)
    return tree


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_ends_like_an_undisturbed_one(tree, stage):
    tree.learn(stage)
    found = harm(tree, stage, 2 if stage == "training" else 1)
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


def test_a_lost_and_a_strange_file_are_seen(tree, monkeypatch):
    # What an undisturbed run is said to leave, but for one file; and one that it never leaves.
    after = tree.root / "after fit/results/killed/fits/fashion_mnist"
    shard, found = after / "shard_0.h5", Found()
    content = shard.read_bytes()
    shard.rename(shard.with_name("shard_x.h5"))
    shard.with_name("shard_1.h5").write_bytes(content)
    strike(tree, "fit", 0.0, found, one=False)
    names = sorted(problem.rsplit("_", 1)[1] for problem in found.problems)
    assert names == ["0.h5", "1.h5", "x.h5"]
    assert found.wrong == 3
