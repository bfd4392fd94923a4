"""Expressions over header keywords, such as ``EXPTIME / 2``, and their values.

Decision: expressions come from command lines and configuration files, and work on texts that any
camera may have written, so they compute with numbers and texts, and no more: neither arrays, which
no header has, nor units, whose texts astropy computes without a limit. The syntax is that of one
table, what may be called stands in another; functions are no values. Values, and whatever takes a
number for a size, have a largest size, also those that a header gives.
"""

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from numbers import Number
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import HeaderError
from autowisp_xr.expressions.functions import (
    CONSTANTS,
    FUNCTIONS,
    LARGEST,
    OPERATORS,
    bounded,
    finite,
    formatted,
    method,
)

_DEEPEST = 60
"""Levels of syntax inside one another, of which each takes a few calls of Python."""

_CONVERSIONS: Mapping[int, Callable[[Any], str]] = {ord("s"): str, ord("r"): repr, ord("a"): ascii}
"""The conversions "!s", "!r" and "!a" of a field of an f-string."""


def evaluate(
    expression: str,
    header: fits.Header | Mapping[str, Any],
    *,
    names: Mapping[str, Any] | None = None,
) -> Any:
    """Return the value of an expression over the keywords of a header.

    Parameters
    ----------
    expression
        In the syntax of Python: operators, comparisons, ``a if b else c``, texts and their methods,
        f-strings, lists, dictionaries, indices and slices, calls of the functions below.
    header
        Its keywords are names; "-", and whatever else is no letter, digit or "_", is written "_":
        ``DATE_OBS``, ``ESO_DET_DIT``. Of a repeated keyword, the first counts.
    names
        More names; they go before the header, and the header before functions.

    Returns
    -------
    The value: a number, a text, True, False, None, or a list, tuple or dictionary of these.

    Raises
    ------
    HeaderError
        If it is not an expression, uses syntax, functions or methods that are not allowed or a
        keyword that the header lacks or that has no value (with similar keywords), or fails; it is
        named.

    Notes
    -----
    Functions: ``abs``, ``all``, ``any``, ``bool``, ``chr``, ``float``, ``int``, ``len``, ``list``,
    ``max``, ``min``, ``ord``, ``pow``, ``round``, ``sorted``, ``str``, ``sum``, ``tuple``; of
    numbers ``sqrt``, ``exp``, ``log``, ``ln``, ``log2``, ``log10``, ``log1p``, ``floor``, ``ceil``,
    ``trunc``, ``fmod``, ``fabs``, ``hypot``, ``degrees``, ``radians``, ``sin``, ``cos``, ``tan``,
    ``asin`` or ``arcsin`` and their like, ``sinh``, ``cosh``, ``tanh``, ``isnan``, ``isinf``,
    ``isfinite``; the constants ``pi``, ``e``, ``inf`` and ``nan``. NaN goes through arithmetic; an
    operation that makes a new NaN or infinity of finite numbers is an error.

    Refused: statements, assignments, loops and comprehensions, ``lambda``, ``*`` and ``**`` in
    calls, attributes that are no methods of texts, ``str.format``, whatever else is not named
    above, and values beyond 4096 letters, elements or bits.

    Examples
    --------
    >>> header = {"DATE-OBS": "2024-03-01", "TIME-OBS": "01:02:03.5", "EXPTIME": 30.0}
    >>> evaluate("DATE_OBS + 'T' + TIME_OBS", header)
    '2024-03-01T01:02:03.5'
    >>> evaluate("EXPTIME > 10 and FILTER in ['R', 'G']", header, names={"FILTER": "R"})
    True
    """
    tree = _parse(expression)
    try:
        return _Evaluation(expression, header, names or {}).value(tree)
    except HeaderError:
        raise
    except Exception as error:
        # whatever the expression did, the header and the expression are what a user can change
        message = str(error) or type(error).__name__
        raise HeaderError(f"the expression {expression!r} cannot be computed: {message}") from error


def check_expression(expression: str) -> str:
    """Return the expression, if it can be parsed and has no syntax that :func:`evaluate` refuses.

    Raises
    ------
    HeaderError
        As :func:`evaluate` does, before there is any header.
    """
    _parse(expression)
    return expression


def _parse(expression: str) -> ast.expr:
    if len(expression) > LARGEST:
        raise HeaderError(
            f"the expression {expression[:40]!r}... has {len(expression)} letters; "
            f"{LARGEST} are allowed"
        )
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise HeaderError(f"{expression!r} is not an expression: {message}") from error
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        refused = next((what for node in level if (what := _refused(node))), "")
        if refused:
            raise HeaderError(
                f"the expression {expression!r} uses {refused}, which is not allowed; it may only "
                "compute with header keywords, see help(autowisp_xr.expressions.evaluate)"
            )
        level = [below for node in level for below in ast.iter_child_nodes(node)]
        if not level:
            return tree
    raise HeaderError(f"the expression {expression!r} is nested too deeply")


def _refused(node: ast.AST) -> str:
    """Describe what of a node of the syntax is not allowed; "" where all is."""
    match node:
        case ast.Constant(value=str() | int() | float() | None) | ast.boolop() | ast.Load():
            return ""
        case ast.Constant(value=value):
            return repr(value)
        case ast.keyword(arg=None):
            return "the argument **"
        case ast.Dict(keys=keys) if None in keys:
            return "** in a dictionary"
        case ast.FormattedValue(format_spec=ast.JoinedStr(values=parts)) if any(
            not isinstance(part, ast.Constant) for part in parts
        ):
            return "a format with a field"
        case ast.Call(func=ast.Name() | ast.Attribute()) | ast.Attribute() | ast.keyword():
            return ""
        case ast.Call():
            return "a call of what is no function"
    known = type(node) in _SYNTAX or type(node) in OPERATORS
    return "" if known else type(node).__name__


class _Evaluation:
    """One expression over one header."""

    def __init__(
        self, expression: str, header: Mapping[str, Any], names: Mapping[str, Any]
    ) -> None:
        self.text = expression
        self.header = header
        self.names = names
        # of a repeated keyword, the first
        self.keywords = {re.sub(r"\W", "_", str(key)): key for key in reversed(list(header))}

    def value(self, node: ast.AST | None) -> Any:
        """Return the value of a node; one too large is refused."""
        return None if node is None else bounded(_SYNTAX[type(node)](self, node))

    def values(self, nodes: Iterable[ast.AST | None]) -> list[Any]:
        """Return the values of several nodes, in their order."""
        return [self.value(node) for node in nodes]

    def named(self, node: ast.Name) -> Any:
        """Return the value of a name."""
        name = node.id
        if name in self.names:
            value = self.names[name]
        elif name in self.keywords:
            value = _value(self.text, self.header, self.keywords[name])
        elif name in CONSTANTS:
            value = CONSTANTS[name]
        else:
            raise _missing(self.text, name, [*self.keywords, *self.names])
        return value.item() if isinstance(value, np.generic) else value

    def operation(self, operator: ast.AST, *operands: ast.AST) -> Any:
        """Return the result of an operator on the values of its operands."""
        values = self.values(operands)
        return finite(OPERATORS[type(operator)](*values), values)

    def choice(self, node: ast.BoolOp) -> Any:
        """Return the first value that decides an ``and`` or ``or``, else the last."""
        value = None
        for part in node.values:
            value = self.value(part)
            if bool(value) is isinstance(node.op, ast.Or):
                break
        return value

    def comparison(self, node: ast.Compare) -> Any:
        """Return the first comparison of a chain that fails, else the last."""
        operands = [node.left, *node.comparators]
        value = None
        for number, operator in enumerate(node.ops):
            if number and not value:
                break
            value = self.operation(operator, *operands[number : number + 2])
        return value

    def call(self, node: ast.Call) -> Any:
        """Return the result of calling a function, or a method of a text."""
        if isinstance(node.func, ast.Attribute):
            function = method(self.value(node.func.value), node.func.attr)
        else:
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in self.names or name in self.keywords or name in CONSTANTS:
                raise TypeError(f"{name} is a value, not a function")
            if name not in FUNCTIONS:
                raise _missing(self.text, name, [*self.keywords, *self.names])
            function = FUNCTIONS[name]
        given = self.values(node.args)
        named = {str(word.arg): self.value(word.value) for word in node.keywords}
        return finite(function(*given, **named), given)

    def field(self, node: ast.FormattedValue) -> str:
        """Return a field of an f-string."""
        value = self.value(node.value)
        if node.conversion in _CONVERSIONS:
            value = _CONVERSIONS[node.conversion](value)
        return formatted(value, self.value(node.format_spec) or "")


def _attribute(run: _Evaluation, node: ast.Attribute) -> Any:
    value = run.value(node.value)
    method(value, node.attr)
    raise TypeError(f"{node.attr!r} is a method; it is called with ()")


_SYNTAX: Mapping[type[ast.AST], Callable[[_Evaluation, Any], Any]] = {
    ast.Attribute: _attribute,
    ast.BinOp: lambda run, node: run.operation(node.op, node.left, node.right),
    ast.BoolOp: _Evaluation.choice,
    ast.Call: _Evaluation.call,
    ast.Compare: _Evaluation.comparison,
    ast.Constant: lambda run, node: node.value,
    ast.Dict: lambda run, node: dict(
        zip(run.values(node.keys), run.values(node.values), strict=True)
    ),
    ast.FormattedValue: _Evaluation.field,
    ast.IfExp: lambda run, node: run.value(node.body if run.value(node.test) else node.orelse),
    ast.JoinedStr: lambda run, node: "".join(run.values(node.values)),
    ast.List: lambda run, node: run.values(node.elts),
    ast.Name: _Evaluation.named,
    ast.Slice: lambda run, node: slice(*run.values((node.lower, node.upper, node.step))),
    ast.Subscript: lambda run, node: run.value(node.value)[_place(run, node.slice)],
    ast.Tuple: lambda run, node: tuple(run.values(node.elts)),
    ast.UnaryOp: lambda run, node: run.operation(node.op, node.operand),
}
"""How each part of the syntax is computed; all other syntax is refused."""


def _place(run: _Evaluation, node: ast.expr) -> Any:
    """Return what stands in brackets behind a value."""
    return _SYNTAX[ast.Slice](run, node) if isinstance(node, ast.Slice) else run.value(node)


def _value(expression: str, header: Mapping[str, Any], keyword: str) -> Any:
    try:
        value = header[keyword]
    except (fits.VerifyError, ValueError) as error:
        raise HeaderError(
            f"the expression {expression!r} needs {keyword}, whose card cannot be read: {error}"
        ) from error
    if value is None or isinstance(value, fits.card.Undefined):
        raise HeaderError(
            f"the expression {expression!r} needs {keyword}, which has no value in the header"
        )
    if isinstance(header, fits.Header) and not isinstance(value, str | Number):
        return str(value)  # COMMENT and HISTORY are lists of cards
    return value


def _missing(expression: str, name: str, keywords: list[str]) -> HeaderError:
    alike = difflib.get_close_matches(name.upper(), keywords, n=3)
    near = f"near it are {', '.join(alike)}" if alike else "none of its keywords is near it"
    functions = difflib.get_close_matches(name, FUNCTIONS, n=1, cutoff=0.8)
    near += f"; there is a function {functions[0]}" if functions else ""
    return HeaderError(
        f"the expression {expression!r} needs {name}, which the header does not have ({near})"
    )
