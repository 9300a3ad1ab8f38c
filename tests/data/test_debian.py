"""The Debian source against stand-ins for apt-get and dpkg-deb on the PATH."""

import gzip
import hashlib
import io
import shutil
import tarfile

import pytest

from weightspace.data.checksums import ChecksumError, DataFile
from weightspace.data.debian import DebianPackage, PackageError
from weightspace.data.unpack import UnpackError

CONTENTS = {"one": b"1" * 3000, "two": b"2" * 500}
FILES = [DataFile(n, hashlib.md5(c).hexdigest(), len(c)) for n, c in CONTENTS.items()]
SOURCE = DebianPackage("pictures", "usr/share/pictures")

APT = """#!/bin/sh
echo "$@" >> {log}
case " $* " in
  *" Dir::State::lists="*" update "*) exit 0 ;;
  *" Dir::State::lists="*" download pictures "*) ;;
  *" update "*) echo "E: touched the system's lists" >&2; exit 1 ;;
  *" download pictures "*) {system} ;;
  *) exit 2 ;;
esac
cp {package} pictures_1_all.deb
"""
FAILS = 'echo "W: note" >&2; echo "E: Unable to locate package pictures" >&2; exit 100'


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """Install the stand-ins; the stand-in of a package is the tar file in it."""
    folder = tmp_path / "debian"
    folder.mkdir()

    def install(members, system="true", apt=APT):
        with tarfile.open(folder / "package", "w") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        apt = apt.format(log=folder / "log", package=folder / "package", system=system)
        for name, script in (("apt-get", apt), ("dpkg-deb", '#!/bin/sh\ncat "$2"\n')):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder / "log"

    return install


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def members(**changes):
    files = {**CONTENTS, **changes}
    return {f"./usr/share/pictures/{name}.gz": gzip.compress(c) for name, c in files.items()}


def test_the_files_come_out_of_the_package(debian, target):
    log = debian({"./usr/share/doc/pictures": b"?", **members()})
    calls = []
    SOURCE(FILES, target, progress=lambda *call: calls.append(call))
    assert {p.name: p.read_bytes() for p in target.iterdir()} == CONTENTS
    assert calls == [(3000, 3500), (3500, 3500)]
    assert len(log.read_text().splitlines()) == 1


def test_only_what_is_asked_is_unpacked(debian, target):
    debian(members())
    SOURCE(FILES[1:], target, progress=lambda *_: None)
    assert [p.name for p in target.iterdir()] == ["two"]


def test_stale_lists_are_renewed_in_private(debian, target):
    log = debian(members(), system=FAILS)
    SOURCE(FILES, target, progress=lambda *_: None)
    assert {p.name for p in target.iterdir()} == set(CONTENTS)
    commands = log.read_text().splitlines()
    assert len(commands) == 3
    assert all("Dir::State::lists=" in c and "Dir::Cache=" in c for c in commands[1:])


def test_the_complaint_of_apt_is_passed_on(debian, target):
    apt = "#!/bin/sh\n" + FAILS + "\n"
    debian(members(), apt=apt)
    with pytest.raises(PackageError, match="apt-get failed: E: Unable to locate package pictures"):
        SOURCE(FILES, target, progress=lambda *_: None)


def test_a_machine_without_apt_says_so(monkeypatch, tmp_path, target):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageError, match="apt-get is not there; this source needs Debian"):
        SOURCE(FILES, target, progress=lambda *_: None)


def test_a_machine_without_dpkg_says_so(debian, target, monkeypatch):
    debian(members())
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "dpkg-deb" else real(name))
    with pytest.raises(PackageError, match="dpkg-deb is not there"):
        SOURCE(FILES, target, progress=lambda *_: None)


def test_wrong_content_is_refused(debian, target):
    debian(members(two=b"?" * 500))
    with pytest.raises(ChecksumError, match="two from Debian package pictures"):
        SOURCE(FILES, target, progress=lambda *_: None)
    assert [p.name for p in target.iterdir()] == ["one"]


def test_a_package_that_lacks_a_file_is_refused(debian, target):
    debian({name: c for name, c in members().items() if "two" not in name})
    with pytest.raises(UnpackError, match=r"lacks usr/share/pictures/two\.gz"):
        SOURCE(FILES, target, progress=lambda *_: None)
