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
    assert progress_line(5, 20, 5, 10.0) == "5/20 (25 %), 30 s left"
    assert progress_line(5, 20, 4, 10.0) == "5/20 (25 %), 38 s left"
    assert progress_line(0, 20, 0, 10.0) == "0/20 (0 %)"


def test_what_comes_before_the_first_count_does_not_slow_the_rate(tmp_path, monkeypatch):
    times = iter([0.0, 0.0, 100.0, 102.0, 110.0, 110.0])  # the job begins; counts; it ends
    monkeypatch.setattr(module, "monotonic", lambda: next(times))
    with job("objects", tmp_path / "x.log") as progress:
        progress(1, 21)
        progress(2, 21)
        progress(6, 21)
    lines = (tmp_path / "x.log").read_text().splitlines()
    assert lines[0] == "objects: 1/21 (5 %)"
    assert lines[1] == "objects: 6/21 (29 %), 30 s left"


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
