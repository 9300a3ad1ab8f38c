"""The frame of a workflow job: its log, its progress, and one clear message if it fails."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from weightspace.failures import clear_message

__all__ = ["Progress", "duration", "job", "progress_line"]

SECONDS_BETWEEN_LINES = 10.0
LONGEST_SHARE = 0.02  # of the time so far: a job of a day says no more than a job of an hour


@contextmanager
def job(name: str, log: Path | str, *, unit: str = "") -> Iterator["Progress"]:
    """Run a job under a name; yield its progress callback `(done, total)`, which also says notes.

    Messages and progress go to the terminal and to the log file, as whole lines that begin with
    the name, so that jobs that share a terminal can be told apart. An error that has a clear
    message (`clear_message`) ends the job with that message and exit status 1; its traceback goes
    to the log file only. Other errors are bugs: logged, and raised. What the package itself logs
    meanwhile goes the same ways.

    Args:
        name: of the job.
        log: the file to write.
        unit: what the progress counts, e.g. "fits"; "B" shows bytes as MB.
    """
    try:
        to_file = _LogFile(log)
    except OSError as error:
        sys.exit(f"{name}: error: {clear_message(error)}")
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.addFilter(lambda record: not getattr(record, "file_only", False))
    logger, of_package = logging.Logger(name, level=logging.INFO), logging.getLogger("weightspace")
    of_package.setLevel(logging.INFO)
    for handler in (to_file, to_terminal):
        handler.setFormatter(logging.Formatter(f"{name.replace('%', '%%')}: %(message)s"))
        logger.addHandler(handler)
        of_package.addHandler(handler)
    started = monotonic()
    try:
        yield Progress(logger, unit)
    except Exception as error:
        logger.info("traceback", exc_info=True, extra={"file_only": True})
        if (message := clear_message(error)) is None:
            raise
        logger.error("error: %s", message)
        sys.exit(1)
    else:
        logger.info("done in %s", duration(monotonic() - started))
    finally:
        for handler in (to_file, to_terminal):
            of_package.removeHandler(handler)
        with suppress(OSError):
            to_file.close()


class _LogFile(logging.FileHandler):
    """A log file. What a full disk does not take is on the terminal all the same."""

    def __init__(self, path: Path | str) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, mode="w", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: by default each lost line would be a traceback on the terminal."""


class Progress:
    """What a job says while it runs, to the terminal and to its log.

    Args:
        logger: of the job.
        unit: what is counted.
    """

    def __init__(self, logger: logging.Logger, unit: str = "") -> None:
        self._logger, self._unit = logger, unit
        self._begun = self._last = monotonic()
        self._first: tuple[int, float] | None = None  # what was done at the first call, and when

    def __call__(self, done: int, total: int) -> None:
        """Log the progress every few seconds at most; the end has a line of its own, from `job`."""
        now = monotonic()
        if self._first is None:  # what a job does before it counts says nothing of its rate
            self._first = (done, now)
        if now - self._last >= max(SECONDS_BETWEEN_LINES, LONGEST_SHARE * (now - self._begun)):
            self._last = now
            before, since = self._first
            self._logger.info(progress_line(done, total, done - before, now - since, self._unit))

    def say(self, text: str) -> None:
        """Log a line."""
        self._logger.info(text)


def progress_line(done: int, total: int, counted: int, seconds: float, unit: str = "") -> str:
    """Say how much is done, and how long the rest will take if `counted` took so many seconds."""
    left = f", {duration(seconds * (total - done) / counted)} left" if counted > 0 else ""
    share = f"({100 * done / max(total, 1):.0f} %)"
    if unit == "B":
        return f"{done / 1e6:.1f}/{total / 1e6:.1f} MB {share}{left}"
    return f"{done:,}/{total:,} {unit + ' ' if unit else ''}{share}{left}"


def duration(seconds: float) -> str:
    """A time in the two units that matter: "12.3 s", "40 s", "5 min 10 s", "3 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 20 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{round(minutes / 1440)} days"
