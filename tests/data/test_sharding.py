"""The shards of a study are parts of its objects."""

import numpy as np
import pytest

from weightspace.data.sharding import shard_rows


@pytest.mark.parametrize("n", [48, 100, 6001])
@pytest.mark.parametrize("n_shards", [1, 2, 3, 7, 48])
def test_shards_are_near_equal_parts_in_order(n, n_shards):
    parts = [shard_rows(n, shard, n_shards) for shard in range(n_shards)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("size", [1, 7, 125, 500])
def test_no_shard_is_larger_than_asked(size):
    for n in (1, 2 * size - 1, 2 * size, 2 * size + 1):
        n_shards = -(-n // size)  # as many as a study makes
        assert max(len(shard_rows(n, i, n_shards)) for i in range(n_shards)) <= size


@pytest.mark.parametrize("shard", [-1, 4, 5])
def test_a_shard_that_is_not_there_is_refused(shard):
    with pytest.raises(ValueError, match=f"shard is {shard}; 4 shards are numbered 0 to 3"):
        shard_rows(100, shard, 4)


def test_more_shards_than_objects_are_refused():
    assert shard_rows(3, 2, 3).tolist() == [2]
    with pytest.raises(ValueError, match=r"2 objects cannot fill 3 shards .* fit\.shard_size"):
        shard_rows(2, 0, 3)
