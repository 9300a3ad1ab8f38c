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
