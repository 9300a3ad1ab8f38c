import gzip
import hashlib
import io
import resource
import socket
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from weightspace.data.checksums import ChecksumError, DataFile
from weightspace.data.tarball import Members
from weightspace.data.unpack import UnpackError
from weightspace.data.web import DownloadError, FileAtUrl, GzipAtUrl, TarAtUrl, download

CONTENT = np.random.default_rng(0).bytes(500_000)  # several chunks, incompressible


def get(server, part, *, limit=10**6, progress=lambda done, total: None):
    download(f"{server.url}/a", part, limit=limit, timeout=5.0, progress=progress)


def data_file(name, content):
    return DataFile(name, hashlib.md5(content).hexdigest(), len(content))


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_comes_whole(server, tmp_path, says_length):
    server.files["a"], server.says_length = CONTENT, says_length
    calls = []
    get(server, tmp_path / "a.part", progress=lambda *call: calls.append(call))
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1] == (500_000, 500_000 if says_length else 10**6)


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    part = tmp_path / "a.part"
    server.files["a"], server.stop_after = CONTENT, 200_000
    with pytest.raises(DownloadError, match="ended after 200000 of 500000 bytes"):
        get(server, part)
    assert part.read_bytes() == CONTENT[:200_000]
    server.stop_after = None
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert server.requests == [("a", None), ("a", "bytes=200000-")]


# Downloads in a process of its own, which a limit or a signal can end.
OWN = """
import signal, sys
from pathlib import Path
from weightspace.data.web import download

def progress(done, total):
    if done >= int(sys.argv[3]):
        signal.raise_signal(signal.SIGKILL)

download(sys.argv[1], Path(sys.argv[2]), limit=10**6, timeout=5.0, progress=progress)
"""


def test_a_killed_download_goes_on_where_it_stopped(server, tmp_path):
    server.files["a"], part = CONTENT, tmp_path / "a.part"
    command = [sys.executable, "-c", OWN, f"{server.url}/a", str(part), "1"]
    assert subprocess.run(command).returncode == -9
    there = part.stat().st_size
    assert part.read_bytes() == CONTENT[:there]
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert server.requests[-1] == ("a", f"bytes={there}-" if there else None)


def test_a_full_disk_is_not_the_fault_of_the_server(server, tmp_path):
    server.files["a"], part = CONTENT, tmp_path / "a.part"
    run = subprocess.run(
        [sys.executable, "-c", OWN, f"{server.url}/a", str(part), str(10**9)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    assert f"OSError: [Errno 27] File too large: '{part}'" in run.stderr
    assert part.read_bytes() == CONTENT[:300_000]
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert server.requests[-1] == ("a", "bytes=300000-")


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.files["a"], server.knows_ranges = CONTENT, False
    (tmp_path / "a.part").write_bytes(CONTENT[:300])
    get(server, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == CONTENT


def test_a_whole_part_is_not_fetched_again(server, tmp_path):
    server.files["a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT)
    get(server, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_part_of_a_longer_file_is_thrown_away(server, tmp_path):
    server.files["a"] = CONTENT
    (tmp_path / "a.part").write_bytes(CONTENT + b"more")
    get(server, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_another_range_than_asked_is_refused(server, tmp_path):
    server.files["a"], server.answers_from = CONTENT, 7
    (tmp_path / "a.part").write_bytes(CONTENT[:300])
    with pytest.raises(DownloadError, match="asked for the bytes from 300 on, the server sent"):
        get(server, tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == CONTENT[:300]


def test_an_endless_file_is_stopped(server, tmp_path):
    server.files["a"] = CONTENT
    with pytest.raises(DownloadError, match="longer than the 1000 bytes expected"):
        get(server, tmp_path / "a.part", limit=1000)
    assert (tmp_path / "a.part").stat().st_size <= 1000


def test_a_missing_file_is_an_http_error(server, tmp_path):
    with pytest.raises(DownloadError, match=r"/a: HTTP 404"):
        get(server, tmp_path / "a.part")
    assert not (tmp_path / "a.part").exists()


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_server_that_is_down_is_named(tmp_path):
    url = f"http://127.0.0.1:{closed_port()}/a"
    with pytest.raises(DownloadError, match=rf"{url}: .*refused"):
        download(url, tmp_path / "a.part", limit=1, timeout=5.0, progress=lambda *_: None)


def test_a_silent_server_is_given_up(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        url = f"http://127.0.0.1:{s.getsockname()[1]}/a"
        with pytest.raises(DownloadError, match="timed out"):
            download(url, tmp_path / "a.part", limit=1, timeout=0.1, progress=lambda *_: None)


def test_the_source_unpacks_and_verifies(server, tmp_path):
    contents = {"one": CONTENT, "two": b"2" * 1000}
    server.files = {f"{name}.gz": gzip.compress(c) for name, c in contents.items()}
    calls = []
    files = [data_file(name, c) for name, c in contents.items()]
    GzipAtUrl(server.url)(files, tmp_path, progress=lambda *call: calls.append(call))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == contents
    assert calls[-1] == (501_000, 501_000)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize(
    ("served", "error", "message"),
    [
        (gzip.compress(CONTENT[:-1] + b"?"), ChecksumError, "expected md5 .*, got md5 .*fetch it"),
        (gzip.compress(CONTENT[:-1]), ChecksumError, "expected 500000 bytes, got 499999 bytes"),
        (gzip.compress(CONTENT + b"?"), UnpackError, "more than the 500000 bytes"),
        (gzip.compress(CONTENT)[:-100], UnpackError, "damaged or truncated"),
        (b"<html>blocked</html>", UnpackError, "damaged or truncated"),
    ],
    ids=["changed", "shorter", "longer", "truncated", "html"],
)
def test_wrong_content_leaves_nothing_behind(server, tmp_path, served, error, message):
    server.files["one.gz"] = served
    with pytest.raises(error, match=message):
        GzipAtUrl(server.url)([data_file("one", CONTENT)], tmp_path, progress=lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_a_checksum_mismatch_names_the_file_and_its_origin(server, tmp_path):
    server.files["one.gz"] = gzip.compress(b"other")
    expected = data_file("one", b"right")
    got = hashlib.md5(b"other").hexdigest()
    with pytest.raises(ChecksumError) as caught:
        GzipAtUrl(server.url)([expected], tmp_path, progress=lambda *_: None)
    for word in ("one", f"{server.url}/one.gz", expected.md5, got):
        assert word in str(caught.value)


def tar_gz(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = {"d/readme": b"?", "d/one": CONTENT, "d/two": b"2" * 1000}
FILES = [data_file("one", CONTENT), data_file("two", b"2" * 1000)]


def test_an_archive_is_unpacked_and_verified(server, tmp_path):
    server.files["all.tar.gz"] = tar_gz(ARCHIVE)
    source, calls = TarAtUrl(f"{server.url}/all.tar.gz", Members("d"), limit=10**6), []
    source(FILES, tmp_path, progress=lambda *call: calls.append(call))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        "one": CONTENT,
        "two": b"2" * 1000,
    }
    assert calls[-1] == (501_000, 501_000)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_a_broken_download_of_an_archive_goes_on(server, tmp_path):
    whole = tar_gz(ARCHIVE)
    server.files["all.tar.gz"], server.stop_after = whole, 1000
    source = TarAtUrl(f"{server.url}/all.tar.gz", Members("d"), limit=10**6, timeout=5.0)
    with pytest.raises(DownloadError, match="ended after 1000 of"):
        source(FILES, tmp_path, progress=lambda *_: None)
    assert (tmp_path / "all.tar.gz.part").read_bytes() == whole[:1000]
    server.stop_after = None
    source(FILES, tmp_path, progress=lambda *_: None)
    assert {p.name for p in tmp_path.iterdir()} == {"one", "two"}
    assert server.requests[-1] == ("all.tar.gz", "bytes=1000-")


@pytest.mark.parametrize(
    ("served", "error", "message"),
    [
        (tar_gz({**ARCHIVE, "d/one": CONTENT[:-1] + b"?"}), ChecksumError, "one from http"),
        (tar_gz({**ARCHIVE, "d/one": CONTENT + b"?"}), UnpackError, "more than the 500000 bytes"),
        (tar_gz({"d/two": b"2" * 1000}), UnpackError, "lacks d/one"),
        (tar_gz(ARCHIVE)[:-5000], UnpackError, "damaged or truncated"),
        (b"<html>blocked</html>", UnpackError, "damaged or truncated"),
    ],
    ids=["changed", "longer", "lacking", "truncated", "html"],
)
def test_a_wrong_archive_leaves_nothing_unverified(server, tmp_path, served, error, message):
    server.files["all.tar.gz"] = served
    source = TarAtUrl(f"{server.url}/all.tar.gz", Members("d"), limit=10**6)
    with pytest.raises(error, match=message):
        source(FILES, tmp_path, progress=lambda *_: None)
    assert {p.name for p in tmp_path.iterdir()} <= {"two"}


def looks_right(path):
    if not path.read_bytes().startswith(CONTENT[:9]):
        raise ValueError("it begins otherwise")


CHECKED = DataFile("all", None, 600_000, looks_right)


def test_a_file_without_a_digest_is_checked(server, tmp_path):
    server.files["new"], calls = CONTENT, []
    source = FileAtUrl(f"{server.url}/new")
    source([CHECKED], tmp_path, progress=lambda *call: calls.append(call))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"all": CONTENT}
    assert calls[-1] == (600_000, 600_000)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_a_broken_download_of_a_file_goes_on(server, tmp_path):
    server.files["new"], server.stop_after = CONTENT, 1000
    source = FileAtUrl(f"{server.url}/new", timeout=5.0)
    with pytest.raises(DownloadError, match="ended after 1000 of"):
        source([CHECKED], tmp_path, progress=lambda *_: None)
    assert [p.name for p in tmp_path.iterdir()] == ["all.part"]
    server.stop_after = None
    source([CHECKED], tmp_path, progress=lambda *_: None)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"all": CONTENT}
    assert server.requests[-1] == ("new", "bytes=1000-")


def test_a_file_that_fails_its_check_is_removed(server, tmp_path):
    server.files["new"] = b"<html>blocked</html>"
    with pytest.raises(ChecksumError, match=f"all from {server.url}/new: it begins otherwise"):
        FileAtUrl(f"{server.url}/new")([CHECKED], tmp_path, progress=lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_too_long_is_refused(server, tmp_path):
    server.files["new"] = CONTENT * 2
    with pytest.raises(DownloadError, match="longer than the 600000 bytes"):
        FileAtUrl(f"{server.url}/new")([CHECKED], tmp_path, progress=lambda *_: None)
