"""What a person at a terminal sees: lines in colours and of its width, and bars of progress.

By rich, if it is installed and the output is a terminal; otherwise lines are plain.
"""

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autowisp_xr.errors import NotWrittenError

if TYPE_CHECKING:
    from rich.console import Console

    from autowisp_xr.night import Summary

_VERDICTS = {0: "bold green", 1: "bold red", 3: "bold yellow"}
"""Styles of the last line, by the exit status."""

_INDENT = "    "


@contextmanager
def following() -> Iterator["Console | None"]:
    """Show progress of the work inside, and give the console; None where there is no terminal."""
    from autowisp_xr.bridge.progress import followed

    console = _console()
    with followed(console):
        yield console


def print_line(line: str) -> None:
    """Print a line at once: a file that takes it shows how far the work is.

    Raises
    ------
    NotWrittenError
        Where it cannot be printed, as into a file on a full disk.
    """
    try:
        print(line, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = f"what is printed cannot be written where it goes: {error.strerror}"
        raise NotWrittenError(f"{reason}; run the same again: what is whole is kept") from error


def show(summary: "Summary", console: "Console | None") -> None:
    """Print a summary: doubts and failures stand out, and long lines are indented."""
    if console is None:
        print(summary, end="")
        return
    section = ""
    for line in str(summary).splitlines():
        if not line.startswith(" "):
            section = line.partition(":")[0]
        style = _style(line, section)
        if line == summary.verdict:
            style = _VERDICTS[3 if "doubtful" in line else summary.exit_status]
        indent = " " * (len(line) - len(line.lstrip())) + _INDENT
        folded = textwrap.wrap(
            line,
            console.width,
            subsequent_indent=indent,
            # paths and options are to be copied
            break_long_words=False,
            break_on_hyphens=False,
        )
        for part in folded or [""]:
            console.print(part, style=style, markup=False, highlight=False, soft_wrap=True)


def _style(line: str, section: str) -> str:
    if "DOUBT: " in line or "WARNING: " in line:
        return "yellow"
    return {"Failed": "red", "Left out": "yellow"}.get(section, "")


def _console() -> "Console | None":
    if not sys.stdout.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()
