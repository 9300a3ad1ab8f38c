"""Every number that README and docs/findings.md give as a result stands in a linked table."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?:\.\./)?(results/reference/[\w./-]+\.md)\)")
# An accuracy or a difference with its interval, or a number with decimals.
NUMBER = re.compile(r"(?<![\w-])[+-]?\d[\d,]*\.?\d*\s\[[^\]]*\d[^\]]*\]|[<>]?[+-]?\d+\.\d+")
DOCUMENTS = ("README.md", "docs/findings.md")


def sections(name):
    """The sections of a document that link results: their heading, text and linked tables."""
    for part in re.split(r"^(?=#+ )", (ROOT / name).read_text(), flags=re.M):
        if linked := LINK.findall(part):
            text = re.sub(r"\]\(\S+\)|`[^`]*`|^> .*$", "", part, flags=re.M)
            yield part.splitlines()[0], text, linked


CASES = [(name, *case) for name in DOCUMENTS if (ROOT / name).exists() for case in sections(name)]


@pytest.mark.parametrize(("name", "heading", "text", "linked"), CASES, ids=lambda x: str(x)[:40])
def test_every_number_is_found_in_a_linked_table(name, heading, text, linked):
    tables = "\n".join((ROOT / path).read_text() for path in linked)
    known = set(NUMBER.findall(tables))
    known |= {number for cell in known for number in re.findall(r"[<>]?[+-]?\d+\.\d+", cell)}
    known |= {number.lstrip("+-") for number in known}  # "falls by 3.0 points"
    assert not [number for number in NUMBER.findall(text) if number not in known]
