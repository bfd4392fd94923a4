"""Values that headers say in other words: expressions over keywords, such as ``EXPTIME / 2``.

Expressions come from command lines and configuration files, so they compute, and do no more. What
is not known to be harmless is refused: only expressions are parsed, not statements; names are
those of :func:`evaluate`; attributes are those of a list for each type; results have a largest
size. What asteval would allow beyond (loops, functions, files that are read) is out of reach.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from functools import cache
from numbers import Number
from types import EllipsisType
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import HeaderError
from autowisp_xr.expressions import permitted

__all__ = ["check_expression", "evaluate"]

_NODES: tuple[type[ast.AST], ...] = (
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword),
    *(ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.JoinedStr),
    *(ast.FormattedValue, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Load),
    *(ast.boolop, ast.operator, ast.unaryop, ast.cmpop),
)


# they would change arrays of the caller; None stands for **
_REFUSED_ARGUMENTS = (None, "copy", "mangle_input", "out")


def evaluate(
    expression: str,
    header: fits.Header | Mapping[str, Any],
    *,
    names: Mapping[str, Any] | None = None,
) -> Any:
    """Value of an expression over the keywords of a header.

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
    What the expression gives; a scalar of NumPy as the Python number that it is.

    Raises
    ------
    HeaderError
        Naming the expression, if it is no expression, uses what is not allowed, or a keyword that
        the header lacks or that has no value (with those that are spelled alike), or fails.

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
    sandbox = _sandbox()(expression, header, names or {})
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            value = sandbox.run(tree)
    except HeaderError:
        raise
    except Exception as error:
        # whatever the expression did, the header and the expression are what a user can change
        said = str(error) or type(error).__name__
        raise HeaderError(f"the expression {expression!r} cannot be computed: {said}") from error
    return value.item() if isinstance(value, np.generic) else value


def check_expression(expression: str) -> str:
    """The expression itself, if it can be parsed and uses no syntax that :func:`evaluate` refuses.

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
        nodes = list(ast.walk(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error) or "nested too deeply"
        raise HeaderError(f"{expression!r} is not an expression: {said}") from error
    for node in nodes:
        what = type(node).__name__
        allowed = isinstance(node, _NODES)
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes | EllipsisType):
            allowed, what = False, repr(node.value)
        if isinstance(node, ast.keyword) and node.arg in _REFUSED_ARGUMENTS:
            allowed, what = False, f"the argument {node.arg or '**'}"
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            # the width of a field is a size as well
            spec = ast.unparse(node.format_spec)
            allowed, what = not re.search(r"\d{4}|\{", spec), "such a format"
        if not allowed:
            raise HeaderError(
                f"the expression {expression!r} uses {what}, which is not allowed; it may only "
                "compute with header keywords, see help(autowisp_xr.expressions.evaluate)"
            )
    return tree


@cache
def _sandbox() -> Any:
    from asteval import Interpreter

    class Sandbox(Interpreter):  # type: ignore[misc]  # asteval has no types
        """Walks through an expression; what could do harm goes through our own hands."""

        def __init__(self, expression: str, header: Any, names: Mapping[str, Any]) -> None:
            allowed = {"ifexp": True, "formattedvalue": True}
            super().__init__(symtable={}, minimal=True, config=allowed)
            self.text = expression
            self.given = header
            self.names = names

        def run(self, node: Any, *_: Any, **__: Any) -> Any:
            if node is None:
                return None
            value = self.node_handlers[type(node).__name__.lower()](node)
            return value if isinstance(node, ast.Name) else permitted.bounded(value)

        def on_name(self, node: ast.Name) -> Any:
            if node.id in self.names:
                return self.names[node.id]
            keywords = {re.sub(r"\W", "_", str(key)): key for key in reversed(list(self.given))}
            if node.id in keywords:
                return _value(self.text, self.given, keywords[node.id])
            found = permitted.functions().get(node.id)
            found = permitted.loaded(node.id) if found is None else found
            if found is None:
                raise _missing(self.text, node.id, [*keywords, *self.names])
            return found

        def on_attribute(self, node: ast.Attribute) -> Any:
            return permitted.attribute(self.run(node.value), node.attr)

        def on_binop(self, node: ast.BinOp) -> Any:
            left, right = self.run(node.left), self.run(node.right)
            permitted.check_shapes((left, right))
            return permitted.OPERATORS[type(node.op)](left, right)

        def on_call(self, node: ast.Call) -> Any:
            function = self.run(node.func)
            if not callable(function):
                raise TypeError(f"{ast.unparse(node.func)} is a value, not a function")
            given = [self.run(argument) for argument in node.args]
            named = {str(word.arg): self.run(word.value) for word in node.keywords}
            permitted.check_shapes([*given, *named.values()])
            return function(*given, **named)

    return Sandbox


def _value(expression: str, header: Any, keyword: str) -> Any:
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
