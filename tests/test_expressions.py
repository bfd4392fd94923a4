import math
import string
import subprocess
import sys
from contextlib import suppress

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
        ("nanmedian([1, nan, 3]) + nanpercentile([0, 10], 50)", 7.0),
        ("list(nanrank(array([30, 10, 20])))", [3.0, 1.0, 2.0]),
        ("iterative_rejection_average(array([1, 2, 3, 4, 100]), 1.5)[2]", 4),
        ("round(iterative_rej_polynomial_fit([1, 2, 3, 4], [3, 5, 7, 9], 1)[0][1], 9)", 2.0),
        ("(EXPTIME * units.s).to(units.minute).value", 0.5),
        ("units.Unit('km').to('m')", 1000.0),
        ("{'a': 1}.get('b')", None),
        ("7 // 2 + 7 % 4 + (6 & 3) + (6 | 3) + (6 ^ 3) + (1 << 3) + (8 >> 2) - 2**3", 22),
        ("  EXPTIME  ", 30.0),
        ("-NAXIS1 in (-64, 3) and 'HAT' in OBJECT", True),
        ("array([1, 2]) @ array([3, 4])", 11.0),
        ("(3.5).is_integer()", False),
    ],
)
def test_an_expression_has_its_value(expression, value):
    assert evaluate(expression, HEADER) == value
    assert check_expression(expression) == expression


def test_scalars_of_numpy_become_numbers_of_python():
    assert type(evaluate("sqrt(NAXIS1)", HEADER)) is float
    assert type(evaluate("nanargmax([1, 3, 2])", HEADER)) is int


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
    values = np.arange(5000.0)
    assert evaluate("nanmean(X)", {}, names={"X": values}) == 2499.5


def test_nan_stays_nan():
    assert math.isnan(evaluate("EXPTIME + T", HEADER, names={"T": math.nan}))
    assert evaluate("nansum(X)", {}, names={"X": np.array([1.0, np.nan])}) == 1.0


def test_header_and_names_stay_as_they_are():
    header, names = dict(HEADER), {"X": np.array([3.0, 1.0, np.nan])}
    evaluate("sorted(X)[0] + nan_to_num(X)[2]", header, names=names)
    assert header == HEADER
    harms = ("nan_to_num(X, copy=False)", "nan_to_num(X, False)", "clip(X, 0, 1, out=X)")
    for harm in (*harms, "sqrt(X, X)", "cumsum(X, None, None, X)"):
        with pytest.raises(HeaderError, match=r"read-only|not write?able"):
            evaluate(harm, header, names=names)
    with suppress(HeaderError):
        evaluate("nanmedian(X, None, None, True)", header, names=names)
    np.testing.assert_array_equal(names["X"], [3.0, 1.0, np.nan])


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
        ("-" * 3000 + "1", "cannot be computed|is not an expression"),
        ("1" * 5000, "has 5000 letters; 4096 are allowed"),
        ("OBJECT + 1", "cannot be computed: can only concatenate"),
        ("EXPTIME / 0", "float division by zero"),
        ("sqrt(-EXPTIME)", "invalid value encountered in sqrt"),
        ("log(0)", "divide by zero"),
        ("EXPTIME(1)", "EXPTIME is a value, not a function"),
        ("OBJECT.nosuch", "a str has no 'nosuch' that may be used here"),
        ("EXPTIME.item", "a float has no 'item' that may be used here"),
        ("units.nosuch", "astropy has no unit 'nosuch'"),
        ("OBJECT[100]", "index out of range"),
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
        ("f'{1:99999}'", "uses such a format"),
        ("f'{1:{2}}'", "uses such a format"),
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
        "iterative_rej_polynomial_fit([1, 2], [3, 4], 10**9)",
        "iterative_rej_polynomial_fit([1, 2], [3, 4], order=10**9)",
        "sum([[1]] * 9, [])",
        "array([[0]] * 4000) * array([0] * 4000)",
        "hypot(array([[0]] * 4000), array([0] * 4000))",
        "units.Unit('10**9999999999 adu')",
        "units.m * '10^(9999999999) m'",
        "(1 * units.m).to('10 ** 9999999999 m')",
        "units.m == '10**-9999999999 m'",
    ],
)
def test_nothing_grows_beyond_measure(expression):
    with pytest.raises(HeaderError, match=r"too large|three digits|100 digits|takes 1 positional"):
        evaluate(expression, HEADER)


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


def test_whole_numbers_do_not_overflow_in_silence():
    header = fits.Header()
    assert evaluate("square(10**10)", header) == 1e20
    assert evaluate("prod([2**40, 2**40])", header) == 2.0**80
    assert evaluate("cumsum([2**62, 2**62])[1]", header) == 2.0**63


def test_arrays_stay_small():
    with pytest.raises(HeaderError, match="too large"):
        evaluate("array([[1.0]*200]).T + array([[1.0]*200])", fits.Header())
