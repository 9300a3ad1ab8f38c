"""A disk that is full or read-only: one clear message, nothing lost, and a re-run completes."""

import subprocess

import pytest
from kill import STUDY, Tree, results

FITS = "results/killed/fits/fashion_mnist"
STEPS = {"steps": 20, "shard_size": 40}

pytestmark = pytest.mark.slow


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode == 0


@pytest.fixture
def tree(tmp_path):
    """A tree whose results are on a disk of their own."""
    tree = Tree(tmp_path / "disk", {**STUDY, "fit": {**STUDY["fit"], **STEPS}}, cores=1)
    disk = tree.path / "results"
    disk.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=32m", "tmpfs", disk):
        pytest.skip("no disk can be mounted here: that needs root")
    yield tree
    subprocess.run(["umount", disk], check=True)


def errors(said):
    return [line for line in said.splitlines() if ": error: " in line]


def test_a_full_and_a_read_only_disk(tree):
    disk = tree.path / "results"
    tree.finish("fit")
    expected = {name: path.read_bytes() for name, path in results(tree.path).items()}
    first, *others = sorted((tree.path / FITS).iterdir())
    before = first.stat()
    for path in others:
        path.unlink()
    sizes = (path.stat().st_size for path in disk.rglob("*") if path.is_file())
    used = sum(-(-size // 4096) * 4096 for size in sizes)

    assert mount("-o", f"remount,size={used + 5 * 4096}", disk)
    code, said = tree.run("fit")
    assert code != 0
    told = set(errors(said))  # on the terminal and in the log that Snakemake shows
    assert len(told) == len(others)
    assert all("could not be written (No space left on device)" in line for line in told)
    assert not list(disk.rglob(".*"))

    assert mount("-o", "remount,ro", disk)
    code, said = tree.run("fit")
    assert code != 0
    assert f"{disk} cannot be written: make it writable" in said
    assert "Traceback" not in said

    assert mount("-o", "remount,rw,size=32m", disk)
    tree.finish("fit")
    assert {name: path.read_bytes() for name, path in results(tree.path).items()} == expected
    after = first.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
