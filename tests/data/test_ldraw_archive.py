"""The archive of the LDraw library: checked, and made from a Debian package."""

import gzip
import io
import tarfile
import zipfile

import pytest

from weightspace.data.checksums import DataFile
from weightspace.data.shapes import ldraw_archive
from weightspace.data.shapes.ldraw_archive import check_library, unpack_library
from weightspace.data.shapes.ldraw_library import LDrawError, archived_library
from weightspace.data.unpack import UnpackError

WHOLE = {
    "ldraw/CAlicense.txt": "free",
    "ldraw/p/stud.dat": "0 Stud",
    **{f"ldraw/parts/{i}.dat": f"0 Brick {i}" for i in range(20)},
    "ldraw/parts/s/1s01.dat": "0 ~Sub",
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(ldraw_archive, "_MANY", 20)


def archive(path, files, **settings):
    with zipfile.ZipFile(path, "w", **settings) as out:
        for name, text in files.items():
            out.writestr(name, text)
    return path


def without(name):
    return {key: text for key, text in WHOLE.items() if key != name}


def test_a_whole_library_passes(tmp_path):
    check_library(archive(tmp_path / "a.zip", WHOLE))
    bare = {name.removeprefix("ldraw/"): text for name, text in WHOLE.items()}
    check_library(archive(tmp_path / "b.zip", bare))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (without("ldraw/CAlicense.txt"), "holds no licence file"),
        (without("ldraw/parts/7.dat"), "holds 19 parts"),
        (without("ldraw/p/stud.dat"), "p/stud.dat is not in it"),
    ],
)
def test_less_than_a_library_is_refused(tmp_path, files, message):
    with pytest.raises(LDrawError, match=message):
        check_library(archive(tmp_path / "a.zip", files))


@pytest.mark.parametrize("name", ["../evil.dat", "/etc/evil.dat", "ldraw/p/..\\..\\evil.dat"])
def test_paths_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(UnpackError, match=r"leads out|absolute"):
        check_library(archive(tmp_path / "a.zip", {**WHOLE, name: ""}))


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(ldraw_archive, "_LARGEST", 1000)
    bomb = {**WHOLE, "ldraw/parts/x.dat": "0" * 2000}
    path = archive(tmp_path / "a.zip", bomb, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnpackError, match="unpacked it has more than 1000 bytes"):
        check_library(path)


def test_a_damaged_file_is_found(tmp_path):
    path = archive(tmp_path / "a.zip", WHOLE)
    path.write_bytes(path.read_bytes().replace(b"0 Brick 11", b"0 Brick 1?"))
    with pytest.raises(UnpackError, match="damaged"):
        check_library(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnpackError, match="damaged"):
        check_library(path)


def package(path, members):
    with tarfile.open(path, "w") as out:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("./usr/share/ldraw/parts/link.dat")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        out.addfile(link)
    return path


MEMBERS = {
    **{f"./usr/share/{name}": text.encode() for name, text in WHOLE.items() if "CA" not in name},
    "./usr/share/doc/ldraw-parts/CAlicense.txt.gz": gzip.compress(b"free"),
    "./usr/share/doc/ldraw-parts/copyright": b"?",
    "./usr/bin/mklist": b"?",
}


def test_the_package_becomes_the_official_archive(tmp_path):
    file = DataFile("complete.zip", None, 10**6)
    made = []
    for name in ("a.tar", "b.tar"):
        for same, content in unpack_library(package(tmp_path / name, MEMBERS), [file]):
            assert same is file
            made.append(content.read())
    assert len(made) == 2
    assert made[0] == made[1]
    path = tmp_path / "complete.zip"
    path.write_bytes(made[0])
    check_library(path)
    library = archived_library(path)
    assert {f"ldraw/{name}" for name in library.names} == {name.lower() for name in WHOLE}
    assert library.text("parts/7.dat") == "0 Brick 7"
    assert library.text("calicense.txt") == "free"


def test_a_damaged_package_is_refused(tmp_path):
    path = package(tmp_path / "a.tar", MEMBERS)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UnpackError, match="damaged or truncated"):
        list(unpack_library(path, [DataFile("complete.zip", None, 10**6)]))
