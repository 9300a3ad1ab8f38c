"""Damage to files, as a hypothesis strategy, and the profile and the limits of its tests.

`WEIGHTSPACE_FUZZ=10000` tries that many inputs for each reader, drawn afresh, and not the few
that are always the same.
"""

import faulthandler
import os
import resource
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["MANY", "PROFILE", "damaged", "little_memory", "watched"]

MANY = int(os.environ.get("WEIGHTSPACE_FUZZ", "0"))
PROFILE = settings(
    max_examples=MANY or 60,
    derandomize=not MANY,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
SECONDS, BYTES = 60, 4 * 2**30  # that one input may take

WORDS = (b"0", b"-1", b"3", b"1e999", b"nan", b"0.5", b"x", b"4294967296", b"9" * 30, b"\xff" * 4)
WORDS += (b"\0" * 8, b"\xff" * 8)
WORDS += (b"\x7f\xff\xff\xff", b"\n", b" ", b": ", b"[", b"{", b"&a *a", b"\t")


def _at(content, place):
    return place * len(content) >> 16


def _flip(content, a, b, value):
    if content:
        content[min(_at(content, a), len(content) - 1)] ^= 1 << value % 8


def _cut(content, a, b, value):
    del content[_at(content, a) :]


def _remove(content, a, b, value):
    start = _at(content, a)
    del content[start : start + 1 + value]


def _insert(content, a, b, value):
    start = _at(content, a)
    content[start:start] = WORDS[value % len(WORDS)]


def _write(content, a, b, value):
    start, word = _at(content, a), WORDS[value % len(WORDS)]
    content[start : start + len(word)] = word


def _word(content, a, b, value):
    """Another word in the place of one, as text has them."""
    start = max(content.rfind(c, 0, _at(content, a)) for c in (b" ", b"\n", b":", b",")) + 1
    ends = [e for c in (b" ", b"\n", b",") if (e := content.find(c, start)) >= 0]
    content[start : min(ends, default=len(content))] = WORDS[value % len(WORDS)]


def _copy(content, a, b, value):
    start, to = _at(content, a), _at(content, b)
    content[to:to] = content[start : start + 1 + value]


STEPS = (_flip, _cut, _remove, _insert, _write, _word, _word, _copy)
_PLACES = st.integers(0, 2**16 - 1)


@st.composite
def damaged(draw, seeds):
    """One of the contents `seeds`, after one to five changes."""
    content = bytearray(draw(st.sampled_from(seeds)))
    steps = st.tuples(st.sampled_from(STEPS), _PLACES, _PLACES, st.integers(0, 255))
    for step, a, b, value in draw(st.lists(steps, min_size=1, max_size=5)):
        step(content, a, b, value)
    return bytes(content)


@contextmanager
def watched():
    """End the process, with a traceback, if one input takes too long, even within a library."""
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def little_memory():
    """Let this process get only so much more memory."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        now = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
