"""Sets as others publish them, written here with plain torch, and what is read of them."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from weightspace.data.coordinates import grid
from weightspace.dataset.inr_dataset import load_inr_dataset
from weightspace.dataset.interchange.listing import InterchangeError
from weightspace.dataset.interchange.state_dicts import read_state_dicts
from weightspace.dataset.interchange.views import object_ids, views_by_folder
from weightspace.siren import siren
from weightspace.store import read_inrs, write_inrs

# Between two orders of float32 sums, as machines have them: two sines make the rounding of an
# argument, 30 (W x + b), some hundred times larger.
ROUNDING = 1e-4


class Sine(nn.Module):
    def __init__(self, linear):
        super().__init__()
        self.linear = linear

    def forward(self, x):
        return torch.sin(30 * self.linear(x))


class PublishedInr(nn.Module):
    """The rule of DWSNets: sin(30 (W x + b)) twice, a linear layer, and 0.5."""

    def __init__(self, d_out=1):
        super().__init__()
        self.seq = nn.Sequential(nn.Linear(2, 6), nn.Linear(6, 5), nn.Linear(5, d_out))

    def forward(self, x):
        first, second, last = self.seq
        return last(torch.sin(30 * second(torch.sin(30 * first(x))))) + 0.5

    def picture(self, height, width):
        """Pixel by pixel; the first input is the column, as numpy.meshgrid gives it."""
        ys, xs = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
        with torch.no_grad():
            return torch.stack([torch.stack([self(torch.stack([x, y])) for x in xs]) for y in ys])


class NfnInr(nn.Module):
    """The rule of NFN: no offset, and pictures scaled to [-1, 1]."""

    def __init__(self, d_out=3):
        super().__init__()
        hidden = [Sine(nn.Linear(2, 6)), Sine(nn.Linear(6, 5))]
        self.net = nn.Sequential(*hidden, nn.Linear(5, d_out))

    def picture(self, height, width):
        """Pixel by pixel in [0, 1]; the first input is the row."""
        ys, xs = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
        with torch.no_grad():
            return torch.stack(
                [torch.stack([(self.net(torch.stack([y, x])) + 1) / 2 for x in xs]) for y in ys]
            )


def save(path, network, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({**network.state_dict(), **more}, path)


def networks(n, kind=PublishedInr, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [kind(**settings) for _ in range(n)]


def pictures(inrs):
    shape = inrs.header.coords["shape"]
    omega_0, offset = inrs.header.omega_0, inrs.header.output_offset
    values = siren(inrs.weights, grid(shape), omega_0=omega_0, output_offset=offset)
    return values.reshape(len(values), *shape, -1)


@pytest.fixture
def multiview(tmp_path):
    """Six objects of two classes, two views of the training objects, labels inside the files."""
    root = tmp_path / "fmnist_multiview"
    split_of = {0: "train", 1: "train", 2: "train", 3: "val", 4: "test", 5: "test"}
    nets, splits = {}, {"train": [], "val": [], "test": []}
    entries = [(i, v) for i, split in split_of.items() for v in range(2 if split == "train" else 1)]
    for (i, view), network in zip(entries, networks(len(entries)), strict=True):
        path = f"seed_{7 + 3 * view}/{i % 2}/{100 + i}.pth"
        save(root / path, network, label=torch.tensor(i % 2))
        nets[100 + i, view] = network
        splits[split_of[i]].append(f"/home/somebody/data/{root.name}/{path}")
    (root / "splits.json").write_text(json.dumps(splits))
    return root, nets


def test_a_multi_view_set_renders_as_published(multiview, tmp_path):
    root, nets = multiview
    inrs = read_state_dicts(root, shape=(5, 7))
    keys = list(zip(inrs.columns["object_id"].tolist(), inrs.columns["view"].tolist(), strict=True))
    assert keys == sorted(nets)
    expected = torch.stack([nets[key].picture(5, 7) for key in keys])
    assert (pictures(inrs) - expected).abs().max() < ROUNDING
    # The pictures tell rows from columns: read with the axes of our own sets they are others.
    other = pictures(read_state_dicts(root, shape=(5, 7), axes="ij"))
    assert (other - expected).abs().max() > 1e-2
    write_inrs(tmp_path / "set.h5", inrs)
    assert (pictures(read_inrs(tmp_path / "set.h5")) - expected).abs().max() < ROUNDING


def test_a_multi_view_set_has_labels_splits_and_statistics(multiview):
    root, _ = multiview
    inrs = read_state_dicts(root)
    columns = inrs.columns
    assert columns["label"].tolist() == [0, 0, 1, 1, 0, 0, 1, 0, 1]
    assert columns["view"].tolist() == [0, 1, 0, 1, 0, 1, 0, 0, 0]
    assert columns["split"].tolist() == ["train"] * 6 + ["val", "test", "test"]
    assert inrs.header.classes == ("0", "1")
    assert inrs.header.dataset == "fmnist_multiview"
    assert inrs.header.coords["shape"] == [28, 28]
    imported = {"omega_0": 30, "output_offset": 0.5, "output_scale": 1, "axes": "xy"}
    assert inrs.header.config == {"imported": {"as": "dws", **imported}}
    assert columns["steps"].tolist() == columns["psnr"].tolist() == [0] * 9
    assert {split: int(s["count"]) for split, s in inrs.statistics.items()} == {
        "train": 6,
        "val": 1,
        "test": 2,
    }


def test_a_dwsnets_set_renders_as_published(tmp_path):
    # Its labels are text, its files all have one name, its paths are absolute.
    nets = networks(4)
    splits = {s: {"path": [], "label": []} for s in ("train", "test", "val")}
    for i, (network, split) in enumerate(zip(nets, ("train", "train", "val", "test"), strict=True)):
        path = f"mnist-inrs/mnist_png_training_{i % 3}_{i}/checkpoints/model_final.pth"
        save(tmp_path / path, network)
        splits[split]["path"].append(str(tmp_path / path))
        splits[split]["label"].append(str(i % 3))
    (tmp_path / "mnist_splits.json").write_text(json.dumps(splits))
    inrs = read_state_dicts(tmp_path, shape=(6, 6), dataset="mnist", classes=("a", "b", "c"))
    assert inrs.columns["object_id"].tolist() == [0, 1, 2, 3]  # in the order of the paths
    assert inrs.columns["split"].tolist() == ["train", "test", "train", "val"]
    assert inrs.columns["label"].tolist() == [0, 0, 1, 2]
    assert inrs.columns["view"].tolist() == [0, 0, 0, 0]
    assert inrs.header.classes == ("a", "b", "c")
    assert inrs.header.dataset == "mnist"
    expected = torch.stack([nets[i].picture(6, 6) for i in (0, 3, 1, 2)])
    assert (pictures(inrs) - expected).abs().max() < ROUNDING


def test_an_nfn_set_renders_as_published(tmp_path):
    nets = networks(6, NfnInr)
    places = {  # file, object_id, view
        "randinit_smaller_3s/net2.pth": (2, 0),
        "randinit_smaller_aug0_3s/net2.pth": (2, 1),
        "randinit_smaller_aug9_3s/net2.pth": (2, 10),
        "randinit_smaller_0s/net10.pth": (10, 0),
        "randinit_smaller_3s/net44.pth": (44, 0),
        "randinit_smaller_3s/net50.pth": (50, 0),
    }
    for path, network in zip(places, nets, strict=True):
        save(tmp_path / path, network)
    inrs = read_state_dicts(tmp_path, shape=(4, 5), split_points=(44, 50))
    keys = zip(inrs.columns["object_id"].tolist(), inrs.columns["view"].tolist(), strict=True)
    assert list(keys) == list(places.values())
    assert inrs.columns["label"].tolist() == [3, 3, 3, 0, 3, 3]
    assert inrs.columns["split"].tolist() == ["train"] * 4 + ["val", "test"]
    expected = torch.stack([network.picture(4, 5) for network in nets])
    assert (pictures(inrs) - expected).abs().max() < ROUNDING
    assert read_state_dicts(tmp_path).header.coords["shape"] == [32, 32]


def test_what_the_caller_states_comes_first(multiview):
    root, _ = multiview
    inrs = read_state_dicts(root, omega_0=20.0, output_offset=0.25, output_scale=2.0)
    plain = read_state_dicts(root)
    assert (inrs.header.omega_0, inrs.header.output_offset) == (20, 0.25)
    assert torch.equal(inrs.weights.weights[-1], 2 * plain.weights.weights[-1])
    assert torch.equal(inrs.weights.weights[0], plain.weights.weights[0])


def test_layers_are_found_in_other_networks_too(tmp_path):
    # Numbers with gaps, ten layers and more, double precision, the name of the class as label.
    layers = [nn.Linear(2, 3), *(nn.Linear(3, 3) for _ in range(10)), nn.Linear(3, 1)]
    mixed = [m for layer in layers for m in (layer, nn.Tanh())]
    network = nn.Sequential(*mixed).double()
    save(tmp_path / "a.pth", network, label="shirt")
    (tmp_path / "splits.json").write_text(json.dumps({"train": ["a.pth"]}))
    inrs = read_state_dicts(tmp_path, axes="ij")
    assert inrs.header.classes == ("shirt",)
    for got, layer in zip(inrs.weights.biases, layers, strict=True):
        assert torch.equal(got[0], layer.bias.detach().float())


@pytest.mark.parametrize(
    ("paths", "settings", "expected"),
    [
        (["view_3/a/1.pth", "view_10/a/1.pth"], {}, [("a/1", 3), ("a/1", 10)]),
        (["train/View-0/1.pth", "test/2.pth"], {}, [("train/1", 0), ("test/2", 0)]),
        (["x/1.pth", "y/1.pth", "x/2.pth"], {}, [("1", 0), ("1", 1), ("2", 0)]),
        (["seed_9/1.pth", "seed_10/1.pth"], {}, [("1", 0), ("1", 1)]),
        (["x/1.pth", "y/2.pth"], {}, [("x/1", 0), ("y/2", 0)]),
        (["x/1.pth", "y/1.pth"], {"view_part": "none"}, [("x/1", 0), ("y/1", 0)]),
        (["p/x/1.pth", "p/y/1.pth"], {"view_part": 1}, [("p/1", 0), ("p/1", 1)]),
        (["x/0/1.pth", "y/0/1.pth"], {}, [("x/0/1", 0), ("y/0/1", 0)]),
        (["x/0/1.pth", "y/0/1.pth"], {"labelled": False}, [("0/1", 0), ("0/1", 1)]),
        (["1.pth", "2.pth"], {"labelled": False}, [("1", 0), ("2", 0)]),
    ],
)
def test_views_are_found_in_paths(paths, settings, expected):
    assert list(zip(*views_by_folder(paths, **settings), strict=True)) == expected


def view_set(root, views, **lists):
    """Object 7 in every one of the views, object 8 in the first two; by folders view_<v>."""
    keys = [(7, view) for view in views] + [(8, view) for view in views[:2]]
    paths = [f"view_{view}/0/{i}.pth" for i, view in keys]
    for path, network in zip(paths, networks(len(paths)), strict=True):
        save(root / path, network)
    splits = {
        "train": {"path": paths[:-2], "label": [0] * len(views)},
        "val": {"path": paths[-2:], "label": [1, 1]},
    }
    for name, values in lists.items():
        splits["train"][name], splits["val"][name] = values[:-2], values[-2:]
    (root / "splits.json").write_text(json.dumps(splits))
    return keys


@pytest.mark.parametrize(("views", "expected"), [((1, 2, 3), [0, 1, 2]), ((3, 10), [0, 7])])
@pytest.mark.parametrize("stated", [False, True])
def test_views_that_count_from_1_count_from_0_here(tmp_path, views, expected, stated):
    root = tmp_path / "set"
    n = len(views)
    lists = {"object_id": [7] * n + [8] * 2, "view": [*views, *views[:2]]} if stated else {}
    view_set(root, views, **lists)
    inrs = read_state_dicts(root)
    assert inrs.columns["object_id"].tolist() == [7] * n + [8] * 2
    assert inrs.columns["view"].tolist() == [*expected, *expected[:2]]
    write_inrs(tmp_path / "set.h5", inrs)
    one_view = load_inr_dataset(tmp_path / "set.h5")["val"].select(views=1)
    assert one_view.object_ids.tolist() == [8]


@pytest.mark.parametrize("part", [1, -1, 5])
def test_a_view_part_must_be_a_folder(part):
    with pytest.raises(InterchangeError, match=r"x/1\.pth has no folder at the place"):
        views_by_folder(["x/1.pth"], view_part=part)


def test_objects_are_numbered_by_their_names_where_these_differ():
    assert object_ids(["0/net7", "1/net12", "0/net7"]) == [7, 12, 7]
    assert object_ids(["b/net7", "a/net7", "b/net7"]) == [1, 0, 1]
    assert object_ids(["b", "a9"]) == [1, 0]


def test_progress_is_told(multiview):
    calls = []
    read_state_dicts(multiview[0], progress=lambda *call: calls.append(call))
    assert calls == [(i, 9) for i in range(1, 10)]


def test_the_splits_file_may_be_named(multiview):
    root, _ = multiview
    again = read_state_dicts(root / "splits.json")
    assert np.array_equal(again.columns["object_id"], read_state_dicts(root).columns["object_id"])
