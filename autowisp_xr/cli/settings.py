"""The values of options: those of the command line, else of TOML files, else the defaults."""

import difflib
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autowisp_xr.cli.options import Command, Option, commands
from autowisp_xr.cli.values import OptionError
from autowisp_xr.errors import AutowispError
from autowisp_xr.filesystem.toml_files import read_toml

_OF_NIGHT = ("camera", "types", "aliases")
"""Tables that are not options but describe frames, for the commands that look at a night."""

_SHOWS = {"info": "reduce"}
"""Commands that show what another one would do, and take what they know of its table, too."""

_AREA = ("xmin", "xmax", "ymin", "ymax")

_FILES = ("config_file", "extra_config_file")


def resolve(command: Command, values: Mapping[str, Any]) -> Namespace:
    """Return the values of all options of a command, and of its positional arguments.

    Parameters
    ----------
    command
        The command.
    values
        The values of the command line. They go before those of files, of which the later ones go
        before the earlier ones, and these before the defaults.

    Returns
    -------
    The values by their names; by group, in ``groups``, once more. ``command`` is the name of the
    command, ``chosen`` the names of the values that are no defaults, ``tables`` the tables of
    files that describe the frames of a night.

    Raises
    ------
    OptionError
        For a file that is not TOML, an option that the command does not have, given twice, or with
        a value that it cannot have; naming the file.
    FileNotFoundError
        If there is no such file.
    """
    tables: dict[str, Any] = {}
    chosen: dict[str, Any] = {}
    for file in filter(None, map(values.get, _FILES)):
        given = read_toml(file, OptionError)
        chosen |= _read(file, given, command)
        tables |= {name: given[name] for name in _OF_NIGHT if name in given}
    chosen |= values
    found = {o.dest: o.initial() for o in command.options if o.dest not in chosen} | chosen
    groups = {
        name: {option.dest: found[option.dest] for option in group.options}
        for name, group in command.groups.items()
    }
    known = {"command": command.name, "chosen": set(chosen), "tables": tables, "groups": groups}
    return Namespace(**found, **known)


@contextmanager
def in_table(file: str, table: str) -> Iterator[None]:
    """Name the file and its table in errors about what stands there."""
    try:
        yield
    except (AutowispError, TypeError, ValueError) as error:
        raise OptionError(f"{file}: [{table}]: {error}") from error


def _options(command: Command) -> dict[str, Option]:
    """Return the options that a file may set, by each name without its dashes."""
    return {
        name.removeprefix("--"): option
        for option in command.options
        for name in option.names
        if name.startswith("--") and option.dest not in _FILES
    }


def _steps() -> list[str]:
    """Return the commands that read files, each of which may have a table of its own there."""
    return [
        name
        for name, command in commands().items()
        if any(option.dest in _FILES for option in command.options)
    ]


def _read(file: str, given: Mapping[str, Any], command: Command) -> dict[str, Any]:
    known, steps = _options(command), _steps()
    tables = {
        key: value
        for key, value in given.items()
        if isinstance(value, Mapping) and set(value) != set(_AREA)
    }
    for key in sorted(set(tables) - {*steps, *_OF_NIGHT}):
        if key.replace("_", "-") in known:
            raise OptionError(
                f"{file}: {key} is written as on the command line, in quotation marks, not as a "
                "table"
            )
        raise OptionError(f"{file}: [{key}] is not a step; steps are {', '.join(steps)}")
    values: dict[str, Any] = {}
    top = {key: value for key, value in given.items() if key not in tables}
    shown = tables.get(_SHOWS.get(command.name, ""), {})
    shared = {key: value for key, value in shown.items() if key.replace("_", "-") in known}
    # the table of the step goes before the options at the top
    for entries in (top, shared, tables.get(command.name, {})):
        found: dict[str, Any] = {}
        for key, value in entries.items():
            option = known.get(key.replace("_", "-"))
            if option is None:
                others = " or ".join(f"[{step}]" for step in steps if step != command.name)
                raise OptionError(f"{file}: {_unknown(key, list(known), command.name, others)}")
            if option.dest in found:
                raise OptionError(f"{file}: {key} is given twice, under two names")
            try:
                found[option.dest] = _value(option, value)
            except ValueError as error:
                raise OptionError(f"{file}: {key}: {error}") from error
        values |= found
    return values


def _unknown(key: str, known: list[str], step: str, others: str) -> str:
    near = difflib.get_close_matches(key.replace("_", "-"), known, n=3)
    hint = f"near it are {', '.join(near)}" if near else f"it has {', '.join(sorted(known))}"
    return (
        f"{step} has no option {key!r}; {hint}. What is for another step goes into a table of "
        f"its name, {others}"
    )


def _value(option: Option, value: object) -> Any:
    if option.is_switch:
        if not isinstance(value, bool):
            raise OptionError(f"it is true or false, not {value!r}")
        return value
    items = value if option.nargs is not None and isinstance(value, list) else [value]
    if not items and option.nargs == "+":
        raise OptionError("it needs at least one value")
    texts = [_text(item) for item in items]
    for text in texts:
        if option.choices and text not in option.choices:
            raise OptionError(f"it is one of {', '.join(option.choices)}, not {text!r}")
    return option.read(texts if option.nargs is not None else texts[0])


def _text(value: object) -> str:
    """Return a value of TOML as it would stand on the command line."""
    if isinstance(value, list) and all(isinstance(item, int | float) for item in value):
        # an area, or a leak direction
        return ",".join(map(str, value))
    if isinstance(value, dict) and set(value) == set(_AREA):
        return ",".join(str(value[name]) for name in _AREA)
    if isinstance(value, list | dict):
        raise OptionError(
            f"it takes one value, in the form that it has on the command line: {value!r}"
        )
    return str(value)
