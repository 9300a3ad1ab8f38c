"""Write the licence of every pinned package into docs/licences.md.

    .venv/bin/python envs/write_licences.py

Licences are read off installed packages; of those that are not installed here, off the page itself.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata

from write_pins import HEADERS, ROOT, pins

PAGE = ROOT / "docs/licences.md"
ROW = re.compile(r"^\| (\S+) \| \S+ \| (.+) \| .+ \|$", flags=re.MULTILINE)


def licence(name: str, known: dict[str, str]) -> str:
    """Return the licence that a package states; raise KeyError where nothing is known of it."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return known[name]
    classifiers = stated.get_all("Classifier") or []
    names = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License :: ")]
    field = (stated["License"] or "").strip()
    field = field if "\n" not in field and len(field) < 60 else ""
    return stated["License-Expression"] or field or ", ".join(names) or known[name]


def main() -> None:
    """Write the section of packages; what stands above it is written by hand."""
    text = PAGE.read_text()
    known = dict(ROW.findall(text))
    rows, missing = {}, []
    for path in HEADERS:
        for pin in pins(path.read_text()):
            name, version = pin.split(" ")[0].split("==")
            try:
                rows[name] = f"| {name} | {version} | {licence(name, known)} | {path.name} |\n"
            except KeyError:
                missing.append(name)
    by_hand = text.split("| package |")[0]
    head = "| package | version | licence | pinned in |\n|---|---|---|---|\n"
    PAGE.write_text(by_hand + head + "".join(rows[name] for name in sorted(rows, key=str.lower)))
    if missing:
        sys.exit(f"{PAGE.name} lacks what is not installed here; add: {', '.join(missing)}")


if __name__ == "__main__":
    main()
