"""Options from TOML files, read and checked as if they stood on the command line."""

import argparse
import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autowisp_xr.cli.options import Listed
from autowisp_xr.cli.values import OptionError
from autowisp_xr.errors import AutowispError

__all__ = ["apply", "in_table"]

_STEPS = ("calibrate", "stack", "flat", "info", "reduce")
"""Tables that a file may have, so that one file serves all steps."""

_OF_NIGHT = ("camera", "types", "spellings")
"""Tables that are no options, but say what frames are; for the steps that look at a night."""

_AREA = ("xmin", "xmax", "ymin", "ymax")

_FILES = ("config_file", "extra_config_file")


def apply(options: argparse.Namespace) -> bool:
    """Make the options of the files that were named the defaults of the step.

    Parameters
    ----------
    options
        As parsed from the command line. Later files go before earlier ones.

    Returns
    -------
    Whether there were any files.

    Raises
    ------
    OptionError
        For a file that is no TOML, an option that the step does not have, given twice, or with a
        value that it cannot have; naming the file.
    FileNotFoundError
        If there is no such file.
    """
    files = [getattr(options, name) for name in _FILES if getattr(options, name, None)]
    tables: dict[str, Any] = {}
    for file in files:
        given = _load(file)
        options.parser.set_defaults(**_read(file, given, options.parser, options.step))
        tables |= {name: given[name] for name in _OF_NIGHT if name in given}
        options.parser.set_defaults(tables=tables)
    return bool(files)


@contextmanager
def in_table(file: str, table: str) -> Iterator[None]:
    """Say in which file and table of it a value is that cannot be."""
    try:
        yield
    except (AutowispError, TypeError, ValueError) as error:
        raise OptionError(f"{file}: [{table}]: {error}") from error


def _load(file: str) -> dict[str, Any]:
    with open(os.path.expanduser(file), "rb") as opened:
        try:
            return tomllib.load(opened)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OptionError(f"{file} is not valid TOML: {error}") from error


def _read(
    file: str, given: Mapping[str, Any], parser: argparse.ArgumentParser, step: str
) -> dict[str, Any]:
    tables = {
        key: value
        for key, value in given.items()
        if isinstance(value, Mapping) and set(value) != set(_AREA)
    }
    unknown = sorted(set(tables) - {*_STEPS, *_OF_NIGHT})
    options = [key for key in unknown if key.replace("_", "-") in _actions(parser)]
    if options:
        raise OptionError(
            f"{file}: {options[0]} is written as on the command line, in quotation marks, not as a "
            "table"
        )
    if unknown:
        raise OptionError(f"{file}: [{unknown[0]}] is not a step; steps are {', '.join(_STEPS)}")
    top = {key: value for key, value in given.items() if key not in tables}
    # what a table says of its step goes before what is said at the top
    return _values(file, parser, top, step) | _values(file, parser, tables.get(step, {}), step)


def _values(
    file: str, parser: argparse.ArgumentParser, given: Mapping[str, Any], step: str
) -> dict[str, Any]:
    known = _actions(parser)
    found: dict[str, Any] = {}
    for key, value in given.items():
        action = known.get(key.replace("_", "-"))
        if action is None:
            raise OptionError(f"{file}: {_unknown(key, list(known), step)}")
        if action.dest in found:
            raise OptionError(f"{file}: {key} is given twice, under two spellings")
        try:
            found[action.dest] = _value(action, value)
        except ValueError as error:
            raise OptionError(f"{file}: {key}: {error}") from error
    return found


def _actions(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """What a file may set: each long option by its name."""
    return {
        name.removeprefix("--"): action
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
        and not name.startswith("--no-")
        and action.dest not in (*_FILES, "help")
    }


def _unknown(key: str, known: list[str], step: str) -> str:
    near = difflib.get_close_matches(key.replace("_", "-"), known, n=3)
    hint = f"near it are {', '.join(near)}" if near else f"it has {', '.join(sorted(known))}"
    return (
        f"{step} has no option {key!r}; {hint}. What is for another step goes into a table of "
        f"its name, {' or '.join(f'[{other}]' for other in _STEPS if other != step)}"
    )


def _value(action: argparse.Action, value: Any) -> Any:
    if isinstance(action, argparse.BooleanOptionalAction):
        if not isinstance(value, bool):
            raise OptionError(f"it is true or false, not {value!r}")
        return value
    if isinstance(action, Listed):
        items = value if isinstance(value, list) else [value]
        if not items and action.nargs == "+":
            raise OptionError("it needs at least one value")
        return action.combine([_text(item) for item in items])
    text = _text(value)
    if action.choices is not None and text not in action.choices:
        raise OptionError(f"it is one of {', '.join(action.choices)}, not {text!r}")
    return action.type(text) if callable(action.type) else text


def _text(value: Any) -> str:
    """A value of TOML as it would stand on the command line."""
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
