import pytest

from weightspace import job as module
from weightspace.job import duration, job, progress_line


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


def test_bytes_are_shown_as_megabytes_and_units_by_their_name():
    assert (
        progress_line(10**6, 4 * 10**6, 10**6, 100.0, "B") == "1.0/4.0 MB (25 %), 5 min 00 s left"
    )
    assert progress_line(1000, 2000, 0, 0.0, "fits") == "1,000/2,000 fits (50 %)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (19.96, "20.0 s"),
        (59.6, "1 min 00 s"),
        (3599.7, "1 h 00 min"),
        (11100.0, "3 h 05 min"),
        (400000.0, "5 days"),
    ],
)
def test_a_duration_has_the_units_that_matter(seconds, words):
    assert duration(seconds) == words


def test_a_long_job_speaks_less_often_and_a_log_holds_plain_lines(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    with job("fits", tmp_path / "x.log", unit="fits") as progress:
        for second in range(4 * 3600):
            now[0] = float(second)
            progress(second, 4 * 3600)
    text = (tmp_path / "x.log").read_text()
    lines = text.splitlines()
    assert 100 < len(lines) < 250
    assert all(line.startswith("fits: ") for line in lines)
    assert lines[-2] == "fits: 14,375/14,400 fits (100 %), 25 s left"
    assert text.isprintable() or not set("\r\b\x1b") & set(text)


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
