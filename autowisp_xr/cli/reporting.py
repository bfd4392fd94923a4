"""What a step says while it runs, and where: log, counter, files instead of the terminal."""

import contextlib
import logging
import os
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from autowisp_xr.cli.values import OptionError

__all__ = ["Progress", "reporting"]

_LOG = logging.getLogger("autowisp_xr")


@contextlib.contextmanager
def reporting(options: Namespace) -> Iterator[None]:
    """Log, and print, as the options say, while the step runs.

    The lines of the log go to the file that was named, else to the standard error; there, on a
    terminal, a counter stands for the lines of frames, unless all is to be logged (``debug``).
    """
    with contextlib.ExitStack() as stack:
        if options.std_out_err_fname:
            path = _log_file(options.std_out_err_fname, options)
            file = stack.enter_context(open(path, "a", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(file))
            stack.enter_context(contextlib.redirect_stderr(file))
        stack.enter_context(_logging(options))
        if options.iers_auto_max_age is not None:
            from astropy.utils import iers

            stack.enter_context(iers.conf.set_temp("auto_max_age", options.iers_auto_max_age))
        yield


@contextlib.contextmanager
def _logging(options: Namespace) -> Iterator[None]:
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
    before = _LOG.level, _LOG.propagate
    _LOG.setLevel(level)
    _LOG.propagate = False
    for handler in handlers:
        handler.setFormatter(form)
        _LOG.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            yield
    finally:
        for handler in handlers:
            _LOG.removeHandler(handler)
            handler.close()
        _LOG.setLevel(before[0])
        _LOG.propagate = before[1]


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    """One line in the log: where in the code a warning came from is of no use to an observer."""
    _LOG.warning("%s", message)


def _on_terminal() -> bool:
    return sys.stderr.isatty()


def _log_file(template: str, options: Namespace) -> Path:
    now = datetime.now().strftime(options.fname_datetime_format)
    fields = {"processing_step": options.step, "task": options.step, "now": now, "pid": os.getpid()}
    try:
        path = Path(template.format_map(fields)).expanduser()
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        known = ", ".join(f"{{{name}}}" for name in fields)
        raise OptionError(f"the name {template!r} can have {known}: {error!r}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


class Progress:
    """How far a step is: a line of the log for each frame, on a terminal a counter.

    Parameters
    ----------
    total
        Number of frames.
    doing
        What is done with them: "calibrated", say.
    """

    def __init__(self, total: int, doing: str) -> None:
        self._total = total
        self._doing = doing
        self._number = 0
        # on a terminal that does not show the lines
        self._counted = _on_terminal() and _LOG.getEffectiveLevel() == logging.INFO

    def done(self, frame: str, remark: str = "") -> None:
        """One more frame went well."""
        self._next()
        said = f": {remark}" if remark else ""
        _LOG.info("%s %s, %d of %d%s", self._doing, frame, self._number, self._total, said)

    def left_out(self, frame: str, reason: str) -> None:
        """One more frame was not asked for."""
        self._next()
        _LOG.info("left out %s, %d of %d: %s", frame, self._number, self._total, reason)

    def failed(self, frame: str, reason: str) -> None:
        """One more frame cannot be done."""
        self._next()
        if self._counted:
            sys.stderr.write("\n")
        _LOG.error("%s failed, %d of %d: %s", frame, self._number, self._total, reason)

    def end(self) -> None:
        """Leave the line of the counter."""
        if self._counted and self._number:
            sys.stderr.write("\n")

    def _next(self) -> None:
        self._number += 1
        if self._counted:
            sys.stderr.write(f"\r{self._doing} {self._number} of {self._total} frames")
            sys.stderr.flush()
