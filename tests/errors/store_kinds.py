"""Files of fitted networks, objects and checkpoints that cannot be used."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import torch
from ways import GOLDEN, Met, command, function, kind, script, training

from weightspace.data.archive import write_npz
from weightspace.data.objects import Objects, write_objects
from weightspace.data.signals import image_signals
from weightspace.dataset.interchange.tensors_file import write_safetensors
from weightspace.dataset.shard import fit_shard
from weightspace.store import InrSet, read_inrs, write_inrs
from weightspace.train.records import load_checkpoint

FILE = "networks.h5"


def reads(content, to="info"):
    """The command line on a file of this content."""
    Path(FILE).write_bytes(content)
    return Met(command(to, FILE, *(["out"] if to == "export" else [])), FILE)


def edited(edit, to="info"):
    """The command line on the golden file after a change past the package."""
    met = reads(GOLDEN.read_bytes(), to)
    with h5py.File(FILE, "r+") as file:
        edit(file)
    return met


@kind("networks: not there")
def missing():
    return Met(command("info", "gone.h5"), "gone.h5")


@kind("networks: not HDF5")
def not_hdf5():
    return reads(b"PK\x03\x04")


@kind("networks: truncated")
def truncated():
    return reads(GOLDEN.read_bytes()[:-3000])


@kind("networks: a flipped bit in the header")
def flipped_header():
    content = bytearray(GOLDEN.read_bytes())
    content[content.index(b"0123abc")] ^= 1
    return reads(bytes(content))


@kind("networks: a flipped bit in a weight")
def flipped_weight():
    met = reads(GOLDEN.read_bytes(), "export")
    with h5py.File(FILE) as file:
        at = file["weights/0"].id.get_chunk_info(0).byte_offset
    content = bytearray(GOLDEN.read_bytes())
    content[at + 5] ^= 1
    Path(FILE).write_bytes(content)
    return met


@kind("networks: HDF5 of something else")
def foreign():
    with h5py.File(FILE, "w") as file:
        file["data"] = 1
    return Met(command("info", FILE), FILE)


@kind("networks: of a newer version")
def newer():
    return edited(lambda file: file.attrs.modify("version", np.int64(2)))


@kind("networks: a column is missing")
def no_column():
    return edited(lambda file: file["columns"].pop("psnr"))


@kind("networks: an array too many")
def more_arrays():
    return edited(lambda file: file.create_dataset("columns/mood", data=[1]))


@kind("networks: a changed number")
def changed():
    return edited(lambda file: file["columns/label"].write_direct(np.ones(5, np.int64)))


def rewritten(change, to="export"):
    """The command line on a file with right digests that breaks a rule of the format."""
    inrs = read_inrs(GOLDEN)
    change(inrs)
    write_inrs(FILE, inrs)
    return Met(command(to, FILE, *(["out"] if to == "export" else [])), FILE)


@kind("networks: NaN")
def nan():
    return rewritten(lambda inrs: inrs.weights.weights[0][1].fill_(torch.nan))


@kind("networks: of another layout than stated")
def layout():
    def change(inrs):
        object.__setattr__(inrs, "header", replace(inrs.header, layer_layout=(2, 4, 2, 1)))

    return rewritten(change)


@kind("networks: a view twice")
def view_twice():
    return rewritten(lambda inrs: inrs.columns["view"].fill(0))


@kind("networks: a label of no class")
def no_class():
    return rewritten(lambda inrs: inrs.columns["label"].fill(7), to="info")


def imported(splits=("train", "train", "train", "val", "test"), labels=(0, 1, 0, 1, 0)):
    """The golden networks as objects of these splits and labels."""
    inrs = read_inrs(GOLDEN)
    columns = inrs.columns | {
        "object_id": np.arange(5),
        "view": np.zeros(5, np.int32),
        "split": np.array(splits),
        "label": np.array(labels),
    }
    write_inrs(FILE, InrSet(inrs.header, inrs.weights, columns))


@kind("networks: more views than there are")
def more_views():
    imported()
    return Met(training(FILE, views=3), "theirs-m-none-3views")


@kind("networks: one class only")
def one_class():
    imported(labels=(1, 1, 1, 1, 1))
    return Met(training(FILE), FILE)


@kind("networks: a split is missing")
def no_validation():
    imported(splits=("train", "train", "train", "train", "test"))
    return Met(training(FILE), FILE)


def fitted(lr):
    """Networks of four tiny pictures of each split, fitted with a learning rate."""
    n = 12
    rng = np.random.default_rng(0)
    objects = Objects(
        dataset="tiny",
        labels=np.arange(n) % 2,
        object_ids=np.arange(n),
        splits=np.repeat(["train", "val", "test"], 4),
        classes=("a", "b"),
        images=rng.integers(0, 255, (n, 4, 4), np.uint8),
    )
    write_objects(Path("objects.npz"), objects)
    return fit_shard(
        objects,
        np.arange(n),
        image_signals(objects.images),
        hidden=[4],
        omega_0=30.0,
        output_offset=0.5,
        views={"train": 1, "val": 1, "test": 1},
        steps=3,
        lr=lr,
        schedule="constant",
        betas=[0.9, 0.999],
        target_psnr=None,
        min_psnr=-1000.0,
        retries=0,
        shared_init=False,
        backend="reference",
        seed=0,
        commit="abc",
    )


def assembly(shards):
    """The assembly of shards of the objects of `fitted`."""
    return script(
        "assemble",
        input={"objects": Path("objects.npz"), "shards": shards},
        output={"inrs": "dataset.h5", "quality": "quality.json"},
        params={"views": {"train": 1, "val": 1, "test": 1}},
    )


@kind("fits: all gave NaN")
def diverged():
    inrs = fitted(lr=1e38)
    assert len(inrs.weights) == 0 and len(inrs.failures["view"]) == 12
    write_inrs(FILE, inrs)
    return Met(training(FILE), FILE)


@kind("shard: of another dataset")
def other_shard():
    inrs = fitted(lr=0.01)
    write_inrs("shard.h5", replace(inrs, header=replace(inrs.header, dataset="other")))
    return Met(assembly(["shard.h5"]), "shard.h5")


@kind("shard: some fits are missing")
def fewer_fits():
    inrs = fitted(lr=0.01)
    columns = {name: x[:9] for name, x in inrs.columns.items()}
    write_inrs("shard.h5", InrSet(inrs.header, inrs.weights[:9], columns, inrs.failures))
    return Met(assembly(["shard.h5"]), "object 9 view 0")


@kind("shard: of other settings")
def other_settings():
    inrs = fitted(lr=0.01)
    write_inrs("one.h5", inrs)
    write_inrs("two.h5", replace(inrs, header=replace(inrs.header, omega_0=7.0)))
    return Met(assembly(["one.h5", "two.h5"]), "two.h5")


@kind("shard: truncated")
def truncated_shard():
    write_inrs("shard.h5", fitted(lr=0.01))
    Path("shard.h5").write_bytes(Path("shard.h5").read_bytes()[:-500])
    return Met(assembly(["shard.h5"]), "shard.h5")


def objects_file():
    """A job that reads `objects.npz`."""
    fits = {"fit": {"device": "cpu"}, "signal": None, "n_shards": 1}
    return script(
        "fit_shard",
        input={"objects": "objects.npz"},
        output=["shard.h5"],
        params={"fits": fits},
        wildcards={"dataset": "own", "shard": "0"},
    )


@kind("objects: truncated")
def npz_truncated():
    write_npz(Path("objects.npz"), {"labels": np.arange(50)})
    Path("objects.npz").write_bytes(Path("objects.npz").read_bytes()[:-40])
    return Met(objects_file(), "objects.npz")


@kind("objects: with pickled code")
def npz_pickled():
    names = ("dataset", "labels", "object_ids", "splits", "classes")
    with zipfile.ZipFile("objects.npz", "w") as archive:
        for name in names:
            content = io.BytesIO()
            np.save(content, np.array([{"a": 1}], dtype=object))
            archive.writestr(f"{name}.npy", content.getvalue())
    return Met(objects_file(), "objects.npz")


@kind("objects: an array is missing")
def npz_lacking():
    write_npz(Path("objects.npz"), {"labels": np.arange(5)})
    return Met(objects_file(), "objects.npz")


@kind("checkpoint: damaged")
def checkpoint_damaged():
    Path("checkpoint.pt").write_bytes(b"PK\x03\x04 and no more")
    return Met(function(lambda: load_checkpoint(Path("checkpoint.pt"))), "checkpoint.pt")


@kind("checkpoint: of another layout")
def checkpoint_foreign():
    torch.save({"state_dict": {}}, "checkpoint.pt")
    return Met(function(lambda: load_checkpoint(Path("checkpoint.pt"))), "checkpoint.pt")


@kind("safetensors: truncated")
def safetensors_truncated():
    write_safetensors("set.safetensors", read_inrs(GOLDEN))
    Path("set.safetensors").write_bytes(Path("set.safetensors").read_bytes()[:-9])
    return Met(command("import", "set.safetensors", FILE), "set.safetensors")


@kind("safetensors: of something else")
def safetensors_foreign():
    from safetensors.torch import save_file

    save_file({"x": torch.ones(2)}, "set.safetensors")
    return Met(command("import", "set.safetensors", FILE), "set.safetensors")
