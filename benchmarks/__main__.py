"""Run every benchmark, print one table, and write results/bench/bench.json.

    python -m benchmarks [NAME ...]      # e.g. python -m benchmarks fitting: prints, writes nothing

Each row compares two things that ran interleaved in this process, so the ratio holds on a noisy
machine where the rates alone do not.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

from tabulate import tabulate

from weightspace.atomic import replacing
from weightspace.provenance import commit, versions

COLUMNS = ("name", "rate", "unit", "reference", "ratio", "limit_fraction")


def modules(names: list[str]) -> list[str]:
    """The benchmark modules, or those named."""
    known = sorted(p.stem for p in Path(__file__).parent.glob("bench_*.py"))
    wanted = [f"bench_{name}" for name in names] or known
    for name in wanted:
        if name not in known:
            sys.exit(f"unknown benchmark {name!r}; there are: {', '.join(known)}")
    return wanted


def main() -> None:
    """Run, print, write."""
    rows = [row for name in modules(sys.argv[1:]) for row in import_module(name).run()]
    table = [[row[c] for c in COLUMNS] for row in rows]
    formats = ("", ",.0f", "", ",.0f", ".2f", ".2f")
    print(tabulate(table, COLUMNS, floatfmt=formats, missingval="-"))
    if sys.argv[1:]:
        return  # a part must not replace the whole
    path = Path("results/bench/bench.json")
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n")
    with replacing(path.with_name("provenance.json")) as temporary:
        temporary.write_text(json.dumps({"commit": commit(), "versions": versions()}, indent=2))
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
