"""Which files a folder holds: one subfolder per class, perhaps within `train` and `test`."""

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from weightspace.data.pictures import SUFFIXES

__all__ = ["PICTURES", "FolderError", "Kind", "Listed", "folder_state", "list_folder"]

TEST_SHARE = 0.2  # of every class, where the folder has no `train` and `test`
_SHOWN = 5  # how many names a message lists


class FolderError(ValueError):
    """A folder of pictures or meshes that lies otherwise, or has files that cannot be used."""


@dataclass(frozen=True)
class Kind:
    """A kind of files: what one and many of them are called, and the suffixes that tell them."""

    one: str
    many: str
    suffixes: Collection[str]


PICTURES = Kind("picture", "pictures", SUFFIXES)


@dataclass(frozen=True)
class Listed:
    """One file: its path, its class and its official split, "train" or "test"."""

    path: Path
    class_name: str
    split: str


def list_folder(root: Path, kind: Kind = PICTURES) -> list[Listed]:
    """List the files of a kind in a folder, sorted by class and name.

    If the folder has `train` and `test`, with the same classes in both, these are the official
    splits, and training comes first. Otherwise a fifth of every class becomes the test split:
    the files whose names have the lowest digests, which is as good as chance and hardly
    changes when files are added.

    The files are told by their suffix; hidden and other ones do not count.

    Raises:
        FolderError: if the folder is missing, lies otherwise, or has too few classes or
            files; the message names the folder.
    """
    if not root.is_dir():
        raise FolderError(f"{root} is not a folder; it must have one subfolder per class")
    parts = _folders(root)
    official = {"train", "test"} <= set(parts)
    _refuse_misplaced(root, kind, depth=2 if official else 1)
    if not official:
        classes = _classes(root, kind)
        return [item for name, paths in classes.items() for item in _cut(name, paths, kind)]
    if others := sorted(set(parts) - {"train", "test"}):
        raise FolderError(
            f"{root} has {_some(others)} beside train and test; put what is to be trained or "
            "validated on into train, and take the rest away"
        )
    train, test = _classes(root / "train", kind), _classes(root / "test", kind)
    if differing := sorted(train.keys() ^ test.keys()):
        raise FolderError(
            f"{root / 'train'} and {root / 'test'} must have the same classes; "
            f"only one of them has {_some(differing)}"
        )
    return [
        Listed(path, name, split)
        for split, classes in (("train", train), ("test", test))
        for name, paths in classes.items()
        for path in paths
    ]


def folder_state(root: Path, kind: Kind = PICTURES) -> str:
    """Digest the names, sizes and times of the files of a kind, to tell when they change."""
    digest = blake2b(digest_size=12)
    for path in _files_below(root, kind):
        status = (root / path).stat()
        digest.update(os.fsencode(path) + f" {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _classes(folder: Path, kind: Kind) -> dict[str, list[Path]]:
    """The files of every class, both sorted."""
    classes = {name: _files(folder / name, kind) for name in _folders(folder)}
    if empty := [name for name, paths in classes.items() if not paths]:
        raise FolderError(
            f"{folder} has classes without a {kind.one}: {_some(empty)}"
            f"{_other_files(folder / empty[0], kind)}; add {kind.many} or remove the folders"
        )
    if len(classes) < 2:
        found = f"only {next(iter(classes))}" if classes else f"none{_other_files(folder, kind)}"
        raise FolderError(
            f"{folder} must have one subfolder per class, two classes or more; it has {found}"
        )
    return classes


def _cut(name: str, paths: list[Path], kind: Kind) -> list[Listed]:
    """The files of one class, a fifth of them for the test."""
    if len(paths) < 2:
        raise FolderError(
            f"class {name} in {paths[0].parents[1]} has one {kind.one}; it needs two, one to train "
            "on and one to test on"
        )
    ranked = sorted(paths, key=lambda path: blake2b(os.fsencode(path.name)).digest())
    test = set(ranked[: max(1, round(TEST_SHARE * len(paths)))])
    return [Listed(path, name, "test" if path in test else "train") for path in paths]


def _folders(folder: Path) -> list[str]:
    """The names of the subfolders that are not hidden, sorted."""
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if foreign := [name for name in names if not _is_text(name)]:
        raise FolderError(
            f"{folder} has a subfolder whose name is no text in UTF-8: {foreign[0]!r}; rename it, "
            "for it names a class"
        )
    return names


def _is_text(name: str) -> bool:
    """Whether a name can be written; what is not UTF-8 in it, Python has as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _files(folder: Path, kind: Kind) -> list[Path]:
    """The files of a kind directly in a folder, sorted by name."""
    return sorted((p for p in folder.iterdir() if _is(p, kind)), key=lambda p: p.name)


def _files_below(root: Path, kind: Kind) -> list[Path]:
    """The files of a kind at any depth, relative to `root`, but for those in hidden folders."""
    found, seen = [], set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in seen else [f for f in folders if not f.startswith(".")]
        found += [Path(folder, name) for name in files] if real not in seen else []
        seen.add(real)  # a link may lead back
    return sorted(path.relative_to(root) for path in found if _is(path, kind))


def _is(path: Path, kind: Kind) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in kind.suffixes and path.is_file()


def _refuse_misplaced(root: Path, kind: Kind, *, depth: int) -> None:
    """Refuse files that do not lie directly in the folder of a class, `depth` below `root`."""
    if wrong := [str(p) for p in _files_below(root, kind) if len(p.parts) != depth + 1]:
        raise FolderError(
            f"{root} has {kind.many} in the wrong place: {_some(wrong)}; every {kind.one} must "
            "lie directly in the folder of its class, and the folders of the classes "
            "side by side or within both train and test"
        )


def _other_files(folder: Path, kind: Kind) -> str:
    """What there is in a folder in place of the files of a kind, in brackets."""
    found = Counter(p.suffix.lower() or p.name for p in folder.iterdir() if p.is_file())
    if not found:
        return ""
    listed = ", ".join(f"{n} {suffix}" for suffix, n in found.most_common(_SHOWN))
    return f" (files that are no {kind.many} or hidden: {listed})"


def _some(names: list[str]) -> str:
    """The first few names."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
