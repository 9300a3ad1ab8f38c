import errno
import os
import subprocess
import sys

import pytest

from weightspace import atomic
from weightspace.atomic import replacing


def test_the_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "folder" / "file.txt"
    with replacing(target) as path:
        path.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [p.name for p in target.parent.iterdir()] == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="disk full"), replacing(target) as path:
        path.write_text("half")
        raise OSError("disk full")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_the_name_appears_only_after_the_content_is_synced(tmp_path, monkeypatch):
    target, seen = tmp_path / "file.txt", []
    sync = atomic.os.fsync
    monkeypatch.setattr(atomic.os, "fsync", lambda fd: (seen.append(target.exists()), sync(fd)))
    with replacing(target) as path:
        path.write_text("whole")
    assert seen == [False, True]  # the content, then the folder


def gone():
    """The number of a process that has ended."""
    run = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    return int(run.stdout)


def test_what_a_killed_process_left_is_removed_when_its_file_is_written(tmp_path):
    dead = gone()
    host = atomic.HOST
    names = [f".a.h5.{dead}@{host}.part", f".a.h5.{dead}@{host}.html", f".a.h5.{dead}@other.part"]
    names += [f".b.h5.{dead}@{host}.part", f".a.h5.{os.getppid()}@{host}.part"]
    names += [f".a.h5.{dead}@another-1.part", "a.h5.part", ".a.h5.x.part"]
    for name in names:
        (tmp_path / name).write_text("half")
    os.utime(tmp_path / names[2], (0, 0))
    with replacing(tmp_path / "a.h5") as path:
        path.write_text("whole")
    # Another file's is left for it; a process that lives, or another machine, may still write.
    assert {p.name for p in tmp_path.iterdir()} == {"a.h5", *names[3:]}


def test_many_files_do_not_list_their_folder_again(tmp_path, monkeypatch):
    listed = []
    original = atomic.Path.iterdir
    monkeypatch.setattr(atomic.Path, "iterdir", lambda p: listed.append(p) or original(p))
    for i in range(5):
        with replacing(tmp_path / f"{i}.txt") as path:
            path.write_text("x")
    assert len(listed) == 1


def test_an_error_of_the_disk_names_the_file(tmp_path):
    with pytest.raises(OSError) as caught, replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.txt")
    with pytest.raises(OSError, match="other"), replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOENT, "No such file", "other")
