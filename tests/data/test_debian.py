"""The Debian source against stand-ins for apt-get and dpkg-deb on the PATH."""

import gzip
import hashlib
import io
import shutil
import tarfile

import pytest

from weightspace.data import debian as module
from weightspace.data.checksums import ChecksumError, DataFile
from weightspace.data.debian import DebianPackage, PackageError
from weightspace.data.tarball import Members
from weightspace.data.unpack import UnpackError

CONTENTS = {"one": b"1" * 3000, "two": b"2" * 500}
FILES = [DataFile(n, hashlib.md5(c).hexdigest(), len(c)) for n, c in CONTENTS.items()]
SOURCE = DebianPackage("pictures", Members("usr/share/pictures", gzipped=True))

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


MIRRORS = {
    "sources.list": """# deb http://a.example/debian old main
deb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main contrib # main
deb-src http://a.example/debian bookworm main
deb http://b.example/others stable private
""",
    "sources.list.d/more.sources": """Types: deb
URIs: http://c.example/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By: /k.gpg

Types: deb
URIs: http://c.example/others
Suites: x
Components: domain
""",
    "sources.list.d/others.list": "deb http://d.example/ stable maintained\n",
    "sources.list.d/off.list.disabled": "deb http://e.example/ stable main\n",
}
EXPECTED = {
    "sources.list": MIRRORS["sources.list"].replace(
        "bookworm main contrib # main", "bookworm non-free"
    ),
    "more.sources": MIRRORS["sources.list.d/more.sources"].replace(
        "main non-free-firmware", "non-free"
    ),
}


def test_another_component_is_asked_of_the_same_mirrors(debian, target, tmp_path, monkeypatch):
    etc = tmp_path / "etc"
    for name, text in MIRRORS.items():
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text(text)
    monkeypatch.setattr(module, "_ETC", etc)
    keep = f"cp -r $(echo $* | sed 's/.*sourceparts=//; s/ .*//') {tmp_path}/seen; exit 0"
    apt = APT.replace("*) exit 0 ;;", f"*) {keep} ;;", 1)
    log = debian(members(), system=FAILS, apt=apt)
    source = DebianPackage("pictures", SOURCE.unpack, component="non-free")
    source(FILES, target, progress=lambda *_: None)
    assert {p.name for p in target.iterdir()} == set(CONTENTS)
    seen = {path.name: path.read_text() for path in (tmp_path / "seen").iterdir()}
    assert seen == EXPECTED
    first, *private = log.read_text().splitlines()
    assert "Dir::Etc" not in first
    assert len(private) == 2
    assert all("Dir::Etc::sourcelist=/dev/null" in command for command in private)
    assert {name: (etc / name).read_text() for name in MIRRORS} == MIRRORS


def test_a_component_that_the_system_has_is_not_looked_for(debian, target):
    log = debian(members())
    source = DebianPackage("pictures", SOURCE.unpack, component="non-free")
    source(FILES, target, progress=lambda *_: None)
    assert len(log.read_text().splitlines()) == 1


def test_a_package_with_a_known_digest_is_checked(debian, target):
    log = debian(members())
    digest = hashlib.sha256((log.parent / "package").read_bytes()).hexdigest()
    DebianPackage("pictures", SOURCE.unpack, sha256=digest)(FILES, target, progress=lambda *_: None)
    assert len(list(target.iterdir())) == 2
    other = DebianPackage("pictures", SOURCE.unpack, sha256="0" * 64)
    with pytest.raises(ChecksumError, match=f"expected sha256 0{{64}}, got {digest}"):
        other(FILES, target, progress=lambda *_: None)
