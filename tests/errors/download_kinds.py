"""What a server sends in place of a dataset, served from files of the working directory."""

import gzip
import io
import tarfile
from pathlib import Path

from ways import Met, kind, script

from weightspace.data import sources
from weightspace.data.checksums import DataFile
from weightspace.data.tarball import Members
from weightspace.data.web import FileAtUrl, GzipAtUrl, TarAtUrl

CONTENT = b"published content"
FILE = DataFile("numbers", "9d9ae4b7d56d8a3b2d4b1a3a1a7c3f2e", len(CONTENT))


def download(source):
    """`download` of a set that has one file and one source."""
    job = script(
        "download",
        output=[],
        params={"directory": "downloads/toy"},
        wildcards={"source": "toy"},
    )

    def run():
        sources.FILES["toy"], sources.SOURCES["toy"] = (FILE,), (source,)
        try:
            job()
        finally:
            del sources.FILES["toy"], sources.SOURCES["toy"]

    return Met(run, "downloads/toy:")


def folder():
    return Path.cwd().as_uri()


def tar(member, content=CONTENT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@kind("download: nothing there")
def nothing():
    return download(FileAtUrl(f"{folder()}/numbers"))


@kind("download: wrong checksum")
def checksum():
    Path("numbers").write_bytes(CONTENT)
    return download(FileAtUrl(f"{folder()}/numbers"))


@kind("download: a gzip bomb")
def bomb():
    Path("numbers.gz").write_bytes(gzip.compress(bytes(50_000_000)))
    return download(GzipAtUrl(folder()))


@kind("download: not the archive")
def html():
    Path("toy.tar.gz").write_bytes(b"<html>moved</html>")
    return download(TarAtUrl(f"{folder()}/toy.tar.gz", Members("toy"), limit=10**6))


@kind("download: archive truncated")
def truncated():
    Path("toy.tar.gz").write_bytes(tar(tarfile.TarInfo("toy/numbers"))[:-20])
    return download(TarAtUrl(f"{folder()}/toy.tar.gz", Members("toy"), limit=10**6))


@kind("download: a link in place of the file")
def link():
    member = tarfile.TarInfo("toy/numbers")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    Path("toy.tar.gz").write_bytes(tar(member, b""))
    return download(TarAtUrl(f"{folder()}/toy.tar.gz", Members("toy"), limit=10**6))


@kind("download: file missing in the archive")
def lacking():
    Path("toy.tar.gz").write_bytes(tar(tarfile.TarInfo("../numbers")))
    return download(TarAtUrl(f"{folder()}/toy.tar.gz", Members("toy"), limit=10**6))
