"""Where a result comes from: the code a stage depends on, package versions, the commit.

This module imports no torch, because the Snakefile imports it at every parse.
"""

import ast
import platform
import subprocess
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["code_fingerprint", "commit", "dependencies", "versions"]

PACKAGE = Path(__file__).parent
# Modules that frame a job and cannot change a result.
NEUTRAL = ("atomic.py", "failures.py", "job.py", "provenance.py")
PACKAGES = ("weightspace", "torch", "numpy", "scipy", "numba", "h5py", "snakemake")


def code_fingerprint(script: Path | str) -> str:
    """Digest the meaning of a script and of everything of this package that it imports.

    Syntax trees are digested without docstrings; comments and formatting never enter them.
    So a rule whose params hold this digest re-runs when code it uses changes, and only then.
    The modules `NEUTRAL`, which frame a job and cannot change its result, are left out.

    Args:
        script: the path of a Python file.

    Returns:
        A hexadecimal digest. It differs between minor versions of Python, whose syntax trees do.

    Raises:
        OSError: if the script cannot be read.
        SyntaxError: if it, or a module it imports, is not valid Python.
    """
    digest = blake2b(digest_size=12)
    neutral = {PACKAGE / name for name in NEUTRAL}
    for path in [Path(script), *(p for p in dependencies(script) if p not in neutral)]:
        meaning, _ = _read(path, path.stat().st_mtime_ns)
        digest.update(meaning.encode())
    return digest.hexdigest()


def dependencies(script: Path | str) -> list[Path]:
    """Return the files of this package that a script imports, directly or not, sorted."""
    found: set[Path] = set()
    pending = [Path(script)]
    while pending:
        path = pending.pop()
        _, imports = _read(path, path.stat().st_mtime_ns)
        pending += imports - found
        found |= imports
    return sorted(found)


@cache
def _read(path: Path, mtime_ns: int) -> tuple[str, frozenset[Path]]:
    """The syntax tree of a file as text, without docstrings, and the files of ours it imports.

    Both from one parse: every start of Snakemake, and with it every job of a cluster, pays for it.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    names: set[str] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            del body[0]
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return ast.dump(tree), frozenset(file for name in names for file in _module_files(name))


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _module_files(name: str) -> list[Path]:
    """The files that importing a dotted name runs: the module and its parent packages."""
    top, *parts = name.split(".")
    if top != PACKAGE.name:
        return []
    files, folder = [PACKAGE / "__init__.py"], PACKAGE
    for part in parts:
        if (folder / f"{part}.py").is_file():
            return [*files, folder / f"{part}.py"]
        folder = folder / part
        if not (folder / "__init__.py").is_file():
            break  # an attribute of the module before it
        files.append(folder / "__init__.py")
    return files


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """Return the commit of the source tree, with `-dirty` if it was edited, else `unknown`.

    What lies under `results/` is no source: publishing a study edits it.
    """
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        edited = _git(
            "status", "--porcelain", "--untracked-files=no", ":(top)", ":(top,exclude)results"
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{head}-dirty" if edited else head


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    result = subprocess.run(
        command, cwd=PACKAGE, check=True, capture_output=True, text=True, timeout=30
    )
    return result.stdout.strip()
