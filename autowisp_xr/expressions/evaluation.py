"""Expressions over header keywords, such as ``EXPTIME / 2``, and their values.

Expressions come from command lines and configuration files, so they compute, and do no more. All
that is not known to be harmless is refused: the syntax is that of one table; names are those of
:func:`evaluate`; attributes are those of a list for each type; results have a largest size; arrays
of the caller cannot be written to.
"""

import ast
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from numbers import Number
from types import EllipsisType
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import HeaderError
from autowisp_xr.expressions import permitted

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
        f-strings, lists, indices, calls of the functions below.
    header
        Its keywords are names; "-", and whatever else is no letter, digit or "_", is written "_":
        ``DATE_OBS``, ``ESO_DET_DIT``. Of a repeated keyword, the first counts.
    names
        More names; they go before the header, and the header before functions.

    Returns
    -------
    The value; a scalar of NumPy as the Python number that it is.

    Raises
    ------
    HeaderError
        If it is not an expression, uses syntax, names or attributes that are not allowed or a
        keyword that the header lacks or that has no value (with similar keywords), or fails; it is
        named.

    Notes
    -----
    Functions: the harmless ones of Python (``int``, ``float``, ``str``, ``len``, ``max``,
    ``round``, ``sorted``, ...) and of mathematics and NumPy, element by element (``sqrt``, ``sin``,
    ``log10``, ...) and aggregates, also those that leave NaN out (``nanmean``, ``nanmedian``,
    ``nanstd``, ``nanpercentile``, ...); ``array`` of numbers; ``nanrank`` of Bottleneck;
    ``iterative_rejection_average`` and ``iterative_rej_polynomial_fit`` of
    :mod:`autowisp_xr.stats`; ``units`` of astropy. ``min``, ``max``, ``abs``, ``sum``, ``round``
    are Python's. NaN goes through arithmetic; an operation that makes a new NaN or infinity of
    finite numbers is an error.

    Refused: statements, assignments, loops and comprehensions, ``lambda``, ``*`` and ``**`` in
    calls, imports, ``open``, ``print``, ``getattr``, ``range`` and whatever else is not named
    above, attributes with underscores, ``str.format``, and results beyond 4096 letters, elements
    or bits.

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
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            value = _Evaluation(expression, header, names or {}).value(tree)
    except HeaderError:
        raise
    except Exception as error:
        # whatever the expression did, the header and the expression are what a user can change
        message = str(error) or type(error).__name__
        raise HeaderError(f"the expression {expression!r} cannot be computed: {message}") from error
    return value.item() if isinstance(value, np.generic) else value


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
    if len(expression) > permitted.LONGEST:
        raise HeaderError(
            f"the expression {expression[:40]!r}... has {len(expression)} letters; "
            f"{permitted.LONGEST} are allowed"
        )
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
        refused = [what for node in ast.walk(tree) if (what := _refused(node))]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise HeaderError(f"{expression!r} is not an expression: {message}") from error
    if refused:
        raise HeaderError(
            f"the expression {expression!r} uses {refused[0]}, which is not allowed; it may only "
            "compute with header keywords, see help(autowisp_xr.expressions.evaluate)"
        )
    return tree


def _refused(node: ast.AST) -> str:
    """Describe what of a node of the syntax is not allowed; "" where all is."""
    match node:
        case ast.Constant(value=bytes() | EllipsisType() as value):
            return repr(value)
        case ast.keyword(arg=None):
            return "the argument **"
        case ast.Dict(keys=keys) if None in keys:
            return "** in a dictionary"
        case ast.FormattedValue(format_spec=ast.expr() as spec):
            # the width of a field is a size as well
            return "such a format" if re.search(r"\d{4}|\{", ast.unparse(spec)) else ""
        case ast.Name() | ast.keyword() | ast.Load() | ast.boolop():
            return ""
    known = type(node) in _SYNTAX or type(node) in permitted.OPERATORS
    return "" if known else type(node).__name__


class _Evaluation:
    """One expression over one header."""

    def __init__(
        self, expression: str, header: Mapping[str, Any], names: Mapping[str, Any]
    ) -> None:
        self.text = expression
        self.header = header
        self.names = names

    def value(self, node: ast.AST | None) -> Any:
        """Return the value of a node; one too large is refused, unless the caller gave it."""
        if node is None:
            return None
        if isinstance(node, ast.Name):
            return self._named(node.id)
        return permitted.bounded(_SYNTAX[type(node)](self, node))

    def values(self, nodes: Iterable[ast.AST | None]) -> list[Any]:
        """Return the values of several nodes, in their order."""
        return [self.value(node) for node in nodes]

    def _named(self, name: str) -> Any:
        if name in self.names:
            return _not_writeable(self.names[name])
        keywords = {re.sub(r"\W", "_", str(key)): key for key in reversed(list(self.header))}
        if name in keywords:
            return _value(self.text, self.header, keywords[name])
        found = permitted.named(name)
        if found is None:
            raise _missing(self.text, name, [*keywords, *self.names])
        return found

    def operation(self, operator: ast.AST, *operands: ast.AST) -> Any:
        """Return the result of an operator on the values of its operands."""
        values = self.values(operands)
        permitted.check_operands(values)
        return permitted.OPERATORS[type(operator)](*values)

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
        """Return the result of calling a function."""
        function: Any = self.value(node.func)
        if not callable(function):
            raise TypeError(f"{ast.unparse(node.func)} is a value, not a function")
        given = self.values(node.args)
        named = {str(word.arg): self.value(word.value) for word in node.keywords}
        permitted.check_operands([*given, *named.values()])
        return function(*given, **named)

    def field(self, node: ast.FormattedValue) -> str:
        """Return a field of an f-string."""
        value = self.value(node.value)
        if node.conversion in _CONVERSIONS:
            value = _CONVERSIONS[node.conversion](value)
        return format(value, self.value(node.format_spec) or "")


_SYNTAX: Mapping[type[ast.AST], Callable[[_Evaluation, Any], Any]] = {
    ast.Attribute: lambda run, node: permitted.attribute(run.value(node.value), node.attr),
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
    ast.Set: lambda run, node: set(run.values(node.elts)),
    ast.Slice: lambda run, node: slice(*run.values((node.lower, node.upper, node.step))),
    ast.Subscript: lambda run, node: run.value(node.value)[run.value(node.slice)],
    ast.Tuple: lambda run, node: tuple(run.values(node.elts)),
    ast.UnaryOp: lambda run, node: run.operation(node.op, node.operand),
}
"""How each part of the syntax is computed; all other syntax is refused."""


def _not_writeable(value: object) -> object:
    """Return the same value, into which no function can write."""
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


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
    functions = difflib.get_close_matches(name, permitted.functions(), n=1, cutoff=0.8)
    near += f"; there is a function {functions[0]}" if functions else ""
    return HeaderError(
        f"the expression {expression!r} needs {name}, which the header does not have ({near})"
    )
