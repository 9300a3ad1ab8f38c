"""What a server sends in place of a dataset: files of the working directory."""

import gzip
import hashlib
import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ways import Met, kind, script

from weightspace.data import sources
from weightspace.data.checksums import DataFile
from weightspace.data.tarball import Members
from weightspace.data.web import FileAtUrl, GzipAtUrl, TarAtUrl

CONTENT = b"published content"
FILE = DataFile("numbers", hashlib.md5(CONTENT).hexdigest(), len(CONTENT))


class Server(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def download(source):
    """`download` of a set that has one file, from a source made of the address of the server."""
    job = script(
        "download",
        output=[],
        params={"directory": "downloads/toy"},
        wildcards={"source": "toy"},
    )

    def run():
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=Path.cwd()))
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        place = source(f"http://127.0.0.1:{server.server_port}")
        sources.FILES["toy"], sources.SOURCES["toy"] = (FILE,), (place,)
        try:
            job()
        finally:
            del sources.FILES["toy"], sources.SOURCES["toy"]
            server.shutdown()
            server.server_close()

    return Met(run, "downloads/toy:")


def one_file(url):
    return FileAtUrl(f"{url}/numbers")


def archive(url):
    return TarAtUrl(f"{url}/toy.tar.gz", Members("toy"), limit=10**6)


def tar(member, content=CONTENT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@kind("download: nothing there")
def nothing():
    return download(one_file)


@kind("download: wrong checksum")
def checksum():
    Path("numbers").write_bytes(CONTENT[::-1])
    return download(one_file)


@kind("download: a gzip bomb")
def bomb():
    Path("numbers.gz").write_bytes(gzip.compress(bytes(50_000_000)))
    return download(GzipAtUrl)


@kind("download: not the archive")
def html():
    Path("toy.tar.gz").write_bytes(b"<html>moved</html>")
    return download(archive)


@kind("download: archive truncated")
def truncated():
    Path("toy.tar.gz").write_bytes(tar(tarfile.TarInfo("toy/numbers"))[:60])
    return download(archive)


@kind("download: a link in place of the file")
def link():
    member = tarfile.TarInfo("toy/numbers")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    Path("toy.tar.gz").write_bytes(tar(member, b""))
    return download(archive)


@kind("download: file missing in the archive")
def lacking():
    Path("toy.tar.gz").write_bytes(tar(tarfile.TarInfo("../numbers")))
    return download(archive)
