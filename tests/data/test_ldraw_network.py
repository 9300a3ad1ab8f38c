"""The real thing: LDraw from its Debian package (48 MB, about 50 s)."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from weightspace.data import sources
from weightspace.data.debian import DebianPackage
from weightspace.data.shapes.ldraw_catalogue import LDRAW10, LDRAW20, list_parts
from weightspace.data.shapes.ldraw_library import open_library
from weightspace.data.shapes.mesh import checked, normalised
from weightspace.data.shapes.shape_files import SHAPE_FILES
from weightspace.data.shapes.shape_sets import load_shape_set
from weightspace.data.splits import stratified_split

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get"),
]

# Of the library 2022-06, without parts that look like another one of their class.
COUNTS = {
    "Animal": 130,
    "Brick": 215,
    "Container": 77,
    "Door": 72,
    "Minifig Headwear": 232,
    "Panel": 63,
    "Plate": 194,
    "Slope": 130,
    "Wheel": 92,
    "Windscreen": 86,
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    places = [s for s in sources.SOURCES["ldraw"] if isinstance(s, DebianPackage)]
    assert places
    target = tmp_path_factory.mktemp("ldraw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources.SOURCES, "ldraw", tuple(places))
        sources.fetch("ldraw", target)
    assert {p.name for p in target.iterdir()} == {f.name for f in SHAPE_FILES["ldraw"]}
    return target


@pytest.fixture(scope="module")
def parts(directory):
    return list_parts(open_library(directory))


@pytest.fixture(scope="module")
def ldraw10(directory):
    return load_shape_set("ldraw10", directory)


def test_the_classes_have_parts_enough(parts):
    counts = Counter(part.category for part in parts)
    assert sum(counts[name] for name in LDRAW10) == 1594
    assert min(counts[name] for name in LDRAW20) >= 20


def test_the_set_has_its_known_counts(ldraw10):
    counts = Counter(ldraw10.classes[label] for label in ldraw10.labels)
    assert counts == COUNTS and len(ldraw10) == 1291
    assert len(set(ldraw10.object_ids.tolist())) == 1291


def test_no_mould_is_in_two_splits(ldraw10, parts):
    groups = {part.file: part.group for part in parts}
    splits = {}
    for title, split in zip(ldraw10.titles, ldraw10.official_split, strict=True):
        assert splits.setdefault(groups[title], split) == split
    assert len(splits) < 1291  # there are variants
    shares = {n: (ldraw10.official_split == n).mean() for n in ("train", "val", "test")}
    assert shares == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=0.01)


def test_parts_can_be_read(ldraw10):
    brick = ldraw10.load(ldraw10.titles.index("3001.dat"))
    low, high = brick.vertices.min(0), brick.vertices.max(0)
    # 4 x 2 studs of 20 LDraw units, a height of 24 and a stud of 4 on top
    assert (high - low).tolist() == [80, 28, 40] and high[1] == 4
    for i in range(0, 1291, 50):
        normalised(checked(ldraw10.load(i)))


def test_the_study_of_shapes_asks_for_no_more_than_there_is(ldraw10):
    config = Path(__file__).parents[2] / "workflow/configs/shapes.yaml"
    asked = yaml.safe_load(config.read_text())["datasets"]["ldraw10"]
    settings = {key: asked[key] for key in ("train", "val", "test", "seed", "balance")}
    chosen = stratified_split(ldraw10.labels, ldraw10.official_split, **settings)
    assert {name: len(rows) for name, rows in chosen.items()} == {n: asked[n] for n in chosen}
