"""The program ``autowisp-xr``: its commands, and how it ends."""

import argparse
import gc
import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import version

from autowisp_xr.cli import settings
from autowisp_xr.cli.calibrate import add_calibrate
from autowisp_xr.cli.flat import add_flat
from autowisp_xr.cli.night import add_demo, add_info, add_reduce
from autowisp_xr.cli.stack import add_stack
from autowisp_xr.cli.values import in_options

__all__ = ["main"]

# argparse would take "-1,0" for an option
_PAIR = re.compile(r"-\d+\s*,\s*-?\d+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 if all went well, 1 after an error, 2 for a wrong call."""
    if arguments is not None:
        return _run(arguments)
    try:
        return _run(sys.argv[1:])
    finally:
        # the process ends: to look for garbage in all that was imported takes a tenth of a second
        gc.freeze()


def _run(arguments: Sequence[str]) -> int:
    given = [f" {word}" if _PAIR.fullmatch(word) else word for word in arguments]
    parser = _parser()
    options = parser.parse_args(given)
    # what computes is imported here, so that --help answers at once
    from autowisp_xr.errors import AutowispError

    try:
        if settings.apply(options):
            # once more, with the files as defaults: what was said here goes before
            options = parser.parse_args(given)
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # who reads what is printed has heard enough; nothing more may be flushed into the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("autowisp-xr: interrupted", file=sys.stderr)
        return 130
    except (AutowispError, OSError, ValueError, MemoryError) as error:
        if options.debug:
            raise
        text = f"autowisp-xr: error: {in_options(str(error))}"
        print(text.encode(errors="backslashreplace").decode(), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="autowisp-xr",
        description="Calibrate and stack astronomical frames, with honest variances.",
    )
    parser.add_argument("--version", action="version", version=version("autowisp-xr"))
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    steps = parser.add_subparsers(required=True, title="commands", metavar="COMMAND")
    for add_command in (add_demo, add_info, add_reduce, add_calibrate, add_stack, add_flat):
        add_command(steps)
    return parser
