"""What an expression may use: functions, attributes of each type, operators that know a limit."""

import ast
import math
import operator
import re
from collections.abc import Callable, Collection
from functools import cache
from numbers import Number
from typing import Any

import numpy as np

__all__ = ["LONGEST", "OPERATORS", "attribute", "bounded", "check_shapes", "functions", "loaded"]

LONGEST = 4096
"""Letters of an expression and of a text in it, elements of a list, bits of a whole number."""

_LARGEST_ARRAY = 10_000

# "%99999d", "%*d", "%(NAME)99999d"
_WIDE = re.compile(r"%(\([^)]*\))?[^a-zA-Z%]*(\*|\d{4})")

_PYTHON = (
    *(abs, all, any, bool, chr, dict, divmod, float, int, len, list, max, min, ord, repr),
    *(reversed, set, sorted, str, tuple, zip),
)

_NUMPY = """
    acos acosh asin asinh atan atan2 atanh arccos arccosh arcsin arcsinh arctan arctan2 arctanh
    argmax argmin argsort average cbrt ceil clip copysign cos cosh cumprod cumsum deg2rad
    degrees e exp exp2 expm1 fabs floor fmax fmin fmod hypot inf interp isfinite isinf isnan
    log log10 log1p log2 maximum mean median minimum mod nan nan_to_num nanargmax nanargmin
    nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile
    nanstd nansum nanvar percentile pi prod quantile rad2deg radians rint sign sin sinc sinh
    sort sqrt square std tan tanh trunc unique var where
"""

# of whole numbers NumPy would keep 64 bits, and drop the others in silence
_GROWING = "cumprod cumsum nancumprod nancumsum nanprod nansum prod square"

_TEXT = """
    capitalize casefold center count endswith find index isalnum isalpha isascii isdecimal
    isdigit islower isnumeric isspace istitle isupper join ljust lower lstrip partition
    removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split
    splitlines startswith strip swapcase title upper zfill
"""

_ARRAY = """
    T all any argmax argmin flatten imag max mean min ndim prod real round shape size std sum
    tolist var
"""

_UNIT = frozenset(("cgs", "decompose", "is_equivalent", "name", "si", "to", "to_value"))

_QUANTITY = {*_ARRAY.split()} | _UNIT | {"unit", "value"}

_NUMBER = frozenset(("imag", "is_integer", "real"))

_COLLECTION = frozenset(("count", "get", "index", "items", "keys", "values"))


@cache
def functions() -> dict[str, Any]:
    """Functions and constants by name; where Python and NumPy share one, it is Python's."""
    table: dict[str, Any] = {name: getattr(np, name) for name in _NUMPY.split()}
    table |= {name: _in_floats(table[name]) for name in _GROWING.split()}
    table |= {function.__name__: function for function in _PYTHON}
    return table | {"array": _array, "ln": np.log, "pow": _power, "round": _round, "sum": _sum}


def loaded(name: str) -> Any:
    """A function that is imported when an expression asks for it, or None."""
    if name == "units":
        from astropy import units

        return units
    if name == "nanrank":
        import bottleneck

        return bottleneck.nanrankdata
    if name in ("iterative_rejection_average", "iterative_rej_polynomial_fit"):
        from autowisp_xr import stats

        return _limited(getattr(stats, name.replace("_rej_", "_rejection_")))
    return None


def attribute(thing: Any, name: str) -> Any:
    """An attribute that can do nothing but compute; all others are refused."""
    from astropy import units

    unit = (units.UnitBase, units.FunctionUnitBase)
    if thing is units:
        found = getattr(units, name, None)
        if isinstance(found, unit) or found is units.Unit:
            return found
        raise AttributeError(f"astropy has no unit {name!r}")
    # a Quantity is an array too, and a NumPy scalar is a number: the first that fits counts
    table: list[tuple[Any, Collection[str]]] = [
        (str, _TEXT.split()),
        (units.Quantity, _QUANTITY),
        (np.ndarray | np.generic, _ARRAY.split()),
        (unit, _UNIT),
        (Number, _NUMBER),
        (dict | list | tuple, _COLLECTION),
    ]
    allowed = next((names for kind, names in table if isinstance(thing, kind)), ())
    if name not in allowed:
        raise AttributeError(f"a {type(thing).__name__} has no {name!r} that may be used here")
    found = getattr(thing, name)
    return _limited(found) if isinstance(thing, str) else found


def _limited(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which takes no whole number so large that it could be a ruinous size."""

    def call(*given: Any, **named: Any) -> Any:
        for value in (*given, *named.values()):
            if isinstance(value, int) and abs(value) > LONGEST:
                raise ValueError(f"{value} is too large; at most {LONGEST}")
        return function(*given, **named)

    return call


def bounded(value: Any) -> Any:
    """The value itself, unless it is so large that the next operation could fill the memory."""
    _check_size(value.bit_length() if isinstance(value, int) else _size(value))
    return value


def _size(value: Any) -> int:
    """Letters and elements of a text or of nested lists, counted no further than is needed."""
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


def check_shapes(given: Collection[Any]) -> None:
    """Raise ValueError if the arrays among some operands are too large together."""
    arrays = [value.shape for value in given if isinstance(value, np.ndarray)]
    if len(arrays) > 1 and math.prod(np.broadcast_shapes(*arrays)) > _LARGEST_ARRAY:
        raise ValueError(f"arrays of the shapes {arrays} are too large together")


def _in_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(values: Any, *given: Any, **named: Any) -> Any:
        plain = isinstance(values, int | list | tuple)
        return function(_array(values) if plain else values, *given, **named)

    return call


def _array(values: Any) -> Any:
    return np.asarray(values, dtype=np.float64)


def _sum(values: Any) -> Any:
    # without a start, lists are not joined
    return sum(values)


def _round(number: Any, digits: Any = None) -> Any:
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


def _shift(number: Any, bits: Any) -> Any:
    _check_size(bits)
    return number << bits


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str) and _WIDE.search(left):
        raise ValueError(f"the format {left!r} has a width of more than three digits")
    return left % right


def _check_size(size: int) -> None:
    if size > LONGEST:
        raise ValueError(f"a result of size {size} is too large; at most {LONGEST}")


OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: _shift,
    ast.MatMult: operator.matmul,
    ast.Mod: _modulo,
    ast.Mult: _times,
    ast.Pow: _power,
    ast.RShift: operator.rshift,
    ast.Sub: operator.sub,
}
