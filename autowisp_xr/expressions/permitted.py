"""The functions, attributes and operators of expressions, with limits to the size of results."""

import ast
import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats

LONGEST = 4096
"""Largest number of letters of a text, of elements of a list, of bits of a whole number."""

_LARGEST_ARRAY = 10_000

# "%99999d", "%*d", "%(NAME)99999d"
_WIDE = re.compile(r"%(\([^)]*\))?[^a-zA-Z%]*(\*|\d{4})")

# astropy computes what stands in the text of a unit: "10**9999999999 adu"
_POWER = re.compile(r"(\*\*|\^)[^\w*^]*\d{4}")

_PYTHON = (
    *(abs, all, any, bool, chr, dict, divmod, float, int, len, list, max, min, ord, repr),
    *(reversed, set, sorted, str, tuple, zip),
)

_LISTS = tomllib.loads(files(__package__).joinpath("permitted.toml").read_text("utf-8"))


@cache
def functions() -> dict[str, Any]:
    """Return functions and constants by name; one that Python and NumPy share is Python's."""
    table: dict[str, Any] = {name: getattr(np, name) for name in _LISTS["numpy"].split()}
    table |= {name: _in_floats(table[name]) for name in _LISTS["growing"].split()}
    table |= {function.__name__: function for function in _PYTHON}
    return table | {"array": _array, "ln": np.log, "pow": _power, "round": _round, "sum": _sum}


def named(name: str) -> Any:
    """Return the function or constant of a name; None where there is none."""
    if name == "units":
        from astropy import units

        return units
    if name == "nanrank":
        import bottleneck

        return bottleneck.nanrankdata
    if name in ("iterative_rejection_average", "iterative_rej_polynomial_fit"):
        from autowisp_xr import stats

        return _limited(getattr(stats, name.replace("_rej_", "_rejection_")))
    return functions().get(name)


def attribute(thing: Any, name: str) -> Any:
    """Return an attribute that can do nothing but compute; all others are refused."""
    from astropy import units

    unit = (units.UnitBase, units.FunctionUnitBase)
    if thing is units:
        found = getattr(units, name, None)
        if isinstance(found, unit) or found is units.Unit:
            return found
        raise AttributeError(f"astropy has no unit {name!r}")
    # a Quantity is an array too, and a NumPy scalar is a number: the first that fits counts
    kinds: list[tuple[Any, str]] = [
        (str, "text"),
        (units.Quantity, "quantity array unit"),
        (np.ndarray | np.generic, "array"),
        (unit, "unit"),
        (Number, "number"),
        (dict | list | tuple, "collection"),
    ]
    lists = next((lists for types, lists in kinds if isinstance(thing, types)), "")
    if not any(name in _LISTS["attributes"][kind].split() for kind in lists.split()):
        raise AttributeError(f"a {type(thing).__name__} has no {name!r} that may be used here")
    found = getattr(thing, name)
    return _limited(found) if isinstance(thing, str) else found


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that it refuses whole numbers that could be the size of a huge result."""

    def call(*given: object, **named: object) -> Any:
        for value in (*given, *named.values()):
            if isinstance(value, int) and abs(value) > LONGEST:
                raise ValueError(f"{value} is too large; at most {LONGEST}")
        return function(*given, **named)

    return call


def bounded(value: Any) -> Any:
    """Return the value, unless it is so large that the next operation could fill the memory."""
    _check_size(value.bit_length() if isinstance(value, int) else _size(value))
    return value


def _size(value: object) -> int:
    """Count letters and elements of a text or of nested lists, no further than is needed."""
    size, pending = 0, [value]
    while pending and size <= LONGEST:
        item = pending.pop()
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            pending += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set):
            size += len(item)
            pending += item
    return size


def check_operands(given: Iterable[object]) -> None:
    """Raise ValueError for arrays that are too large together, and for a power in a text.

    Astropy takes a text beside a unit, or as an argument, for a unit, and computes its powers.
    """
    arrays = []
    for value in given:
        if isinstance(value, np.ndarray):
            arrays.append(value.shape)
        elif isinstance(value, str) and _POWER.search(value):
            raise ValueError(f"the power in {value!r} is too large")
    if len(arrays) > 1 and math.prod(np.broadcast_shapes(*arrays)) > _LARGEST_ARRAY:
        raise ValueError(f"arrays of the shapes {arrays} are too large together")


def _in_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(values: ArrayLike, *given: object, **named: object) -> Any:
        plain = isinstance(values, int | list | tuple)
        return function(_array(values) if plain else values, *given, **named)

    return call


def _array(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _sum(values: Iterable[Any]) -> Any:
    # without a start, lists are not joined
    return sum(values)


def _round(number: Any, digits: int | None = None) -> Any:
    if digits is not None and abs(digits) > 100:
        raise ValueError(f"numbers are rounded to at most 100 digits, not {digits}")
    return round(number, digits)


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int):
        _check_size(base.bit_length() * exponent)
    return base**exponent


def _times(left: Any, right: Any) -> Any:
    for number, many in ((left, right), (right, left)):
        if isinstance(number, int) and isinstance(many, str | list | tuple):
            _check_size(number * len(many))
    return left * right


def _shift(number: int, bits: int) -> int:
    _check_size(bits)
    return number << bits


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str) and _WIDE.search(left):
        raise ValueError(f"the format {left!r} has a width of more than three digits")
    return left % right


def _check_size(size: int) -> None:
    if size > LONGEST:
        raise ValueError(f"a result of size {size} is too large; at most {LONGEST}")


OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    **{getattr(ast, name): getattr(operator, own) for name, own in _LISTS["operators"].items()},
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.LShift: _shift,
    ast.Mod: _modulo,
    ast.Mult: _times,
    ast.Pow: _power,
}
"""The function of each operator of the syntax."""
