"""`fetch` over sources on this machine."""

import errno
import gzip
import hashlib
import socket

import pytest

from weightspace.data import sources
from weightspace.data.checksums import DataFile, is_whole
from weightspace.data.sources import FetchError, fetch
from weightspace.data.web import FileAtUrl, GzipAtUrl

CONTENTS = {"one": bytes(range(256)) * 400, "two": b"2" * 500}
GZ = {f"{name}.gz": gzip.compress(c) for name, c in CONTENTS.items()}
TOTAL = sum(map(len, CONTENTS.values()))


@pytest.fixture
def use(monkeypatch):
    """State the sources of a dataset "toy" with the files of CONTENTS."""
    files = tuple(DataFile(n, hashlib.md5(c).hexdigest(), len(c)) for n, c in CONTENTS.items())
    monkeypatch.setitem(sources.FILES, "toy", files)
    return lambda *places: monkeypatch.setitem(sources.SOURCES, "toy", places)


@pytest.fixture
def down():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    return GzipAtUrl(f"http://127.0.0.1:{port}", timeout=5.0)


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_first_good_source_is_enough(server, use, down, tmp_path):
    server.files = dict(GZ)
    use(GzipAtUrl(server.url), down)
    calls = []
    fetch("toy", tmp_path / "new", progress=lambda *call: calls.append(call))
    assert contents(tmp_path / "new") == CONTENTS
    assert calls[-1] == (TOTAL, TOTAL)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_the_next_source_helps_out(server, use, down, tmp_path):
    server.files = dict(GZ)
    use(down, GzipAtUrl(server.url))
    fetch("toy", tmp_path)
    assert contents(tmp_path) == CONTENTS


def test_files_that_are_whole_are_kept(server, use, tmp_path):
    server.files = dict(GZ)
    use(GzipAtUrl(server.url))
    (tmp_path / "one").write_bytes(CONTENTS["one"])
    before = (tmp_path / "one").stat().st_mtime_ns
    calls = []
    fetch("toy", tmp_path, progress=lambda *call: calls.append(call))
    assert [name for name, _ in server.requests] == ["two.gz"]
    assert (tmp_path / "one").stat().st_mtime_ns == before
    assert min(done for done, _ in calls) >= len(CONTENTS["one"])
    fetch("toy", tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize("damaged", [b"", CONTENTS["one"][:-1], b"?" * len(CONTENTS["one"])])
def test_a_file_that_is_not_whole_is_replaced(server, use, tmp_path, damaged):
    server.files = dict(GZ)
    use(GzipAtUrl(server.url))
    (tmp_path / "one").write_bytes(damaged)
    fetch("toy", tmp_path)
    assert contents(tmp_path) == CONTENTS


def test_an_interrupted_fetch_goes_on(server, use, tmp_path):
    server.files, server.stop_after = dict(GZ), 100
    use(GzipAtUrl(server.url))
    with pytest.raises(FetchError, match="ended after 100 of"):
        fetch("toy", tmp_path)
    assert contents(tmp_path) == {"one.gz.part": GZ["one.gz"][:100]}
    server.stop_after = None
    fetch("toy", tmp_path)
    assert contents(tmp_path) == CONTENTS
    assert ("one.gz", "bytes=100-") in server.requests


def test_what_another_source_finished_is_tidied_up(server, use, tmp_path):
    server.files, server.stop_after = dict(GZ), 100

    class Local:
        title = "local"

        def __call__(self, files, directory, *, progress):
            assert (directory / "one.gz.part").exists()
            for file in files:
                (directory / file.name).write_bytes(CONTENTS[file.name])

    use(GzipAtUrl(server.url), Local())
    fetch("toy", tmp_path)
    assert contents(tmp_path) == CONTENTS


def test_wrong_content_sends_fetch_to_the_next_source(server, use, tmp_path):
    server.files = {f"bad/{name}": gzip.compress(b"?") for name in GZ} | GZ
    use(GzipAtUrl(f"{server.url}/bad"), GzipAtUrl(server.url))
    fetch("toy", tmp_path)
    assert contents(tmp_path) == CONTENTS


def test_a_full_disk_ends_the_fetch_and_keeps_what_came(server, use, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "one")

    server.files = dict(GZ)
    use(GzipAtUrl(server.url), GzipAtUrl(server.url))
    with monkeypatch.context() as patch:
        patch.setattr("weightspace.data.web.gunzip", full)
        with pytest.raises(OSError, match="No space left"):
            fetch("toy", tmp_path)
    assert contents(tmp_path) == {"one.gz.part": GZ["one.gz"]}
    assert len(server.requests) == 1
    fetch("toy", tmp_path)
    assert contents(tmp_path) == CONTENTS
    assert server.requests[1] == ("one.gz", f"bytes={len(GZ['one.gz'])}-")  # nothing came again


def test_one_error_lists_all_that_was_tried(server, use, down, tmp_path):
    server.files = {"one.gz": gzip.compress(b"?" * len(CONTENTS["one"]))}
    use(down, GzipAtUrl(server.url))
    with pytest.raises(FetchError) as caught:
        fetch("toy", tmp_path)
    message = str(caught.value)
    assert "could not fetch toy" in message
    assert f"1. {down.url}: " in message and "refused" in message
    assert f"2. {server.url}: checksum mismatch of one" in message
    assert hashlib.md5(b"?" * len(CONTENTS["one"])).hexdigest() in message
    assert f"put these files by hand, decompressed, into {tmp_path}" in message
    assert f"two (md5 {hashlib.md5(CONTENTS['two']).hexdigest()})" in message
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_lies_is_not_believed(use, tmp_path):
    class Silent:
        title = "silent"

        def __call__(self, files, directory, *, progress):
            (directory / "one").write_bytes(b"half")

    use(Silent())
    with pytest.raises(FetchError, match=r"one .*\n.*two "):
        fetch("toy", tmp_path)


def test_an_unknown_dataset_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset 'mnits'; fetch knows fashion_mnist"):
        fetch("mnits", tmp_path)


def test_a_file_without_a_digest_is_kept_if_it_passes_its_check(server, use, monkeypatch, tmp_path):
    def check(path):
        if path.read_bytes() != CONTENTS["one"]:
            raise ValueError("it is not the one")

    monkeypatch.setitem(sources.FILES, "toy", (DataFile("one", None, 10**6, check),))
    server.files = {"new": CONTENTS["one"]}
    use(FileAtUrl(f"{server.url}/new"))
    (tmp_path / "one").write_bytes(b"?")
    for _ in range(2):
        fetch("toy", tmp_path)
    assert contents(tmp_path) == {"one": CONTENTS["one"]}
    assert len(server.requests) == 1
    (tmp_path / "one").unlink()
    server.files = {"new": CONTENTS["two"]}
    with pytest.raises(FetchError, match=r"it is not the one(.*\n)*.*into .*:\n  one$"):
        fetch("toy", tmp_path)


def test_every_dataset_has_files_and_sources():
    assert set(sources.SOURCES) == {*sources.FILES, *sources.SHAPE_FILES}


def test_a_file_without_digest_has_a_largest_size(tmp_path):
    (tmp_path / "one").write_bytes(b"12345")
    assert is_whole(tmp_path / "one", DataFile("one", None, 5))
    assert not is_whole(tmp_path / "one", DataFile("one", None, 4))
