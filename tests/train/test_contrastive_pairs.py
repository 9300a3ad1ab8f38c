import itertools

import pytest
import torch

from weightspace.rng import stream
from weightspace.train.pairs import PairTable, object_batches


def ragged(inrs):
    """Five objects with 3, 1, 2, 3 and 1 of their three views, out of order."""
    dataset = inrs(5, views=3, first_id=50)
    keep = torch.tensor([14, 1, 0, 4, 8, 2, 6, 9, 11, 10])
    return dataset[keep]


@pytest.mark.parametrize("pairs", ["augmented", "views"])
def test_a_pair_is_of_one_object(inrs, pairs):
    dataset = ragged(inrs)
    table = PairTable.of(dataset, pairs=pairs)
    objects = torch.arange(len(table)).repeat(50)
    one, other = table.draw(objects, generator=stream(0))
    assert torch.equal(dataset.object_ids[one], dataset.object_ids[other])
    if pairs == "augmented":
        assert torch.equal(one, other)
        assert dataset.object_ids[one].unique().tolist() == [50, 51, 52, 53, 54]
        assert one.unique().tolist() == list(range(10))
    else:
        assert (one != other).all()
        assert dataset.object_ids[one].unique().tolist() == [50, 52, 53]


def test_every_pair_of_views_is_equally_likely(inrs):
    table = PairTable.of(inrs(1, views=3), pairs="views")
    one, other = table.draw(torch.zeros(6000).long(), generator=stream(1))
    counts = torch.bincount(3 * one + other, minlength=9)
    assert counts[[0, 4, 8]].sum() == 0
    assert (counts[counts > 0] - 1000).abs().max() < 150 and (counts > 0).sum() == 6


def test_a_draw_is_per_object_and_repeats(inrs):
    table = PairTable.of(inrs(40, views=3), pairs="views")
    objects = torch.arange(40)
    first, second = (table.draw(objects, generator=stream(2)) for _ in range(2))
    assert all(map(torch.equal, first, second))
    assert len((first[0] % 3).unique()) == 3


def test_a_batch_holds_no_object_twice_and_an_epoch_nearly_all():
    batches = object_batches(11, batch_size=4, generator=stream(3))
    found = list(itertools.islice(batches, 40))
    assert all(len(batch.unique()) == 4 for batch in found)
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert len(torch.cat([first, second]).unique()) == 8
    assert len(torch.cat(found).unique()) == 11


@pytest.mark.parametrize(("n", "batch_size"), [(3, 4), (4, 1)])
def test_a_batch_that_cannot_be_filled_is_refused(n, batch_size):
    with pytest.raises(ValueError, match=rf"batch_size is {batch_size}; with {n} objects"):
        next(object_batches(n, batch_size=batch_size, generator=stream(0)))


def test_impossible_pairs_are_refused(inrs):
    with pytest.raises(ValueError, match="pairs is 'viwes'; it must be one of augmented, views"):
        PairTable.of(inrs(4), pairs="viwes")
    with pytest.raises(ValueError, match="each has only one"):
        PairTable.of(inrs(4), pairs="views")
    with pytest.raises(ValueError, match="is empty"):
        PairTable.of(inrs(4)[:0], pairs="augmented")
