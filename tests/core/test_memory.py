"""How much a job may hold: what is free on the machine, within the limits of its groups."""

import torch

from weightspace.memory import allowed_memory, available_memory

CPU = torch.device("cpu")


def machine(root, *, free_kb=1000, groups=()):
    """A file system that says what is free, and the limits of nested control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 9000 kB\nMemAvailable: {free_kb} kB\n")
    folder = root / "sys/fs/cgroup"
    folder.mkdir(parents=True)
    for name, limit, used, cache in groups:
        folder = folder / name
        folder.mkdir()
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cache}\n")
    name = folder.relative_to(root / "sys/fs/cgroup")
    (root / "proc/self/cgroup").write_text(f"0::/{name}\n")
    return root


def test_what_is_free_is_that_of_the_machine(tmp_path):
    assert available_memory(machine(tmp_path)) == 1000 * 1024


def test_a_limit_of_any_group_counts_without_the_cache_of_files(tmp_path):
    groups = [("job", 5000, 3000, 400), ("step", "max", 2000, 0)]
    assert available_memory(machine(tmp_path, groups=groups)) == 5000 - 2600


def test_a_group_that_is_full_leaves_nothing(tmp_path):
    assert available_memory(machine(tmp_path, groups=[("job", 100, 300, 0)])) == 0


def test_what_cannot_be_read_is_no_limit(tmp_path):
    root = machine(tmp_path, groups=[("job", 100, 50, 0)])
    (root / "proc/self/cgroup").write_text("7:memory:/job\n")  # version 1
    assert available_memory(root) == 1000 * 1024


def test_the_setting_decides_and_half_of_the_free_memory_where_it_is_null():
    assert allowed_memory(71, CPU) == 71_000_000
    assert 0 < allowed_memory(None, CPU) <= available_memory() * 0.6
