"""The commands and their options, read from the tables beside this module.

``calibrate.toml``, ``stack.toml``, ``flat.toml`` and ``reduce.toml`` hold ``[commands.NAME]``, each
with its texts and the names of its groups, in the order of the help. A group is a table
``[groups.NAME]`` with the ``title`` that the help shows, and each option stands in it under its own
name, or a positional argument, as a row:

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
``default_of``
    In place of it, the constant of the package that is the default: module and name.
``metavar``, ``choices``, ``required``, ``help``
    As argparse has them, but that a help may have percent signs.
``like``
    The name of a row of ``[rows]``, whose entries this row has unless it has its own.
``what``
    The text for {what} in the help.

The command line and files with options (:mod:`autowisp_xr.cli.settings`) are read by the same rows.
"""

from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from autowisp_xr.cli import areas, values
from autowisp_xr.night.verdict import EXIT_STATUS
from autowisp_xr.own_tables import table_beside

_TABLES = ("reduce", "calibrate", "stack", "flat", "shared")

HELP_ALL = "--help-all"

_READERS: Mapping[str, Callable[[Any], Any]] = {**vars(areas), **vars(values)}
"""The functions that read the text of an option, by the names that the tables give them."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One row of a table: an option, or a positional argument."""

    names: Sequence[str]
    """The first long name is that of the value."""
    help: str
    type: str | None = None
    nargs: str | int | None = None
    default: object = None
    metavar: str | None = None
    choices: Sequence[str] = ()
    required: bool = False

    @property
    def dest(self) -> str:
        """The name of the value among those of the command."""
        long = (name.removeprefix("--") for name in self.names if name.startswith("--"))
        return next(long, self.names[0]).replace("-", "_")

    @property
    def is_switch(self) -> bool:
        """Whether the value is True or False."""
        return isinstance(self.default, bool)

    def read(self, given: str | Sequence[str] | bool) -> Any:
        """Return the value of a text, or of several with ``nargs``; else a ValueError."""
        if self.type is not None:
            return _READERS[self.type](given)
        return tuple(given) if isinstance(given, list) else given

    def initial(self) -> Any:
        """Return the default as a value."""
        if isinstance(self.default, list):
            return tuple(self.default)
        return self.read(self.default) if isinstance(self.default, str) else self.default

    def keywords(self) -> dict[str, Any]:
        """Return the arguments of ``add_argument``, which leaves out options that are not given."""
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

    def add_brief(self, parser: ArgumentParser, text: str) -> None:
        """Add a row of a help that has one line on each option, and of a parser for it alone."""
        names = [min(self.names, key=len)]
        value = f"{{{','.join(self.choices)}}}" if self.choices else self.metavar
        keywords: dict[str, Any] = {"metavar": value}
        if self.is_switch:
            keywords = {"action": "store_true"}
        parser.add_argument(*names, help=text, **keywords)


@dataclass(frozen=True)
class Group:
    """Options that stand together in the help, and often are the arguments of one thing."""

    title: str
    options: Sequence[Option]


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command: its texts in the help, and its options by group."""

    name: str
    example: str
    """The arguments of its most common call."""
    help: str
    description: str
    epilog: str = ""
    usage: str | None = None
    brief: Mapping[str, str] = field(default_factory=dict)
    """The options that ``--help`` shows, with a line on each: it fits on a screen, and
    ``--help-all`` has the rest. A command without has few enough to show them all."""
    groups: Mapping[str, Group]

    @property
    def options(self) -> list[Option]:
        """All options and positional arguments."""
        return [option for group in self.groups.values() for option in group.options]

    def texts(self, *, brief: bool) -> dict[str, Any]:
        """Return the arguments of ``add_parser``, for a help of one screen or of everything."""
        texts = {"help": self.help, "usage": self.usage}
        if brief and self.brief:
            return texts | {"description": f"{self.help[0].upper()}{self.help[1:]}."}
        return texts | {"description": self.description, "epilog": self.epilog}

    def fill(self, parser: ArgumentParser, *, brief: bool) -> None:
        """Add the options to the parser: those that a short help shows, or all in their groups."""
        more = f"show all {len(self.options)} options" if self.brief else SUPPRESS
        parser.add_argument(HELP_ALL, action="help", help=more)
        if brief and self.brief:
            rows = {option.names[0]: option for option in self.options}
            for name, text in self.brief.items():
                rows[name].add_brief(parser, text)
            return
        for group in self.groups.values():
            place = parser.add_argument_group(group.title) if group.title else parser
            for option in group.options:
                place.add_argument(*option.names, **option.keywords())


@cache
def commands() -> Mapping[str, Command]:
    """Return all commands by their names, in the order of the help."""
    tables: dict[str, dict[str, Any]] = {"commands": {}, "groups": {}, "rows": {}}
    for name in _TABLES:
        for kind, entries in table_beside(__file__, name).items():
            tables[kind] |= entries
    status = "; ".join(f"{number}: {meaning}" for number, meaning in EXIT_STATUS.items())
    found = {}
    for name, entry in tables["commands"].items():
        groups = {key: _group(tables["groups"][key], tables["rows"]) for key in entry["groups"]}
        entry["epilog"] = entry.get("epilog", "").replace("{exit_status}", status)
        found[name] = Command(name=name, **entry | {"groups": groups})
    return found


def _group(table: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Group:
    options = [_option(name, row, rows) for name, row in table.items() if name != "title"]
    return Group(table.get("title", ""), options)


def _option(name: str, row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> Option:
    given = {**rows.get(row.get("like", ""), {}), **row}
    given.pop("like", None)
    names = (name, *given.pop("also", ()))
    given["help"] = given["help"].replace("{what}", given.pop("what", ""))
    if "default_of" in given:
        module, _, constant = given.pop("default_of").rpartition(".")
        given["default"] = getattr(import_module(f"autowisp_xr.{module}"), constant)
    return Option(names=names, **given)
