from itertools import pairwise

import pytest

from weightspace.train.schedule import warmup_cosine


def course(updates, warmup):
    return [warmup_cosine(u, updates=updates, warmup=warmup) for u in range(updates)]


def test_rises_linearly_then_follows_half_a_cosine():
    factors = course(12, 4)
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[4] == 1.0
    assert factors[8] == pytest.approx(0.5)
    assert factors[10] == pytest.approx(0.1464466)  # (1 + cos(3 pi / 4)) / 2


@pytest.mark.parametrize(("updates", "warmup"), [(1, 0), (1, 1), (50, 0), (50, 7), (50, 50)])
def test_stays_in_range_rises_then_falls(updates, warmup):
    factors = course(updates, warmup)
    assert all(0 < f <= 1 for f in factors)
    assert max(factors) == 1
    assert all(a < b for a, b in pairwise(factors[:warmup]))
    assert all(a > b for a, b in pairwise(factors[warmup:]))


def test_ends_near_zero():
    assert course(1000, 10)[-1] < 1e-5


@pytest.mark.parametrize("update", [-1, 10])
def test_refuses_updates_outside_the_training(update):
    with pytest.raises(ValueError, match=f"update is {update}"):
        warmup_cosine(update, updates=10, warmup=2)


@pytest.mark.parametrize("warmup", [-1, 11])
def test_refuses_a_warmup_longer_than_the_training(warmup):
    with pytest.raises(ValueError, match=f"warmup is {warmup}"):
        warmup_cosine(0, updates=10, warmup=warmup)
