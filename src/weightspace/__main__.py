"""The command line: `python -m weightspace import | export | info | render`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from weightspace.dataset.interchange.state_dicts import read_state_dicts, write_state_dicts
from weightspace.dataset.interchange.summary import summary
from weightspace.dataset.interchange.tensors_file import (
    holds_set,
    read_safetensors,
    write_safetensors,
)
from weightspace.failures import clear_message
from weightspace.store import StoreError, read_header, read_inrs, write_inrs

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; bad input is one line on stderr and status 2."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # who read it has had enough, as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if (message := clear_message(error)) is None:
            raise
        print(f"weightspace {given.command}: {' '.join(message.split())}", file=sys.stderr)
        return 2
    return 0


def _import(given: argparse.Namespace) -> None:
    names = ("dataset", "classes", "shape", "omega_0", "output_offset", "output_scale", "axes")
    stated = {name: getattr(given, name) for name in (*names, "view_part", "split_points")}
    stated = {name: value for name, value in stated.items() if value is not None}
    _check_out(given.out, "an HDF5 file of weightspace", _holds_networks)
    if given.source.suffix == ".safetensors":
        if stated:
            raise ValueError(f"a safetensors file says all itself: leave out {', '.join(stated)}")
        inrs = read_safetensors(given.source)
    else:
        inrs = read_state_dicts(given.source, progress=_progress("files"), **stated)
    write_inrs(given.out, inrs)
    print(summary(given.out))


def _export(given: argparse.Namespace) -> None:
    suffix = "safetensors" if given.out.suffix == ".safetensors" else "pth"
    if (given.format or suffix) == "safetensors":
        _check_out(given.out, "a safetensors file of weightspace", holds_set)
        inrs = read_inrs(given.file)
        write_safetensors(given.out, inrs)
    else:
        inrs = read_inrs(given.file)
        write_state_dicts(given.out, inrs, progress=_progress("files"))
    print(f"{given.out}: {len(inrs.weights)} networks")


def _info(given: argparse.Namespace) -> None:
    print(summary(given.file))


def _render(given: argparse.Namespace) -> None:
    # Here, for matplotlib takes longer to import than the other commands to run.
    from weightspace.report.figures.one_object import object_figure
    from weightspace.report.saving import save_figure

    if given.out.is_dir():
        raise ValueError(f"{given.out} is a folder: name the picture in it, as {given.out}/x.png")
    if given.out.exists() and given.out.samefile(given.file):
        raise ValueError(f"{given.out} is the file of the networks: give another name")
    save_figure(object_figure(given.file, given.object, given.view), [given.out])
    print(given.out)


def _check_out(out: Path, kind: str, is_kind: Callable[[Path], bool]) -> None:
    """Refuse to replace what is not of a kind: it may be the set itself, or another's file."""
    if out.exists() and not is_kind(out):
        raise ValueError(
            f"{out} is there and is not {kind}, which alone would be replaced: give another name, "
            f"or take it away"
        )


def _holds_networks(path: Path) -> bool:
    try:
        read_header(path)
    except StoreError:
        return False
    return True


def _progress(what: str) -> Callable[[int, int], None] | None:
    """A line on stderr that is written over, where someone watches."""
    if not sys.stderr.isatty():
        return None

    def report(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            end = "\n" if done == total else "\r"
            print(f"{done}/{total} {what}", end=end, file=sys.stderr, flush=True)

    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="weightspace", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("import", help="a set of others to one HDF5 file")
    add.set_defaults(run=_import)
    add.add_argument("source", type=Path, help="folder, splits file or .safetensors file")
    add.add_argument("out", type=Path, help="HDF5 file to write")
    add.add_argument("--dataset", help="name of the set (default: the folder's)")
    add.add_argument("--classes", nargs="+", metavar="NAME", help="names of the classes, in order")
    add.add_argument(
        "--shape", nargs="+", type=int, metavar="N", help="points of the grid: H W, or more"
    )
    add.add_argument("--omega-0", type=float, help="frequency of every sine (default: 30)")
    add.add_argument("--output-offset", type=float, help="added to every output (default: 0.5)")
    add.add_argument(
        "--output-scale", type=float, help="multiplies every output (NFN: 0.5, else 1)"
    )
    add.add_argument("--axes", choices=("ij", "xy"), help="order of the inputs (NFN: ij, else xy)")
    add.add_argument("--view-part", type=_view_part, help="place of the view's folder, or none")
    add.add_argument(
        "--split-points", nargs=2, type=int, metavar=("VAL", "TEST"), help="of an NFN set"
    )
    out = commands.add_parser("export", help="an HDF5 file to a set of others")
    out.set_defaults(run=_export)
    out.add_argument("file", type=Path, help="HDF5 file")
    out.add_argument("out", type=Path, help="new folder, or .safetensors file")
    out.add_argument("--format", choices=("pth", "safetensors"), help="default: by the name")
    info = commands.add_parser("info", help="what an HDF5 file holds")
    info.set_defaults(run=_info)
    info.add_argument("file", type=Path, help="HDF5 file")
    draw = commands.add_parser("render", help="a picture of what the networks of an object show")
    draw.set_defaults(run=_render)
    draw.add_argument("file", type=Path, help="HDF5 file")
    draw.add_argument("--object", type=int, metavar="ID", help="see info (default: the first)")
    draw.add_argument("--view", type=int, metavar="V", help="one view (default: all)")
    draw.add_argument("--out", type=Path, required=True, help="file to write, .png or .pdf")
    return parser


def _view_part(text: str) -> int | str:
    return text if text == "none" else int(text)


if __name__ == "__main__":
    sys.exit(main())
