"""``autowisp-xr completion`` prints what makes a shell complete commands and options."""

from argparse import Namespace

from autowisp_xr.cli.parser import program
from autowisp_xr.errors import MissingPackageError

_PATHS = {"DIR", "FILE", "NIGHT_DIR", "OUT", "PATH", "STORE", "TOML"}
"""What stands for a file or directory in the help."""


def run(options: Namespace) -> int:
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
