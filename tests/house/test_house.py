"""The plan of the house (docs/conventions.md) as tests."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "weightspace"
FILES = sorted(PACKAGE.rglob("*.py"))
FLOW = ("data", "fit", "dataset", "augment", "models", "train", "announce", "report")
CORE = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"} | {"config"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            if node.module == "weightspace":
                yield from (f"weightspace.{alias.name}" for alias in node.names)


def may_import(folder):
    """The folders whose modules a file of `folder` may import."""
    if folder in FLOW:
        return {*FLOW[: FLOW.index(folder) + 1], "symmetry"}
    return {"symmetry"} if folder == "symmetry" else set()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    folder = path.relative_to(PACKAGE).parts[0] if path.parent != PACKAGE else ""
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "weightspace" and rest and rest[0] not in CORE:
            allowed = FLOW if path.name == "__main__.py" else may_import(folder)
            assert rest[0] in allowed, f"{path.relative_to(PACKAGE)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_holds_one_idea(path):
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in {"utils", "helpers", "common", "base"}


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("pandas", {"report"}),
        ("matplotlib", {"report"}),
        ("h5py", {"store.py", "store_writer.py"}),
        ("PIL", {"data"}),
        ("safetensors", {"dataset"}),
        ("numba", {"chunks.py", "fit", "models", "symmetry", "threads.py"}),
        ("triton", {"fit"}),
        ("igl", {"data", "fit"}),
    ],
)
def test_libraries_stay_in_their_place(library, places):
    found = {
        path.relative_to(PACKAGE).parts[0]
        for path in FILES
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert found <= places


def test_package_files_hold_a_docstring_alone():
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent.name not in ("augment", "models"):
            body = ast.parse(path.read_text()).body
            assert len(body) == 1, path
            assert isinstance(body[0], ast.Expr), path


def test_scripts_are_adapters():
    for path in (ROOT / "workflow/scripts").glob("*.py"):
        code = path.read_text().split("import snakemake\n", 1)[1]
        assert len([line for line in code.splitlines() if line.strip()]) <= 30, path


def test_every_rule_says_what_it_needs():
    # Rules that run something have a log, a benchmark, threads and resources.
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            if "script:" in rule or "shell:" in rule:
                for part in ("log:", "benchmark:", "threads:", "resources:", "code=fingerprint("):
                    assert part in rule, f"{path.name}: rule {rule.split(':')[0]} has no {part}"
