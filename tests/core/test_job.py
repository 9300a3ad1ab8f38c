import errno
import logging
import os
import re
import resource
import subprocess
import sys

import pytest
import torch

from weightspace import failures
from weightspace import job as module
from weightspace.failures import clear_message
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


def ended_by(error, log, capsys):
    """What the terminal says of a job that ends with this error."""
    with pytest.raises(SystemExit) as caught, job("fit shard 3", log):
        raise error
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.h5"), "a.h5.*make room there"),
        (OSError(errno.EFBIG, "File too large", "a.h5"), "a.h5.*ulimit -f"),
        (OSError(errno.EROFS, "Read-only", "a.h5"), "a.h5.*is read-only.*writable"),
        (PermissionError(errno.EACCES, "denied", "a.h5"), "a.h5.*no permission.*a copy"),
        (MemoryError(), "memory ran out.*mem_mb.*shard_size.*batch_size"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "memory ran out .CUDA.*seeds_tog"),
        (RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel"), "GPU.*launch fail"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel"), "memory ran out"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "memory ran out"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory ran out"),
        (RuntimeError("No CUDA GPUs are available"), "GPU.*set fit.device and train.device to cpu"),
        (OSError(errno.EMFILE, "Too many open files", "a.h5"), "a.h5.*ulimit -n"),
    ],
)
def test_each_fault_has_one_line_that_says_what_to_do(error, told, tmp_path, capsys):
    line = ended_by(error, tmp_path / "x.log", capsys)
    assert line.startswith("fit shard 3: error: ")
    assert line.endswith("; then run again, what is finished is kept")
    assert re.search(told, line)


def test_a_bug_of_ours_on_a_gpu_is_no_lost_gpu():
    assert clear_message(RuntimeError("CUDA error: device-side assert triggered")) is None


def test_a_file_is_not_blamed_for_what_the_machine_lacks(tmp_path, monkeypatch):
    short = MemoryError("Unable to allocate 62.5 MiB")
    failures.raise_fault_of_machine(short, tmp_path)  # there is memory: a damaged size, then
    monkeypatch.setattr(failures, "SPARE", 2**60)
    with pytest.raises(MemoryError):
        failures.raise_fault_of_machine(short, tmp_path)
    text = "Can't synchronously read data (errno = 5, error message = 'Input/output error')"
    with pytest.raises(OSError, match="Input/output error") as caught:
        failures.raise_fault_of_machine(OSError(text), tmp_path / "a.h5")
    assert caught.value.filename == str(tmp_path / "a.h5")


def test_a_file_that_is_missing_has_its_own_message_alone(tmp_path, capsys):
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "a.h5")
    line = ended_by(error, tmp_path / "x.log", capsys)
    assert line == "fit shard 3: error: [Errno 2] No such file or directory: 'a.h5'"


def test_what_the_package_logs_is_in_the_log_and_on_the_terminal_once(tmp_path, capsys):
    logger = logging.getLogger("weightspace.parts")
    with job("fit 100 %s", tmp_path / "x.log"):
        logger.warning("memory ran out")
    logger.warning("not in the log")
    assert capsys.readouterr().err.count("fit 100 %s: memory ran out\n") == 1
    text = (tmp_path / "x.log").read_text()
    assert text.count("fit 100 %s: memory ran out\n") == 1
    assert "not in the log" not in text


def test_a_log_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "logs").write_text("a file")
    with (
        pytest.raises(SystemExit, match=r"^x: error: .*logs") as caught,
        job("x", tmp_path / "logs" / "x.log"),
    ):
        pass
    assert "\n" not in str(caught.value.code)


def test_a_full_disk_ends_in_one_line_though_the_log_is_on_it(tmp_path):
    code = """
import sys
from weightspace.atomic import replacing
from weightspace.job import job
with job("x", sys.argv[1] + "/x.log") as progress, replacing(sys.argv[1] + "/a.txt") as path:
    progress.say("y" * 3000)
    path.write_text("z" * 5000)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert run.returncode == 1
    first, second = run.stderr.splitlines()
    assert first == "x: " + "y" * 3000
    assert second.startswith("x: error: [Errno 27] File too large")
    assert {p.name for p in tmp_path.iterdir()} == {"x.log"}
