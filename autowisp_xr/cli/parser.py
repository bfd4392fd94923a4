"""The parser of the command line, one for each of its commands, and what completes them."""

from argparse import ArgumentParser, Namespace
from importlib.metadata import version

from autowisp_xr.cli.options import commands
from autowisp_xr.errors import MissingPackageError

_PATHS = {"DIR", "FILE", "NIGHT_DIR", "OUT", "PATH", "STORE", "TOML"}
"""What stands for a file or directory in the help."""


class Parser(ArgumentParser):
    """A parser whose help begins with an example."""

    example = ""

    def format_help(self) -> str:
        """Return the help, the example first."""
        return f"example: {self.prog} {self.example}".rstrip() + f"\n\n{super().format_help()}"


def program(*, brief: bool = False) -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the program, and those of its commands by name.

    Parameters
    ----------
    brief
        Whether it only prints the help of one screen.
    """
    parser = Parser(
        prog="autowisp-xr",
        description="Calibrate and stack astronomical frames, with honest variances.",
        epilog="Each command has more: autowisp-xr COMMAND --help",
    )
    parser.example = f"reduce {commands()['reduce'].example}"
    parser.add_argument("--version", action="version", version=version("autowisp-xr"))
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    steps = parser.add_subparsers(
        required=True, dest="command", title="commands", metavar="COMMAND"
    )
    parsers = {}
    for name, command in commands().items():
        parsers[name] = steps.add_parser(name, allow_abbrev=False, **command.texts(brief=brief))
        parsers[name].example = command.example
        command.fill(parsers[name], brief=brief)
    return parser, parsers


def completion(options: Namespace) -> int:
    """Print the script of a shell; MissingPackageError without shtab."""
    try:
        import shtab
    except ImportError:
        raise MissingPackageError(
            "completion is made by shtab, of the extra terminal: pip install '.[terminal]'"
        ) from None
    parser, parsers = program()
    for command in parsers.values():
        for action in command._actions:
            if isinstance(action.metavar, str) and action.metavar.split("]")[-1] in _PATHS:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, options.shell))
    return 0
