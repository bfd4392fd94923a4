import math
import string
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.errors import HeaderError
from autowisp_xr.expressions import check_expression, evaluate

HEADER = {
    "EXPTIME": 30.0,
    "DATE-OBS": "2024-03-01",
    "TIME-OBS": "01:02:03.5",
    "NAXIS1": 64,
    "OBJECT": "HAT P 32",
    "ISOK": True,
    "JD-OBS": 2460370.5,
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("EXPTIME/2", 15.0),
        ("DATE_OBS + 'T' + TIME_OBS", "2024-03-01T01:02:03.5"),
        ("int(1e6 * (JD_OBS - 2.4e6))", 60370500000),
        ("'%s_%d' % (OBJECT.replace(' ', ''), NAXIS1)", "HATP32_64"),
        ("f'{NAXIS1:05d}_{EXPTIME:.1f}_{OBJECT!r}'", "00064_30.0_'HAT P 32'"),
        ("not ISOK or 10 < EXPTIME <= 30", True),
        ("'long' if EXPTIME > 20 else 'short'", "long"),
        ("OBJECT.split()[0].lower().center(5, '.')", ".hat."),
        ("max(1, NAXIS1)", 64),
        ("round(sqrt(NAXIS1) + sin(pi / 2), 1)", 9.0),
        ("{'a': 1}.get('b')", None),
        ("OBJECT[4:][::-1]", "23 P"),
        ("{'R': 1, 'G': 2}[OBJECT[-1:] and 'G']", 2),
        ("sum([1, 2.5]) + min(sorted([3, 2])) + arctan2(0, 1) + len(tuple('ab'))", 7.5),
        ("f'{EXPTIME:>+8.2f}|{OBJECT:*^10}|{NAXIS1:,}'", "  +30.00|*HAT P 32*|64"),
        ("7 // 2 + 7 % 4 + (6 & 3) + (6 | 3) + (6 ^ 3) + (1 << 3) + (8 >> 2) - 2**3", 22),
        ("  EXPTIME  ", 30.0),
        ("-NAXIS1 in (-64, 3) and 'HAT' in OBJECT", True),
    ],
)
def test_an_expression_has_its_value(expression, value):
    assert evaluate(expression, HEADER) == value
    assert check_expression(expression) == expression


def test_scalars_of_numpy_become_numbers_of_python():
    assert type(evaluate("X", {"X": np.float32(1.5)})) is float
    assert type(evaluate("X", {}, names={"X": np.int64(3)})) is int


def test_a_fits_header_is_as_good_as_a_mapping():
    header = fits.Header([("DATE-OBS", "2024-03-01"), ("EXPTIME", 10.0), ("EXPTIME", 99.0)])
    header["HIERARCH ESO DET DIT"] = 2.5
    header["COMMENT"] = "cloudy"
    assert evaluate("DATE_OBS[:4]", header) == "2024"
    assert evaluate("EXPTIME", header) == 10.0
    assert evaluate("ESO_DET_DIT", header) == 2.5
    assert evaluate("'cloudy' in COMMENT", header) is True


def test_names_go_before_the_header_and_the_header_before_functions():
    assert evaluate("EXPTIME + RAW", HEADER, names={"EXPTIME": 1, "RAW": 2}) == 3
    assert evaluate("len", {"len": 5}) == 5


def test_nan_stays_nan():
    assert math.isnan(evaluate("EXPTIME + T", HEADER, names={"T": math.nan}))
    assert math.isnan(evaluate("nan * 2", {}))
    assert evaluate("inf > 1e300", {}) is True


@pytest.mark.parametrize(
    "expression", ["sqrt(X, X)", "max(X, X)", "X", "X + 1", "sorted(X)[0]", "X.sort()", "len(X)"]
)
def test_arrays_are_no_values_and_stay_as_they_are(expression):
    x = np.array([4.0, np.nan, 1.0])
    with pytest.raises(HeaderError, match="a value of the type ndarray cannot be used"):
        evaluate(expression, {}, names={"X": x})
    np.testing.assert_array_equal(x, [4.0, np.nan, 1.0])


def test_header_and_names_stay_as_they_are():
    header, names = dict(HEADER), {"X": [3.0, 1.0]}
    assert evaluate("sorted(X) + X", header, names=names) == [1.0, 3.0, 3.0, 1.0]
    with pytest.raises(HeaderError, match="a list has no 'sort' that may be used"):
        evaluate("X.sort()", header, names=names)
    assert header == HEADER
    assert names == {"X": [3.0, 1.0]}


def test_what_is_not_evaluated_need_not_be_there():
    assert evaluate("True or NOSUCHKEY", HEADER) is True
    assert evaluate("EXPTIME if ISOK else NOSUCHKEY", HEADER) == 30.0


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("EXPTIM + 1", r"'EXPTIM \+ 1' needs EXPTIM, .* does not have \(near it are EXPTIME\)"),
        ("exptime", "near it are EXPTIME"),
        ("squrt(NAXIS1)", "there is a function sqrt"),
        ("XYZZY", "none of its keywords is near it"),
        ("1 +", "'1 \\+' is not an expression: invalid syntax"),
        ("", "is not an expression"),
        ("(" * 1000, "is not an expression"),
        ("-" * 3000 + "1", "cannot be computed|is not an expression|is nested too deeply"),
        ("1" * 5000, "has 5000 letters; 4096 are allowed"),
        ("OBJECT + 1", "cannot be computed: can only concatenate"),
        ("EXPTIME / 0", "division by zero"),
        ("sqrt(-EXPTIME)", "math domain error|nonnegative"),
        ("log(0)", "math domain error|positive"),
        ("EXPTIME(1)", "EXPTIME is a value, not a function"),
        ("OBJECT.nosuch", "a str has no 'nosuch' that may be used here"),
        ("OBJECT[100]", "index out of range"),
        ("OBJECT.lower", "'lower' is a method"),
        ("1e308 * 10", "the result is too large for a number"),
        ("1e308 - -1e308", "the result is too large for a number"),
        ("exp(1000)", "math range error|out of range"),
        ("(-8)**0.5", "a value of the type complex cannot be used"),
        ("nosuch(1)", "needs nosuch, which the header does not have"),
        ("1" + " + 1" * 100, "is nested too deeply"),
    ],
)
def test_what_fails_is_named(expression, message):
    with pytest.raises(HeaderError, match=message):
        evaluate(expression, HEADER)


def test_a_card_without_a_value_is_named():
    header = fits.Header()
    header["FILTER"] = None
    with pytest.raises(HeaderError, match="'FILTER' needs FILTER, which has no value"):
        evaluate("FILTER", header)


def test_a_card_that_cannot_be_read_is_named():
    header = fits.Header()
    header.append(fits.Card.fromstring("EXPTIME = '30"))
    with pytest.raises(HeaderError, match="needs EXPTIME, whose card cannot be read"):
        evaluate("EXPTIME", header)


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')",
        "open('/etc/hostname')",
        "print(1)",
        "eval('1')",
        "exec('1')",
        "getattr(OBJECT, '__class__')",
        "vars()",
        "dir()",
        "type(1)",
        "isinstance(1, int)",
        "range(10)",
        "globals()",
        "OBJECT.__class__",
        "().__class__.__bases__[0].__subclasses__()",
        "OBJECT.format(1)",
        "OBJECT.format_map({})",
        "'{0.__class__}'.format(1)",
        "str.format('{0.__class__}', 1)",
        "int.from_bytes",
        "OBJECT.encode()",
        "array([1]).tofile('x')",
        "array([1]).dump('x')",
        "array([1]).ctypes",
        "array([1]).base",
        "sqrt.at",
        "units.core",
        "units.core.np",
        "units.quantity.np.load('x')",
        "units.def_unit('x')",
        "units.m.__class__",
        "(1 * units.m).tofile('x')",
        "iterative_rejection_average.__globals__",
        "len.__self__",
        "OBJECT.join.__self__",
        "loadtxt('x')",
        "fromfile('x')",
        "genfromtxt('x')",
        "load('x')",
        "len",
        "max(1, 2, key=len)",
        "sorted([1], key=str)",
        "str.join",
        "[].append(1)",
        "{}.update({})",
        "(1).real",
        "(len)(1)(2)",
        "''.join.__call__([])",
    ],
)
def test_there_is_no_way_out(expression):
    with pytest.raises(HeaderError):
        evaluate(expression, HEADER)


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("import os", "is not an expression"),
        ("x = 1", "is not an expression"),
        ("while True: pass", "is not an expression"),
        ("def f(): pass", "is not an expression"),
        ("1; 2", "is not an expression"),
        ("1\n2", "is not an expression"),
        ("lambda: 1", "uses Lambda"),
        ("(x := 1)", "uses NamedExpr"),
        ("[x for x in 'ab']", "uses ListComp"),
        ("{x for x in 'ab'}", "uses SetComp"),
        ("{x: x for x in 'ab'}", "uses DictComp"),
        ("sum(x for x in [1])", "uses GeneratorExp"),
        ("max(*[1, 2])", "uses Starred"),
        ("{**{}}", r"uses \*\* in a dictionary"),
        ("dict(**{})", r"uses the argument \*\*"),
        ("(yield)", "uses Yield"),
        ("(await 1)", "uses Await"),
        ("b'bytes'", "uses b'bytes'"),
        ("[1][...]", "uses Ellipsis"),
        ("f'{1:{2}}'", "uses a format with a field"),
        ("f'{1:{f\"{2}\"}}'", "uses a format with a field"),
        ("{1, 2}", "uses Set"),
        ("1j", "uses 1j"),
        ("~1", "uses Invert"),
        ("[1] @ [2]", "uses MatMult"),
        ("(len)()()", "a call of what is no function"),
    ],
)
def test_only_expressions_are_parsed(expression, what):
    for refuse in (check_expression, lambda text: evaluate(text, HEADER)):
        with pytest.raises(HeaderError, match=what):
            refuse(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "9**9**9",
        "pow(9, 9**9)",
        "(2**4000)**2",
        "2**4000 * 2**4000",
        "1 << 10**12",
        "'a' * 10**12",
        "10**12 * 'a'",
        "[0] * 10**12",
        "('a' * 4000).replace('a', 'b' * 4000)",
        "'a'.ljust(10**12)",
        "'a'.zfill(10**12)",
        "'%999999999d' % 1",
        "'%(a)999999999d' % {'a': 1}",
        "'%*d' % (10**9, 1)",
        "str([['a' * 1000] * 10] * 10)",
        "round(5, -10**9)",
        "sum([[1]] * 9, [])",
        "f'{1:99999}'",
        "f'{1:.99999f}'",
        "f'{OBJECT:9999}'",
        "'%.99999f' % 1",
        "'%(a(b)c)999999999d' % {'a(b)c': 1}",
        "'%-+ #09999d' % 1",
        "('a' * 4000).join(['b' * 90, 'c' * 90])",
        "''.join(['a' * 4000, 'b' * 4000])",
        "[[0] * 4000] * 4000",
        "[['a' * 4000]] * 4000",
        "'a'.center(True * 5000)",
        "1 << LARGE",
        "LONG",
        "LONG.replace('a', 'b' * 4000)",
        "'' + LONG",
    ],
)
def test_nothing_grows_beyond_measure(expression):
    header = {**HEADER, "LONG": "a" * 10**6, "LARGE": 10**9}
    with pytest.raises(HeaderError, match=r"too large|is not allowed|takes 1 positional"):
        evaluate(expression, header)


def test_it_loads_what_an_expression_needs_and_no_more():
    code = (
        "import sys; from autowisp_xr.expressions import evaluate; evaluate('A + 1', {'A': 1}); "
        "print([m for m in ('numba', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.floats(-1e6, 1e6), st.integers(-1000, 1000), st.sampled_from(["+", "-", "*", "<", "=="]))
def test_arithmetic_is_that_of_python(a, b, operator):
    assert evaluate(f"A {operator} B", {"A": a, "B": b}) == eval(f"a {operator} b")


@given(st.text(string.printable, max_size=40))
def test_any_text_is_a_value_or_one_kind_of_error(text):
    raised = None
    try:
        check_expression(text)
        evaluate(text, HEADER)
    except HeaderError as error:
        raised = str(error)
    assert raised is None or repr(text)[:20] in raised
