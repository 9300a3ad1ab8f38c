import logging
import weakref
from itertools import chain

import pytest
import torch

from weightspace.parts import in_parts


def limited(most, seen, error):
    """Work that memory holds for so many at a time."""

    def compute(part):
        seen.append((part.start, part.stop))
        if part.stop - part.start > most:
            raise error
        return list(range(part.start, part.stop))

    return compute


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_parts_are_halved_where_memory_runs_out(error, caplog):
    seen = []
    with caplog.at_level(logging.WARNING, logger="weightspace"):
        found = list(chain(*in_parts(limited(3, seen, error), 21, 10)))
    assert found == list(range(21))
    assert seen[:4] == [(0, 10), (0, 5), (0, 3), (3, 6)]
    assert caplog.messages == [
        "memory ran out with 10 at a time; going on with 5",
        "memory ran out with 5 at a time; going on with 3",
    ]


def test_the_last_part_is_halved_by_its_own_length():
    seen = []
    assert list(chain(*in_parts(limited(1, seen, MemoryError()), 2, 100))) == [0, 1]
    assert seen == [(0, 2), (0, 1), (1, 2)]


@pytest.mark.parametrize("error", [MemoryError("one"), RuntimeError("a bug")])
def test_one_that_does_not_fit_and_other_errors_are_raised(error):
    seen = []
    with pytest.raises(type(error), match=str(error)):
        list(in_parts(limited(0, seen, error), 4, 2))
    assert len(seen) == (2 if isinstance(error, MemoryError) else 1)


def test_a_failed_attempt_holds_no_memory_during_the_next():
    held = []

    class Tensors:
        pass

    def compute(part):
        assert all(ref() is None for ref in held)
        own = Tensors()
        held.append(weakref.ref(own))
        if part.stop - part.start > 2:
            raise MemoryError
        return len(held)

    assert list(in_parts(compute, 8, 8)) == [3, 4, 5, 6]
