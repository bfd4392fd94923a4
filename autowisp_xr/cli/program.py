"""The program ``autowisp-xr``: its commands, its errors and its exit status."""

import difflib
import gc
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from autowisp_xr.cli import calibrate, flat, parser, reduce, stack
from autowisp_xr.cli.log import described, reporting
from autowisp_xr.cli.options import Command, commands
from autowisp_xr.cli.settings import resolve
from autowisp_xr.errors import AutowispError
from autowisp_xr.filesystem.addresses import printable

_RUN: Mapping[str, Callable[[Namespace], int]] = {
    "demo": reduce.demo,
    "info": reduce.info,
    "camera": reduce.camera,
    "reduce": reduce.reduce,
    "report": reduce.report,
    "run": reduce.run,
    "verify": reduce.verify,
    "calibrate": calibrate.run,
    "stack": stack.run,
    "flat": flat.run,
    "completion": parser.completion,
}

_OF_ORIGINAL = ("calibrate", "stack", "flat")
"""Commands in which an empty text may be the value of an option."""

# argparse would take "-1,0" for an option
_PAIR = re.compile(r"-\d+\s*,\s*-?\d+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 if all went well, 1 after an error, 2 for a wrong call."""
    if arguments is not None:
        return _run(arguments)
    _open_streams()
    try:
        return _run(sys.argv[1:])
    finally:
        # the process is ours, and ends: looking for garbage in all that was imported takes time
        gc.freeze()


def _open_streams() -> None:
    """Let streams that the caller has closed lead nowhere, and no file of ours take their place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        if number > 0:
            setattr(sys, ("stdout", "stderr")[number - 1], os.fdopen(number, "w"))
    os.close(number)


def _run(arguments: Sequence[str]) -> int:
    command, values = _parse(arguments)
    try:
        options = resolve(command, values)
        with reporting(options) if hasattr(options, "verbose") else nullcontext():
            status = _RUN[command.name](options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # nobody reads what is printed any more, and nothing may be flushed into the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("autowisp-xr: interrupted; what is done is kept", file=sys.stderr)
        return 130
    except Exception as error:
        if values["debug"]:
            raise
        text = described(error)
        if not isinstance(error, AutowispError | OSError | ValueError | MemoryError):
            text = f"{type(error).__name__}: {text} (an error of this program; --debug shows where)"
        lines = f"autowisp-xr: error: {text}".split("\n")
        print("\n".join(map(printable, lines)), file=sys.stderr)
        return 1


def _near(word: str, command: Command) -> str:
    """Name the options that a word may be meant for."""
    names = [name for option in command.options for name in option.names]
    near = difflib.get_close_matches(word.partition("=")[0], names, n=2)
    return f"; near it are {', '.join(near)}" if near else f"; see {command.name} --help-all"


def _parse(arguments: Sequence[str]) -> tuple[Command, dict[str, Any]]:
    """Return the command, and the values that the command line gives."""
    brief = not {"-h", "--help"}.isdisjoint(arguments)
    of_program, parsers = parser.program(brief=brief)
    given = [f" {word}" if _PAIR.fullmatch(word) else word for word in arguments]
    namespace, unknown = of_program.parse_known_args(given)
    found = vars(namespace)
    command = commands()[found["command"]]
    if unknown:
        parsers[command.name].error(
            f"unrecognized arguments: {' '.join(unknown)}{_near(unknown[0], command)}"
        )
    values = {"debug": found["debug"]}
    for option in command.options:
        if option.dest in found:
            given = found[option.dest]
            if "\0" in (given if isinstance(given, str) else ""):
                parsers[command.name].error(f"argument {'/'.join(option.names)}: it has a NUL")
            if given in ("", [""]) and command.name not in _OF_ORIGINAL:
                parsers[command.name].error(f"argument {'/'.join(option.names)}: it is empty")
            try:
                values[option.dest] = option.read(found[option.dest])
            except ValueError as error:
                parsers[command.name].error(f"argument {'/'.join(option.names)}: {error}")
    return command, values
