"""The output of a step while it runs: log, counter, files instead of the terminal."""

import contextlib
import logging
import os
import re
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from autowisp_xr.cli.values import OptionError
from autowisp_xr.errors import AutowispError
from autowisp_xr.option_words import in_options

_LOG = logging.getLogger("autowisp_xr")

# words with an underscore that are arguments of the classes, and options here
_ARGUMENT = re.compile(
    r"(?<![\w/.-])(exposure_start_utc|exposure_start_jd|exposure_seconds|min_valid_values|min_valid_frames"
    r"|calibrated_fname|compress_calibrated|image_area|leak_directions)(?![\w/.-])"
)


@contextlib.contextmanager
def reporting(options: Namespace) -> Iterator[None]:
    """Log and print as the options ask for, while the step runs.

    The lines of the log go to the file that was named, else to the standard error; there, on a
    terminal, a counter takes the place of the lines of frames, unless all is logged (``debug``).
    """
    with contextlib.ExitStack() as running:
        if options.std_out_err_fname:
            path = _log_file(options.std_out_err_fname, options)
            file = running.enter_context(open(path, "a", encoding="utf-8"))
            running.enter_context(contextlib.redirect_stdout(file))
            running.enter_context(contextlib.redirect_stderr(file))
        _start_log(options, running)
        if options.iers_auto_max_age is not None:
            from astropy.utils import iers

            running.enter_context(iers.conf.set_temp("auto_max_age", options.iers_auto_max_age))
        yield


def _start_log(options: Namespace, running: contextlib.ExitStack) -> None:
    """Log as the options ask for, warnings too, until ``running`` ends."""
    level = getattr(logging, options.verbose.upper())
    try:
        form = logging.Formatter(options.logging_message_format, options.logging_datetime_format)
    except ValueError as error:
        raise OptionError(f"--logging-message-format: {error}") from error
    printed = logging.StreamHandler(sys.stderr)
    handlers: list[logging.Handler] = [printed]
    if options.logging_fname:
        handlers.append(logging.FileHandler(_log_file(options.logging_fname, options), delay=True))
    counted = _on_terminal() and level > logging.DEBUG
    quiet = counted or options.logging_fname
    printed.setLevel(max(level, logging.WARNING) if quiet else level)
    running.callback(_LOG.setLevel, _LOG.level)
    running.callback(setattr, _LOG, "propagate", _LOG.propagate)
    _LOG.setLevel(level)
    _LOG.propagate = False
    for handler in handlers:
        handler.setFormatter(form)
        _LOG.addHandler(handler)
        running.callback(handler.close)
        running.callback(_LOG.removeHandler, handler)
    running.enter_context(warnings.catch_warnings())
    warnings.showwarning = _warn


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    """Log a warning as one line: its place in the code is of no use to an observer."""
    _LOG.warning("%s", of_classes(str(message)))


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _log_file(template: str, options: Namespace) -> Path:
    now = datetime.now().strftime(options.fname_datetime_format)
    fields = {
        "processing_step": options.command,
        "task": options.command,
        "now": now,
        "pid": os.getpid(),
    }
    try:
        path = Path(template.format_map(fields)).expanduser()
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        known = ", ".join(f"{{{name}}}" for name in fields)
        raise OptionError(f"the name {template!r} can have {known}: {error!r}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def of_classes(text: str) -> str:
    """Return a text in which arguments of the classes have the names of their options.

    Examples
    --------
    >>> of_classes("give image_area, or another name, or allow_overwrite=True")
    'give --image-area, or another name, or --allow-overwrite'
    """
    text = in_options(text)
    if "; a camera has " in text:
        # these are fields of a file
        return text
    return _ARGUMENT.sub(lambda match: f"--{match[0].replace('_', '-')}", text)


def described(error: Exception) -> str:
    """Return the text of an error in the words of the command line."""
    if isinstance(error, FileNotFoundError) and error.filename and str(error).startswith("[Errno"):
        return f"there is no file {str(error.filename)!r} (seen from {os.getcwd()})"
    return of_classes(str(error))


def print_list(title: str, lines: Sequence[str]) -> None:
    """Print lines below a title; nothing where there are none."""
    if lines:
        print(f"{title}:", *lines, sep="\n  ")


class Progress:
    """A report of frames: a line of the log for each, on a terminal a counter, and a summary."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._left_out: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        # on a terminal that does not show the lines
        self._counted = _on_terminal() and _LOG.getEffectiveLevel() == logging.INFO

    def done(self, frame: str, remark: str = "") -> None:
        """Count a frame that is calibrated."""
        self._done += 1
        colon = ": " if remark else ""
        _LOG.info("calibrated %s, %s%s%s", frame, self._count(), colon, remark)

    def left_out(self, frame: str, reason: str) -> None:
        """Count a frame that was not asked for."""
        self._left_out[frame] = reason
        _LOG.info("left out %s, %s: %s", frame, self._count(), reason)

    def failed(self, frame: str, error: Exception) -> None:
        """Count a frame that cannot be calibrated."""
        expected = isinstance(error, AutowispError | OSError | ValueError)
        reason = of_classes((expected and str(error)) or f"{type(error).__name__}: {error}")
        self._failed[frame] = reason
        _LOG.debug("%s", frame, exc_info=error)
        count = self._count()
        if self._counted:
            sys.stderr.write("\n")
        _LOG.error("%s failed, %s: %s", frame, count, reason)

    def end(self) -> int:
        """Print the summary; return the exit status, 0 if no frame failed and some are done."""
        if self._counted and self._total:
            sys.stderr.write("\n")
        print(f"calibrated {self._done} of {self._total} frames")
        for title, frames in (("left out", self._left_out), ("failed", self._failed)):
            print_list(title, [f"{frame}: {reason}" for frame, reason in frames.items()])
        return 1 if self._failed or not self._done else 0

    def _count(self) -> str:
        number = self._done + len(self._left_out) + len(self._failed)
        if self._counted:
            sys.stderr.write(f"\rcalibrated {number} of {self._total} frames")
            sys.stderr.flush()
        return f"{number} of {self._total}"
