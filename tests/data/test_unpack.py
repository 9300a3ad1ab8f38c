import gzip
import io
import tarfile

import pytest

from weightspace.data.unpack import UnpackError, gunzip, tar_members

CONTENT = bytes(range(256)) * 40


def tar_file(path, members):
    """Write a tar file of (name, content) pairs; a str content makes a symbolic link."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def test_gunzip_gives_the_content(tmp_path):
    gunzip(io.BytesIO(gzip.compress(CONTENT)), tmp_path / "a", size=len(CONTENT))
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_bomb_is_stopped_while_it_is_read(tmp_path):
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(UnpackError, match="more than the 1000 bytes"):
        gunzip(io.BytesIO(bomb), tmp_path / "a", size=1000)
    assert (tmp_path / "a").stat().st_size <= 1000


@pytest.mark.parametrize(
    "damaged",
    [
        b"<html>not found</html>",
        gzip.compress(CONTENT)[:-3],
        gzip.compress(CONTENT)[:20] + b"\xff" * 40 + gzip.compress(CONTENT)[60:],
        gzip.compress(CONTENT)[:-8] + b"\0" * 8,
    ],
    ids=["html", "truncated", "overwritten", "crc"],
)
def test_damaged_gzip_is_refused(tmp_path, damaged):
    with pytest.raises(UnpackError, match="damaged or truncated"):
        gunzip(io.BytesIO(damaged), tmp_path / "a", size=10**6)


def test_only_the_named_members_are_read(tmp_path):
    path = tar_file(
        tmp_path / "a.tar",
        [("../evil", b"no"), ("/etc/evil", b"no"), ("./d/one", b"1"), ("d/two", b"2")],
    )
    contents = {name: stream.read() for name, stream in tar_members(path, {"d/one", "d/two"})}
    assert contents == {"d/one": b"1", "d/two": b"2"}
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]


def test_a_link_in_place_of_a_file_is_refused(tmp_path):
    path = tar_file(tmp_path / "a.tar", [("d/one", "/etc/passwd")])
    with pytest.raises(UnpackError, match="d/one in the tar archive is not a plain file"):
        list(tar_members(path, {"d/one"}))


def test_a_lacking_member_is_named(tmp_path):
    path = tar_file(tmp_path / "a.tar", [("d/one", b"1")])
    with pytest.raises(UnpackError, match="lacks d/two"):
        list(tar_members(path, {"d/one", "d/two"}))


@pytest.mark.parametrize("damage", [lambda c: c[:60], lambda c: b"no tar" * 100])
def test_a_damaged_tar_is_refused(tmp_path, damage):
    path = tar_file(tmp_path / "a.tar", [("d/one", CONTENT), ("d/two", CONTENT)])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UnpackError, match="tar archive is damaged"):
        list(tar_members(path, {"d/one", "d/two"}))


def test_memory_that_lacks_is_not_blamed_on_the_tar(tmp_path, monkeypatch):
    path = tar_file(tmp_path / "a.tar", [("d/one", CONTENT)])

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(tarfile, "open", full)
    with pytest.raises(UnpackError, match="damaged"):  # there is memory: a damaged size, then
        list(tar_members(path, {"d/one"}))
    monkeypatch.setattr("weightspace.failures._can_be_had", lambda _: False)
    with pytest.raises(MemoryError):
        list(tar_members(path, {"d/one"}))
