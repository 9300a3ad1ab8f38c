"""The splits.json of a set: which files are in which split, and what it says of each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from weightspace.atomic import replacing
from weightspace.dataset.interchange.listing import InterchangeError, Listing, as_label
from weightspace.dataset.interchange.sidecar import plain_column
from weightspace.dataset.interchange.views import ViewPart, object_ids, views_by_folder
from weightspace.once import once

__all__ = ["find_splits_file", "read_splits_file", "write_splits_file"]

# The columns beside path and label that our own export adds; other readers ignore them.
_COLUMNS = ("object_id", "view", "seed", "psnr", "attempts", "steps")
# How files begin that are no splits file, and what they are.
_KINDS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, which needs no import if weightspace wrote it",
    b"PK\x03\x04": "one .pth file or a zip archive",
    b"\x80": "one .pth file",
}
_LONGEST_PATH, _LONGEST_NAME = 4095, 255  # bytes, of Linux; others allow no more


def find_splits_file(source: Path) -> Path | None:
    """The JSON file itself, or the splits.json or only *splits.json of a folder, or None.

    Raises:
        InterchangeError: if there are several to choose from.
    """
    if source.is_file():
        return source
    if (usual := source / "splits.json").is_file():
        return usual
    found = sorted(source.glob("*splits.json"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise InterchangeError(f"{source} holds {names}: give the path of the one to be read")
    return found[0] if found else None


def read_splits_file(path: Path, *, view_part: ViewPart = None) -> Listing:
    """Read `{split: {"path": [...], "label": [...]}}` or `{split: [path, ...]}`.

    The first is of DWSNets, the second of its multi-view sets, whose files say the labels.
    Paths are relative to the folder of the file. An absolute path, as the published scripts
    write it, is taken from where its end is found in that folder, all by the same beginning.

    Args:
        path: the JSON file.
        view_part: see `views_by_folder`.

    Returns:
        The networks of all splits, in the order of the file.

    Raises:
        InterchangeError: if the file is of another form, or a path leads out of the folder or
            to no file.
    """
    splits = {name: _split(path, name, value) for name, value in _json(path).items()}
    lengths = {name: len(split["path"]) for name, split in splits.items()}
    paths = _inside(path, [p for split in splits.values() for p in split["path"]])
    names = [name for name, length in lengths.items() for _ in range(length)]
    _check_once(path, paths, names)
    _check_exist(path, paths)
    columns = _columns(path, splits)
    labels = [
        None if label is None else as_label(label, f"{path}: the label of {p}")
        for p, label in zip(paths, (x for s in splits.values() for x in s["label"]), strict=True)
    ]
    if {"object_id", "view"} <= set(columns):
        if view_part is not None:
            raise InterchangeError(
                f"{path} says the object_id and the view of each file: leave out view_part"
            )
        views, objects = columns.pop("view"), [str(i) for i in columns["object_id"]]
    else:
        objects, views = views_by_folder(paths, view_part=view_part, labelled=None not in labels)
        columns = {**columns, "object_id": object_ids(objects)}
        columns.pop("view", None)
    return Listing(path.parent, path, "dws", paths, names, labels, objects, views, columns)


def write_splits_file(path: Path, paths: Sequence[str], columns: Mapping[str, np.ndarray]) -> None:
    """Write the first of the forms that `read_splits_file` reads, with all columns.

    Args:
        path: the JSON file, at the root of the set.
        paths: of the networks, relative to its folder.
        columns: of the networks, as of an `InrSet`.

    Raises:
        OSError: if it cannot be written.
    """
    lists = {name: plain_column(columns[name]) for name in ("label", *_COLUMNS)}
    content: dict[str, dict[str, list[Any]]] = {}
    for i, split in enumerate(columns["split"].tolist()):
        entry = content.setdefault(split, {name: [] for name in ("path", *lists)})
        entry["path"].append(paths[i])
        for name, values in lists.items():
            entry[name].append(values[i])
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _text(path: Path) -> str:
    """The text of a splits file; what else a user may take for one is called by its name."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InterchangeError(
            f"{path} cannot be read ({error.strerror}): check the path"
        ) from error
    kind = next((kind for start, kind in _KINDS.items() if raw.startswith(start)), None)
    try:
        if kind is None:
            return raw.decode()
    except UnicodeDecodeError:
        kind = "no text in UTF-8"
    raise InterchangeError(
        f"{path} is {kind}; expected the folder of a set, its splits file in JSON, or a file named "
        f".safetensors: give one of these"
    )


def _json(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        content = json.loads(text, object_pairs_hook=once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InterchangeError(f"{path} is not JSON ({error}): mend it or write it anew") from error
    except ValueError as error:
        raise InterchangeError(f"{path}: {error}: mend it or write it anew") from error
    if not isinstance(content, dict):
        raise InterchangeError(
            f"{path} holds a {type(content).__name__}; expected an object of splits, as "
            f'{{"train": {{"path": [...], "label": [...]}}, ...}}'
        )
    return content


def _split(path: Path, name: str, value: Any) -> dict[str, list[Any]]:
    """One split as lists of equal length; the labels are None where the file has none."""
    if not name.isidentifier():
        raise InterchangeError(f"{path}: {name!r} cannot name a split; use letters, digits and '_'")
    split = {"path": value} if isinstance(value, list) else value
    if not isinstance(split, dict) or not isinstance(split.get("path"), list):
        raise InterchangeError(
            f'{path}: the split {name!r} is neither a list of paths nor {{"path": [...], '
            f'"label": [...]}}'
        )
    split = {key: split[key] for key in ("path", "label", *_COLUMNS) if key in split}
    for key, values in split.items():
        if not isinstance(values, list) or len(values) != len(split["path"]):
            raise InterchangeError(
                f"{path}: {key!r} of the split {name!r} is not a list of "
                f"{len(split['path'])}, one for each path"
            )
    return {"label": [None] * len(split["path"]), **split}


def _inside(source: Path, paths: Sequence[Any]) -> list[str]:
    """The paths relative to the folder of the file; none may lead out of it."""
    pure: list[PurePosixPath] = []
    for value in paths:
        if not isinstance(value, str) or not value or "\0" in value:
            raise InterchangeError(f"{source}: {value!r} is not the path of a file")
        raw = value.encode(errors="replace")
        if len(raw) > _LONGEST_PATH or max(map(len, raw.split(b"/"))) > _LONGEST_NAME:
            raise InterchangeError(
                f"{source} names {value[:40]}..., which is longer than the name of a file can be: "
                f"mend it"
            )
        pure.append(PurePosixPath(value))
        if ".." in pure[-1].parts:
            raise _escape(source, value)
    absolute = (p for p in pure if p.is_absolute())
    beginning = next((b for p in absolute if (b := _beginning(source, p))), None)
    relative = []
    for p in pure:
        if p.is_absolute():
            if beginning is None or not p.is_relative_to(beginning):
                raise _escape(source, str(p))
            p = p.relative_to(beginning)
        relative.append(str(p))
    return relative


def _beginning(source: Path, path: PurePosixPath) -> PurePosixPath | None:
    """The shortest beginning of an absolute path whose rest is in the folder of the file."""
    for parent in reversed(path.parents):
        if (source.parent / path.relative_to(parent)).is_file():
            return parent
    return None


def _escape(source: Path, path: str) -> InterchangeError:
    return InterchangeError(
        f"{source} names {path}, which does not lie in the folder {source.parent}: put the "
        f"splits file at the root of the set and name files below it"
    )


def _check_once(source: Path, paths: Sequence[str], splits: Sequence[str]) -> None:
    """Refuse a file that is listed twice: what is tested on may have been trained on."""
    first: dict[str, str] = {}
    for path, split in zip(paths, splits, strict=True):
        if path in first:
            raise InterchangeError(
                f"{source} names {path} twice, in the splits {first[path]!r} and {split!r}: "
                f"name each file once"
            )
        first[path] = split


def _check_exist(source: Path, paths: Sequence[str]) -> None:
    missing = [path for path in paths if not (source.parent / path).is_file()]
    if missing:
        raise InterchangeError(
            f"{source} names {len(paths)} files, of which {len(missing)} are missing, the first "
            f"{missing[0]}: unpack the whole set, or take them out of the list"
        )


def _columns(path: Path, splits: dict[str, dict[str, list[Any]]]) -> dict[str, list[Any]]:
    """The further columns; each must be there for all splits, and hold numbers."""
    columns: dict[str, list[Any]] = {}
    for key in _COLUMNS:
        having = [name for name, split in splits.items() if key in split]
        if not having:
            continue
        if len(having) < len(splits):
            raise InterchangeError(
                f"{path}: only the splits {having} have {key!r}; give it for all or for none"
            )
        try:
            kind = float if key == "psnr" else _whole
            columns[key] = [kind(x) for split in splits.values() for x in split[key]]
        except (TypeError, ValueError, OverflowError) as error:
            raise InterchangeError(f"{path}: {key!r} must hold numbers ({error})") from error
    return columns


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    return value
