"""A merged file is, byte by byte, the one that would be written from memory."""

import os
import random
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from strategies import random_networks

from weightspace import store_writer
from weightspace.dataset.assemble import assemble, with_statistics
from weightspace.store import StoreError, read_inrs, write_inrs


@pytest.fixture
def small_pieces(monkeypatch):
    """Files of many chunks, which are asked for in several pieces."""
    monkeypatch.setattr(store_writer, "_CHUNK_BYTES", 100)
    monkeypatch.setattr(store_writer, "_PIECE_BYTES", 150)


def run(study, shards):
    assemble(shards, study.folder / "out.h5", objects=study.objects, views=study.views)
    return (study.folder / "out.h5").read_bytes()


@pytest.mark.parametrize("cut", ["ranges", "alternating", "shuffled"])
@pytest.mark.parametrize("failed", [(), ((3, 1), (60001, 0))], ids=["whole", "with failures"])
def test_any_cut_gives_the_bytes_of_the_set_written_from_memory(study, small_pieces, cut, failed):
    e = sorted(study.entries)
    whole = with_statistics(study.inr_set(e, failed=failed))
    write_inrs(study.folder / "memory.h5", whole)
    parts = {
        "ranges": [e[:5], e[5:6], e[6:]],
        "alternating": [e[::3], e[1::3], e[2::3]],
        "shuffled": [random.Random(2).sample(e[i::2], len(e[i::2])) for i in (1, 0)],
    }[cut]
    shards = [study.write(f"{i}.h5", part, failed=failed) for i, part in enumerate(parts)]
    assert run(study, shards) == (study.folder / "memory.h5").read_bytes()


def test_shards_of_another_chunking_give_the_same_bytes(study, monkeypatch):
    e = sorted(study.entries)
    once = run(study, [study.write("a.h5", e)])
    with monkeypatch.context() as patch:
        patch.setattr(store_writer, "_CHUNK_BYTES", 60)
        shards = [study.write("b.h5", e[:7]), study.write("c.h5", e[7:])]
    assert run(study, shards) == once


def flip(path, name, *, chunk):
    """Damage one byte of a chunk of an array."""
    with h5py.File(path) as file:
        offset = file[name].id.get_chunk_info(chunk).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 5] ^= 1
    path.write_bytes(content)


def test_a_flipped_weight_of_a_shard_is_noticed_and_nothing_is_left(study, small_pieces):
    e = sorted(study.entries)
    shards = [study.write("a.h5", e[:6]), study.write("b.h5", e[6:])]
    flip(shards[1], "weights/1", chunk=2)
    with pytest.raises(StoreError, match=r"b\.h5 is truncated or damaged.*delete it and run again"):
        run(study, shards)
    assert sorted(p.name for p in study.folder.iterdir()) == ["a.h5", "b.h5"]


def test_a_weight_that_is_no_number_is_refused_with_its_place(study):
    e = sorted(study.entries)
    broken = study.inr_set(e[6:])
    broken.weights.weights[1][3, 0, 1] = torch.nan
    write_inrs(study.folder / "b.h5", broken)
    shards = [study.write("a.h5", e[:6]), study.folder / "b.h5"]
    with pytest.raises(StoreError, match=r"b\.h5 breaks the format: weights/1 of network 3 holds"):
        run(study, shards)
    assert not (study.folder / "out.h5").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.98])
def test_a_full_disk_is_one_error_and_leaves_the_old_file(study, small_pieces, share):
    shards = [study.write("a.h5", sorted(study.entries))]
    before = run(study, shards)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * len(before)), hard))
    try:
        with pytest.raises(StoreError, match=r"out\.h5 could not be written \(File too large\)"):
            run(study, shards)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (study.folder / "out.h5").read_bytes() == before
    assert sorted(p.name for p in study.folder.iterdir()) == ["a.h5", "out.h5"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_the_memory_of_a_merge_does_not_grow_with_the_networks(study):
    """Twelve times the networks, in as many shards, need a few bytes more for each of them."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from weightspace.dataset.assemble import assemble\n"
        "paths = sorted(Path(sys.argv[1]).glob('shard_*.h5'))[: int(sys.argv[2])]\n"
        "ids = np.arange(2000 * len(paths))\n"
        "assemble(paths, sys.argv[3], objects=(ids, ids * 0, np.full(len(ids), 'train')),\n"
        "    views={'train': 1})\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    one = study.inr_set([(3, 0)])
    wide = replace(one.header, layer_layout=(2, 32, 32, 1))
    for i in range(24):
        rows = np.arange(2000)
        columns = {name: np.repeat(x, 2000) for name, x in one.columns.items()}
        columns |= {"object_id": 2000 * i + rows}
        w = random_networks((2, 32, 32, 1), 2000, dtype=torch.float32)
        write_inrs(
            study.folder / f"shard_{i:02}.h5",
            replace(one, header=wide, weights=w, columns=columns),
        )
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}

    def peak(n_shards):
        arguments = [str(study.folder), str(n_shards), str(study.folder / "out.h5")]
        command = [sys.executable, "-c", code, *arguments]
        return int(subprocess.check_output(command, env=environment)) / 1024  # MiB

    grown = peak(24) - peak(8)
    # 32,000 networks more are 152 MB; their columns, in all stages, some 20 MB
    assert grown < 76
    assert len(read_inrs(study.folder / "out.h5", slice(0, 0)).columns["view"]) == 0
