"""Download over HTTP: goes on where an earlier attempt stopped."""

import http.client
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from urllib.request import Request, urlopen

from weightspace.atomic import replacing
from weightspace.data.checksums import ChecksumError, DataFile, verify
from weightspace.data.tarball import Unpack, place
from weightspace.data.unpack import gunzip
from weightspace.failures import ADVICE

__all__ = ["DownloadError", "FileAtUrl", "GzipAtUrl", "TarAtUrl", "download"]

_CHUNK = 1 << 18
_RANGE_NOT_SATISFIABLE = 416
_SLACK = 1 << 16  # by how much a .gz may exceed its content


class DownloadError(ValueError):
    """A server that cannot be reached, or sends something else than was asked."""


@dataclass(frozen=True)
class GzipAtUrl:
    """A source: each file as `{url}/{name}.gz`.

    Attributes:
        url: the folder, without a trailing slash.
        timeout: how long to wait for a connection, and for each piece, in seconds; short, so
            that a machine without internet gets to the next source at once.
    """

    url: str
    timeout: float = 10.0

    @property
    def title(self) -> str:
        """The place, for messages."""
        return self.url

    def __call__(
        self, files: list[DataFile], directory: Path, *, progress: Callable[[int, int], None]
    ) -> None:
        """Put each of `files` into `directory`, decompressed and verified.

        Raises:
            DownloadError: if a download fails; what has come stays in a `.part` file.
            ChecksumError: if the content is not the published one; the `.part` file is removed.
            UnpackError: if an archive is damaged; the `.part` file is removed.
        """
        done, total = 0, sum(file.size for file in files)
        for file in files:

            def report(n: int, of: int, before: int = done, size: int = file.size) -> None:
                progress(before + size * n // of, total)

            self._get(file, directory, report)
            done += file.size

    def _get(self, file: DataFile, directory: Path, report: Callable[[int, int], None]) -> None:
        """Download, unpack and verify one file."""
        name = f"{file.name}.gz"
        url, part = f"{self.url}/{name}", directory / f"{name}.part"
        limit = file.size + _SLACK
        download(url, part, limit=limit, timeout=self.timeout, progress=report)
        try:
            with replacing(directory / file.name) as target, part.open("rb") as compressed:
                gunzip(compressed, target, size=file.size)
                verify(target, file, url)
        except ValueError:  # damaged or not the published one; else it need not come again
            part.unlink()
            raise
        part.unlink()


@dataclass(frozen=True)
class TarAtUrl:
    """A source: all files in one tar archive.

    Attributes:
        url: the archive.
        unpack: how the files lie in it.
        limit: the most bytes to download.
        timeout: as of `GzipAtUrl`.
    """

    url: str
    unpack: Unpack
    limit: int
    timeout: float = 10.0

    @property
    def title(self) -> str:
        """The place, for messages."""
        return self.url

    def __call__(
        self, files: list[DataFile], directory: Path, *, progress: Callable[[int, int], None]
    ) -> None:
        """Put each of `files` into `directory`, decompressed and verified.

        Raises:
            DownloadError: if the download fails; what has come stays in a `.part` file.
            ChecksumError: if the content is not the published one; the `.part` file is removed.
            UnpackError: if the archive is damaged; the `.part` file is removed.
        """
        part = directory / f"{self.url.rsplit('/', 1)[-1]}.part"
        total = sum(file.size for file in files)

        def report(n: int, of: int) -> None:
            progress(total * n // of, total)

        download(self.url, part, limit=self.limit, timeout=self.timeout, progress=report)
        try:
            place(part, self.unpack, files, directory, origin=self.url, progress=lambda *_: None)
        except ValueError:
            part.unlink()
            raise
        part.unlink()


@dataclass(frozen=True)
class FileAtUrl:
    """A source: the one file of a dataset, as it lies there.

    Attributes:
        url: the file.
        timeout: as of `GzipAtUrl`.
    """

    url: str
    timeout: float = 10.0

    @property
    def title(self) -> str:
        """The place, for messages."""
        return self.url

    def __call__(
        self, files: list[DataFile], directory: Path, *, progress: Callable[[int, int], None]
    ) -> None:
        """Put the file into `directory`, verified.

        Raises:
            DownloadError: if the download fails; what has come stays in a `.part` file.
            ChecksumError: if the content is not what it should be; the `.part` file is removed.
        """
        (file,) = files
        part = directory / f"{file.name}.part"

        def report(n: int, of: int) -> None:
            progress(file.size * n // of, file.size)

        download(self.url, part, limit=file.size, timeout=self.timeout, progress=report)
        try:
            verify(part, file, self.url)
        except ChecksumError:
            part.unlink()
            raise
        part.replace(directory / file.name)


def download(
    url: str,
    part: Path,
    *,
    limit: int,
    timeout: float,
    progress: Callable[[int, int], None],
) -> None:
    """Bring a file to its full length, starting behind the bytes that are there.

    Args:
        url: what to download.
        part: the file, or what an earlier attempt left of it.
        limit: the most bytes to accept.
        timeout: for the connection and each piece, in seconds.
        progress: called with the bytes there and the bytes in total.

    Raises:
        DownloadError: if the server fails or stops early; `part` keeps what has come.
        OSError: if `part` cannot be written; it keeps what has come.
    """
    start = part.stat().st_size if part.exists() else 0
    try:
        with urlopen(Request(url, headers=_range(start)), timeout=timeout) as response:
            resumed = response.status == http.client.PARTIAL_CONTENT
            start = start if resumed else 0
            total = _total(response, start)
            with part.open("ab" if resumed else "wb") as out:
                _copy(response, out, start, total, limit, progress)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != _RANGE_NOT_SATISFIABLE or not start:
                raise DownloadError(f"{url}: HTTP {error.code} {error.reason}") from error
            whole = error.headers.get("Content-Range") == f"bytes */{start}"
        if not whole:
            part.unlink()
            download(url, part, limit=limit, timeout=timeout, progress=progress)
    except (OSError, http.client.HTTPException) as error:
        if (
            isinstance(error, OSError) and error.errno in ADVICE
        ):  # the disk, not the server: no other helps
            error.filename = str(part)
            raise
        raise DownloadError(f"{url}: {getattr(error, 'reason', error)}") from error
    except DownloadError as error:
        raise DownloadError(f"{url}: {error}") from None


def _range(start: int) -> dict[str, str]:
    """The header that asks for the bytes from `start` on."""
    return {"Range": f"bytes={start}-"} if start else {}


def _total(response: http.client.HTTPResponse, start: int) -> int | None:
    """The length of the whole file, None if the server does not say."""
    answered = response.headers.get("Content-Range", "")
    if start and not answered.startswith(f"bytes {start}-"):
        raise DownloadError(f"asked for the bytes from {start} on, the server sent {answered!r}")
    length = response.headers.get("Content-Length")
    return None if length is None else start + int(length)


def _copy(
    response: http.client.HTTPResponse,
    out: BufferedIOBase,
    done: int,
    total: int | None,
    limit: int,
    progress: Callable[[int, int], None],
) -> None:
    """Append the answer to `out`; refuse one that is too long or stops early."""
    while chunk := response.read(_CHUNK):
        done += len(chunk)
        if done > limit:
            raise DownloadError(f"the file is longer than the {limit} bytes expected")
        out.write(chunk)
        progress(done, total or limit)
    if total is not None and done < total:
        raise DownloadError(f"the connection ended after {done} of {total} bytes")
