"""Sets of per-network state_dict files: read to one `InrSet`, and written from one."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from weightspace.dataset.assemble import with_statistics
from weightspace.dataset.interchange.convention import (
    CONVENTIONS,
    Convention,
    from_house,
    to_house,
)
from weightspace.dataset.interchange.labels import agreed_labels, numbered_labels
from weightspace.dataset.interchange.listing import InterchangeError, Listing, is_text
from weightspace.dataset.interchange.networks import read_networks
from weightspace.dataset.interchange.new_folder import new_folder
from weightspace.dataset.interchange.nfn_folders import read_nfn_folders
from weightspace.dataset.interchange.sidecar import Sidecar, read_sidecar, write_sidecar
from weightspace.dataset.interchange.splits_file import (
    find_splits_file,
    read_splits_file,
    write_splits_file,
)
from weightspace.dataset.interchange.state_dict import write_network
from weightspace.dataset.interchange.views import ViewPart
from weightspace.inr_set import COLUMNS, Header, InrSet, empty_columns

__all__ = ["read_state_dicts", "write_state_dicts"]

# The pictures of the published sets, by the number of outputs of their networks.
_SHAPES = {1: (28, 28), 3: (32, 32)}
# Of a fit of which nothing is known. 0 steps tell its psnr from a measured one.
_UNKNOWN = {"seed": 0, "psnr": 0.0, "attempts": 1, "steps": 0}
_MOST_POINTS = 2**30


def read_state_dicts(
    source: Path | str,
    *,
    dataset: str | None = None,
    classes: Sequence[str] | None = None,
    shape: Sequence[int] | None = None,
    omega_0: float | None = None,
    output_offset: float | None = None,
    output_scale: float | None = None,
    axes: str | None = None,
    view_part: ViewPart = None,
    split_points: Sequence[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> InrSet:
    """Read a DWSNets, a multi-view or an NFN set, or one of `write_state_dicts`.

    The networks come out as ours: `siren` with the header's omega_0 and output_offset renders
    pictures upright on the header's grid. What the files do not say is taken from the arguments,
    then from the weightspace.json of our own exports, then from the published convention. A
    fit of which nothing is known has seed 0, psnr 0 dB, attempts 1 and steps 0. Views count
    from 0: of a set whose lowest view is another one, that is taken from all; our own exports
    keep their numbers.

    Args:
        source: the folder of the set, or its splits file.
        dataset: the name of the set; None takes the folder's.
        classes: the names of the classes, all different, see `numbered_labels`.
        shape: the points of the grid on each axis; None takes, of two inputs, 28 x 28 for one
            output and 32 x 32 for three. Other sets than ours need it for other inputs.
        omega_0: the frequency of every sine; see `Convention`, also for the next three.
        output_offset: added to every output.
        output_scale: multiplies every output.
        axes: of the two inputs, `ij` or `xy`.
        view_part: which folder is the view; see `views_by_folder`.
        split_points: of a set without splits file; see `read_nfn_folders`.
        progress: called with the number of files read and in all.

    Returns:
        All networks, sorted by (object_id, view), with the statistics of each split.

    Raises:
        InterchangeError: if the set is not whole and of one kind, with the name of the file; or
            if an argument cannot be, or would decide nothing.
    """
    _check_names(dataset, classes)
    listing = _listing(Path(source), view_part, split_points).in_order()
    own = read_sidecar(listing.root)
    listing = listing if own else listing.from_view_0()
    w, inside = read_networks(listing, progress)
    stated = {
        "omega_0": omega_0,
        "output_offset": output_offset,
        "output_scale": output_scale,
        "axes": axes,
    }
    usual = own.convention if own else _usual(listing.convention, w.layer_layout[0])
    convention = replace(usual, **{name: x for name, x in stated.items() if x is not None})
    labels, classes = numbered_labels(
        agreed_labels(listing, inside), own.header.classes if own and classes is None else classes
    )
    if own and shape is not None and "signal" in own.header.coords:
        raise InterchangeError(
            f"{listing.source} holds networks of shapes, fitted at points of no grid, and the "
            f"shape {tuple(shape)} is stated: leave it out"
        )
    header = own.header if own else _header(listing, convention, w.layer_layout, shape)
    header = replace(
        header,
        dataset=header.dataset if dataset is None else dataset,
        classes=classes,
        coords=header.coords if shape is None else _coords(listing, w.layer_layout, shape),
        omega_0=convention.omega_0,
        output_offset=convention.output_offset,
    )
    try:
        networks, columns = to_house(w, convention), _columns(listing, labels)
        inrs = InrSet(header, networks, columns, own.failures if own else empty_columns())
    except InterchangeError:
        raise
    except (ValueError, OverflowError) as error:
        raise InterchangeError(f"{listing.source} does not make a set: {error}") from error
    return with_statistics(inrs)


def write_state_dicts(
    directory: Path | str,
    inrs: InrSet,
    *,
    convention: Convention | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `view_<view>/<label>/<object_id>.pth`, splits.json and weightspace.json.

    The folder appears when all is written. Readers of DWSNets
    take its `path` and `label`; ours takes all, so that reading it back gives the same set bit
    by bit, if omega_0 and output_offset are those of the convention; else equal signals.

    Args:
        directory: the folder, new or empty.
        inrs: the networks.
        convention: how the files are to be evaluated; None takes that of DWSNets.
        progress: called with the number of files written and in all.

    Raises:
        InterchangeError: if the folder is not empty, or the convention does not fit.
        OSError: if a file cannot be written.
    """
    header, columns = inrs.header, inrs.columns
    if convention is None:
        convention = _usual("dws", header.layer_layout[0])
    w = from_house(
        inrs.weights.to("cpu"),
        omega_0=header.omega_0,
        output_offset=header.output_offset,
        convention=convention,
    )
    keys = (columns[name].tolist() for name in ("view", "label", "object_id"))
    paths = [f"view_{view}/{label}/{i}.pth" for view, label, i in zip(*keys, strict=True)]
    header = replace(header, omega_0=convention.omega_0, output_offset=convention.output_offset)
    with new_folder(Path(directory)) as root:
        for i, path in enumerate(paths):
            label = int(columns["label"][i])
            write_network(root / path, [x[i] for x in w.weights], [x[i] for x in w.biases], label)
            if progress is not None:
                progress(i + 1, len(paths))
        write_sidecar(root, Sidecar(convention, header, inrs.failures))
        write_splits_file(root / "splits.json", paths, columns)


def _check_names(dataset: str | None, classes: Sequence[str] | None) -> None:
    for name in (*([] if dataset is None else [dataset]), *(classes or ())):
        if not name.strip() or not is_text(name):
            raise InterchangeError(
                f"{name!r} cannot be the name of a set or class: give some text in UTF-8"
            )
    if twice := [name for i, name in enumerate(classes or ()) if name in (classes or ())[:i]]:
        raise InterchangeError(f"the class {twice[0]!r} is named twice: name each once")


def _listing(source: Path, view_part: ViewPart, split_points: Sequence[int] | None) -> Listing:
    if not source.exists():
        raise InterchangeError(f"{source} does not exist: give the folder of an unpacked set")
    if (splits_file := find_splits_file(source)) is not None:
        if split_points is not None:
            raise InterchangeError(f"{splits_file} says the splits: leave out split_points")
        return read_splits_file(splits_file, view_part=view_part)
    if (listing := read_nfn_folders(source, split_points=split_points)) is not None:
        if view_part is not None:
            raise InterchangeError(f"{source} has views by its names: leave out view_part")
        return listing
    raise InterchangeError(
        f"{source} holds neither splits.json nor folders as 'randinit_smaller_0s' of an NFN set: "
        f"give the root of an unpacked set, or write a splits.json into it"
    )


def _usual(name: str, d_in: int) -> Convention:
    """A published convention; its axes concern networks of two inputs only."""
    convention = CONVENTIONS[name]
    return convention if d_in == 2 else replace(convention, axes="ij")


def _header(
    listing: Listing, convention: Convention, layout: tuple[int, ...], shape: Sequence[int] | None
) -> Header:
    """Of a set of others; its classes are filled in by the caller."""
    if shape is None and layout[0] == 2:
        shape = _SHAPES.get(layout[-1])
    return Header(
        dataset=listing.root.resolve().name.encode(errors="replace").decode(),
        layer_layout=layout,
        omega_0=convention.omega_0,
        output_offset=convention.output_offset,
        coords=_coords(listing, layout, shape),
        classes=(),
        commit="unknown",
        config={"imported": {"as": listing.convention, **asdict(convention)}},
    )


def _coords(
    listing: Listing, layout: tuple[int, ...], shape: Sequence[int] | None
) -> dict[str, object]:
    if shape is not None and math.prod(shape) > _MOST_POINTS:
        raise InterchangeError(
            f"the shape {tuple(shape)} has {math.prod(shape):.1e} points, more than "
            f"{_MOST_POINTS:.1e}: state that of the pictures that were fitted"
        )
    if shape is None or len(shape) != layout[0] or min(shape) < 2:
        raise InterchangeError(
            f"{listing.source}: networks of the widths {layout} need a grid of {layout[0]} axes "
            f"of two points or more, and the shape is {shape}: state another one"
        )
    return {"shape": list(shape), "range": [-1.0, 1.0], "order": "C", "axes": "ij"}


def _columns(listing: Listing, labels: np.ndarray) -> dict[str, np.ndarray]:
    n = len(listing.paths)
    known = {"view": listing.views, "label": labels, "split": listing.splits, **listing.columns}
    for name, values in known.items():
        _check_range(listing, name, values)
    unknown = {name: [value] * n for name, value in _UNKNOWN.items()}
    return {name: np.array({**unknown, **known}[name], dtype) for name, dtype in COLUMNS.items()}


def _check_range(listing: Listing, name: str, values: Sequence[Any] | np.ndarray) -> None:
    """Refuse numbers that the type of their column cannot hold."""
    kind = COLUMNS[name]
    if issubclass(kind, np.integer):
        most = np.iinfo(kind).max
    elif issubclass(kind, np.floating):
        most = float(np.finfo(kind).max)
    else:
        return
    for path, value in zip(listing.paths, values, strict=True):
        if most < abs(value) < math.inf:
            raise InterchangeError(
                f"{listing.source}: the {name} of {path} is out of range, which ends at {most}: "
                f"mend it"
            )
