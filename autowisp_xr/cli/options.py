"""What the commands are, and what their options: the tables beside this module, read once.

``calibrate.toml``, ``stack.toml``, ``flat.toml`` and ``night.toml`` hold ``[commands.NAME]``, each
with its texts and the names of its groups, in the order of the help. A group is a table
``[groups.NAME]``, and in it stands each option under its own name, or a positional argument, as a
row:

``also``
    Other names.
``type``
    The function of :mod:`autowisp_xr.cli.values` or :mod:`autowisp_xr.cli.areas` that reads the
    text; without it, text stays text. For an option with ``nargs`` it reads all texts at once.
``nargs``
    For an option of several values: "+", "*", or 1 for one that is repeated instead.
``default``
    Shown in the help. A text is read like one of the command line; true and false make an option
    with two names, --x and --no-x.
``metavar``, ``choices``, ``required``, ``help``
    As argparse has them, but that a help may have percent signs.
``like``
    The name of a row of ``[rows]``, whose entries this row has where it says nothing else.
``what``
    Stands for {what} in the help.

The command line and files with options (:mod:`autowisp_xr.cli.settings`) are read by the same rows.
"""

import tomllib
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from autowisp_xr.cli import areas, values
from autowisp_xr.kinds import EXPOSURE_TOLERANCE, TEMPERATURE_TOLERANCE
from autowisp_xr.night.verdict import EXIT_STATUS
from autowisp_xr.options import MIN_FLAT

_TABLES = ("night", "calibrate", "stack", "flat", "shared")

_READERS: Mapping[str, Callable[[Any], Any]] = {
    name: getattr(module, name) for module in (areas, values) for name in module.__all__
}

_ELSEWHERE = {
    "--temperature-tolerance": TEMPERATURE_TOLERANCE,
    "--exposure-tolerance": EXPOSURE_TOLERANCE,
    "--min-flat": MIN_FLAT,
}
"""Defaults that the package has already, and no table repeats."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One row of a table: an option, or a positional argument."""

    names: Sequence[str]
    """The first long one is that of the value."""
    help: str
    type: str | None = None
    nargs: str | int | None = None
    default: object = None
    metavar: str | None = None
    choices: Sequence[str] = ()
    required: bool = False

    @property
    def dest(self) -> str:
        """Name of the value among those of the command."""
        long = (name.removeprefix("--") for name in self.names if name.startswith("--"))
        return next(long, self.names[0]).replace("-", "_")

    @property
    def is_switch(self) -> bool:
        """Whether the value is True or False."""
        return isinstance(self.default, bool)

    def read(self, given: str | Sequence[str] | bool) -> Any:
        """The value of a text, or of several with ``nargs``; ValueError for what it cannot be."""
        if self.type is not None:
            return _READERS[self.type](given)
        return tuple(given) if isinstance(given, list) else given

    def initial(self) -> Any:
        """The value where nothing is said."""
        if isinstance(self.default, list):
            return tuple(self.default)
        return self.read(self.default) if isinstance(self.default, str) else self.default

    def keywords(self) -> dict[str, Any]:
        """Arguments of ``add_argument`` for it; what it was not given is not in the result."""
        shown = self.default if isinstance(self.default, list) else [self.default]
        default = "" if self.is_switch or self.default is None else " ".join(map(str, shown))
        help = f"{self.help} (default: {default})" if default else self.help
        keywords: dict[str, Any] = {"default": SUPPRESS, "help": help.replace("%", "%%")}
        if self.is_switch:
            return keywords | {"action": BooleanOptionalAction}
        if self.nargs is not None:
            keywords |= {"nargs": self.nargs, "action": "extend"}
        for name in ("metavar", "choices", "required"):
            if getattr(self, name):
                keywords[name] = getattr(self, name)
        return keywords


@dataclass(frozen=True, kw_only=True)
class Command:
    """What is called by a name of its own: its texts in the help, and its options by group."""

    name: str
    help: str
    description: str
    epilog: str = ""
    usage: str | None = None
    groups: Mapping[str, Sequence[Option]]

    @property
    def options(self) -> list[Option]:
        """All options and positional arguments."""
        return [option for group in self.groups.values() for option in group]

    def fill(self, parser: ArgumentParser) -> None:
        """Add the options to the parser of the command, in their groups."""
        for title, options in self.groups.items():
            group = parser.add_argument_group(title) if title else parser
            for option in options:
                group.add_argument(*option.names, **option.keywords())


@cache
def commands() -> Mapping[str, Command]:
    """All commands by their names, in the order of the help."""
    tables: dict[str, dict[str, Any]] = {"commands": {}, "groups": {}, "rows": {}}
    for name in _TABLES:
        with Path(__file__).with_name(f"{name}.toml").open("rb") as file:
            for kind, entries in tomllib.load(file).items():
                tables[kind] |= entries
    status = "; ".join(f"{number}: {meaning}" for number, meaning in EXIT_STATUS.items())
    found = {}
    for name, entry in tables["commands"].items():
        groups = {}
        for group in map(tables["groups"].__getitem__, entry.pop("groups")):
            rows = {key: row for key, row in group.items() if key != "title"}
            options = [_option(key, row, tables["rows"]) for key, row in rows.items()]
            groups[group.get("title", "")] = options
        entry["epilog"] = entry.get("epilog", "").replace("{exit_status}", status)
        found[name] = Command(name=name, groups=groups, **entry)
    return found


def _option(name: str, row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Option:
    like = rows[row["like"]] if "like" in row else {}
    given = {"default": _ELSEWHERE.get(name), **like, **row}
    names = (name, *given.pop("also", ()))
    given["help"] = given["help"].replace("{what}", given.pop("what", ""))
    given.pop("like", None)
    return Option(names=names, **given)
