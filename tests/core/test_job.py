import pytest

from weightspace import job as module
from weightspace.job import job, progress_line


def test_progress_goes_to_the_terminal_and_to_the_log(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with job("fit shard 3", tmp_path / "logs" / "x.log") as progress:
        progress(5, 20)
    expected = "fit shard 3: 5/20 (25 %)"
    assert expected in capsys.readouterr().err
    assert expected in (tmp_path / "logs" / "x.log").read_text()


def test_the_time_left_follows_from_the_rate():
    assert progress_line(5, 20, 10.0) == "5/20 (25 %), 30 s left"
    assert progress_line(0, 20, 10.0) == "0/20 (0 %)"


def test_a_clear_error_ends_the_job_without_a_traceback_on_the_terminal(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, job("assemble", tmp_path / "x.log"):
        raise ValueError("shard_2.h5 is truncated; delete it and run again")
    assert caught.value.code == 1
    terminal = capsys.readouterr().err
    assert "assemble: error: shard_2.h5 is truncated; delete it and run again" in terminal
    assert "Traceback" not in terminal
    assert "Traceback" in (tmp_path / "x.log").read_text()


def test_a_bug_is_raised_and_logged(tmp_path):
    with pytest.raises(ZeroDivisionError), job("x", tmp_path / "x.log"):
        _ = 1 / 0
    assert "ZeroDivisionError" in (tmp_path / "x.log").read_text()


def test_a_note_goes_to_the_terminal_and_to_the_log(tmp_path, capsys):
    with job("objects", tmp_path / "x.log") as progress:
        progress.say("skipped a.off: empty")
    assert "objects: skipped a.off: empty" in capsys.readouterr().err
    assert "objects: skipped a.off: empty" in (tmp_path / "x.log").read_text()
