from itertools import islice

import pytest
import torch

from weightspace.train.batches import batches


def draw(count, n, batch_size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return list(islice(batches(n, batch_size=batch_size, generator=generator), count))


@pytest.mark.parametrize(("n", "batch_size"), [(6, 2), (7, 3), (5, 5), (3, 8), (1, 4)])
def test_every_epoch_holds_every_example_once(n, batch_size):
    drawn = draw(4 * n, n, batch_size)
    assert all(b.shape == (batch_size,) for b in drawn)
    for epoch in torch.cat(drawn).view(-1, n):
        assert epoch.sort().values.tolist() == list(range(n))


def test_epochs_differ():
    first, second = draw(2, 20, 20)
    assert not torch.equal(first, second)


def test_the_order_is_a_function_of_the_generator():
    assert torch.equal(torch.stack(draw(9, 7, 3)), torch.stack(draw(9, 7, 3)))
    assert not torch.equal(torch.stack(draw(9, 7, 3)), torch.stack(draw(9, 7, 3, seed=1)))
