"""What expressions may call: a few functions of numbers and texts, whose results stay small."""

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

LARGEST = 4096
"""Largest number of letters of a text, of elements of a list, of bits of a whole number."""

CONSTANTS: Mapping[str, float] = {"e": math.e, "inf": math.inf, "nan": math.nan, "pi": math.pi}

METHODS: Mapping[type, str] = {
    str: "capitalize casefold center count endswith find index isalnum isalpha isascii isdigit "
    "islower isspace isupper join ljust lower lstrip partition removeprefix removesuffix replace "
    "rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title "
    "upper zfill",
    list: "count index",
    tuple: "count index",
    dict: "get",
}
"""The methods of each type of value that may be called."""

# fields of "%" and of f-strings, with widths and precisions of at most three digits
_PERCENT = re.compile(r"([^%]|%%|%[#+ -]*\d{0,3}(\.\d{0,3})?[diouxXeEfFgGcrsa])*", re.DOTALL)
_FIELD = re.compile(r"(.?[<>=^])?[-+ ]?#?\d{0,3}[,_]?(\.\d{1,3})?[a-zA-Z%]?")


def bounded(value: Any) -> Any:
    """Return the value, if it is of a known type and no larger than values may be.

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    size, pending = 0, [value]
    while pending and size <= LARGEST:
        item = pending.pop()
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, list | tuple | dict):
            size += len(item)
            pending += item
            pending += item.values() if isinstance(item, dict) else ()
        elif isinstance(item, int):
            _check_size(item.bit_length())
        elif not (item is None or isinstance(item, float)):
            raise TypeError(f"a value of the type {type(item).__name__} cannot be used")
    _check_size(size)
    return value


def finite(result: Any, operands: Iterable[Any]) -> Any:
    """Return the result of an operation, unless it makes infinity or NaN of finite numbers."""
    if isinstance(result, float) and not math.isfinite(result):
        numbers = [one for one in operands if isinstance(one, int | float)]
        if numbers and all(map(math.isfinite, numbers)):
            raise ValueError("the result is too large for a number")
    return result


def method(value: Any, name: str) -> Callable[..., Any]:
    """Return a method of a text or list, which takes no number that could be a huge size.

    Raises
    ------
    AttributeError
        If it has none of that name that may be used.
    """
    if name not in METHODS.get(type(value), "").split():
        raise AttributeError(f"a {type(value).__name__} has no {name!r} that may be used here")
    found = getattr(value, name)

    def call(*given: Any, **named: Any) -> Any:
        for one in (*given, *named.values()):
            if isinstance(one, int) and abs(one) > LARGEST:
                raise ValueError(f"{one} is too large; at most {LARGEST}")
        return found(*given, **named)

    return call if isinstance(value, str) else found


def formatted(value: Any, specification: str) -> str:
    """Return a field of an f-string."""
    if not _FIELD.fullmatch(specification):
        raise ValueError(f"the format {specification!r} is not allowed")
    return format(value, specification)


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
    if isinstance(left, str) and not _PERCENT.fullmatch(left):
        raise ValueError(f"the format {left!r} is not allowed; a field is such as %s, %05d or %.3f")
    return left % right


def _round(number: Any, digits: Any = None) -> Any:
    if digits is not None and abs(digits) > 100:
        raise ValueError(f"{digits} digits are too large a number; at most 100")
    return round(number, digits)


def _sum(values: Any) -> Any:
    # without a start, lists are not joined
    return sum(values)


def _check_size(size: int) -> None:
    if size > LARGEST:
        raise ValueError(f"a result of size {size} is too large; at most {LARGEST}")


_PYTHON = (abs, all, any, bool, chr, float, int, len, list, max, min, ord, sorted, str, tuple)
_MATHEMATICS = """
acos asin atan atan2 ceil cos cosh degrees exp fabs floor fmod hypot isfinite isinf isnan log log10
log1p log2 radians sin sinh sqrt tan tanh trunc
"""

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{function.__name__: function for function in _PYTHON},
    **{name: getattr(math, name) for name in _MATHEMATICS.split()},
    # as NumPy calls them
    **{f"arc{name}": getattr(math, f"a{name}") for name in ("cos", "sin", "tan", "tan2")},
    **{"ln": math.log, "pow": _power, "round": _round, "sum": _sum},
}

OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: _times, ast.Pow: _power},
    **{ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: _modulo},
    **{ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor},
    **{ast.LShift: _shift, ast.RShift: operator.rshift},
    **{ast.Not: operator.not_, ast.UAdd: operator.pos, ast.USub: operator.neg},
    **{ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le},
    **{ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not},
    **{ast.In: lambda one, many: one in many, ast.NotIn: lambda one, many: one not in many},
}
"""The function of each operator of the syntax."""
