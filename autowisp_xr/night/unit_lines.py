"""Units as lines of JSON, for engines that know nothing of Python.

Decision: options are values of this package, and become what their fields are, with the name of the
class. A pickle would be shorter, and run whatever somebody put into the file.
"""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, Field, fields, is_dataclass
from importlib import import_module
from operator import methodcaller
from os import PathLike, fspath
from pathlib import Path
from textwrap import shorten
from typing import Any

from autowisp_xr.frames.atomic_write import write_whole
from autowisp_xr.image_smoothing import PolynomialImageSmoother, SplineImageSmoother
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.units import Export, Make, UnitError

_CLASS, _SET = "a", "set"

_SMOOTHERS = (PolynomialImageSmoother, SplineImageSmoother)

_PACKAGE = __name__.partition(".")[0]


def as_line(unit: Export | Make) -> str:
    """Return a unit as a line of JSON.

    Raises
    ------
    UnitError
        For one with options that no text can state, such as functions of the user's own.
    """
    return json.dumps({"unit": type(unit).__name__.lower(), **_plain(vars(unit))})


def unit_of(line: str) -> Export | Make:
    """Return the unit of a line of JSON.

    Raises
    ------
    UnitError
        For a line that holds none.
    """
    try:
        given = json.loads(line)
        kind = {"export": Export, "make": Make}[given.pop("unit")]
        found: Export | Make = kind(**_made(given))
    except (ValueError, KeyError, AttributeError, TypeError, ImportError):
        raise UnitError(sentence("no_unit", line=shorten(line, 60))) from None
    return found


def _plain(value: Any) -> Any:
    """Return what JSON can hold for an option."""
    if is_dataclass(value) and type(value).__module__.startswith(_PACKAGE):
        name = f"{type(value).__module__}:{type(value).__qualname__}"
        given = ((f.name, getattr(value, f.name), _usual(f)) for f in fields(value))
        return {_CLASS: name, **{f: _plain(one) for f, one, usual in given if one != usual}}
    if isinstance(value, _SMOOTHERS):
        name = f"{type(value).__module__}:{type(value).__qualname__}"
        return {_CLASS: name, **_plain(value.options)}
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, AbstractSet):
        return {_SET: sorted(map(_plain, value))}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, PathLike):
        return fspath(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise UnitError(sentence("not_in_units", value=shorten(repr(value), 60)))


def _usual(of: Field[Any]) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_made, value))
    if not isinstance(value, dict):
        return value
    found = {name: _made(one) for name, one in value.items()}
    if found.keys() == {_SET}:
        return frozenset(found[_SET])
    if found.keys() == {"slice"}:
        return slice(*found["slice"])
    if _CLASS not in found:
        return found
    module, _, name = found.pop(_CLASS).partition(":")
    kind = getattr(import_module(module), name) if module.startswith(f"{_PACKAGE}.") else None
    if not (is_dataclass(kind) or kind in _SMOOTHERS):
        raise TypeError(f"{module}:{name} is no option")
    return kind(**found)  # type: ignore[operator]


def write_units(path: Path, planned: Sequence[Export | Make]) -> None:
    """Write units to a file, a line each, in an order in which they can be carried out."""
    check_units(path)
    text = "".join(f"{as_line(unit)}\n" for unit in planned)
    write_whole([(str(path), methodcaller("write", text.encode()))], overwrite=True)


def read_units(path: Path) -> list[Export | Make]:
    """Return the units of a file, in their order.

    Raises
    ------
    UnitError
        For a line that is none, naming the file.
    """
    if path.exists() and not path.is_file():
        raise UnitError(f"{path} is no file of units")
    with path.open(encoding="utf-8") as file:
        try:
            return [unit_of(line) for line in file]
        except (UnitError, UnicodeDecodeError) as error:
            raise UnitError(f"{path}: {error}") from None


def check_units(path: Path) -> None:
    """Refuse a name for units that is that of something else.

    Raises
    ------
    FileExistsError
        For a file that holds no units.
    """
    if path.exists():
        try:
            read_units(path)
        except (UnitError, OSError) as error:
            raise FileExistsError(sentence("units_in_the_way", path=path)) from error
