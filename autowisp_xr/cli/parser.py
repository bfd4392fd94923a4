"""The parser of the command line: that of the program, and one for each of its commands."""

from argparse import ArgumentParser
from importlib.metadata import version

from autowisp_xr.cli.options import commands


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
