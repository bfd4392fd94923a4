import math
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr import image_calibration
from autowisp_xr.cli import values
from autowisp_xr.cli.values import OptionError


def refused(parse, given, message):
    with pytest.raises((OptionError, ValueError), match=message):
        parse(given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3", "four whole numbers xmin,xmax,ymin,ymax, not '1,2,3'"),
        ("1,2,3,4,5", "four whole numbers"),
        ("a,b,c,d", "four whole numbers"),
        ("", "four whole numbers"),
        ("0,1.5,0,2", "four whole numbers"),
        ("5,5,0,2", "is empty or inverted"),
        ("-1,5,0,2", "before the first pixel"),
    ],
)
def test_an_area_is_four_whole_numbers(text, message):
    refused(values.area, text, message)


@given(st.integers(0, 99), st.integers(1, 99), st.integers(0, 99), st.integers(1, 99))
def test_an_area_reads_what_was_written(x, width, y, height):
    found = values.area(f" {x},{x + width} ,{y}, {y + height}")
    assert found == {"xmin": x, "xmax": x + width, "ymin": y, "ymax": y + height}


@pytest.fixture
def methods(monkeypatch):
    class Base: ...

    class Mean(Base): ...

    class Polynomial(Base):
        def __init__(self, terms): ...

    module = ModuleType("overscan_methods")
    module.Base, module.Mean, module.Polynomial = Base, Mean, Polynomial
    module.__all__ = ["Base", "Mean", "Polynomial"]
    monkeypatch.setattr(image_calibration, "overscan_methods", module)
    return module


def test_overscans_have_a_method_and_areas(methods):
    found = values.overscans(" mean : 0,10,0,20 ; 5,6,7,8")
    assert isinstance(found["method"], methods.Mean)
    assert [area["xmax"] for area in found["areas"]] == [10, 6]
    assert values.overscans(":") == {"areas": None, "method": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nosuch:0,1,2,3", "'nosuch' is not a method for overscans; there are mean"),
        ("base:0,1,2,3", "is not a method"),
        ("polynomial:0,1,2,3", "is not a method"),
        ("mean", "are given as 'median:"),
        ("mean:", "are given as 'median:"),
        (":0,1,0,1", "are given as 'median:"),
        ("", "are given as 'median:"),
        ("mean:0,1,0,1;", "four whole numbers"),
    ],
)
def test_overscans_that_cannot_be_read_are_refused(methods, text, message):
    refused(values.overscans, text, message)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["R(0)"], r"given as NAME\(x0;y0\) or .* not 'R\(0\)'"),
        (["R(0;0"], "given as NAME"),
        (["R(-1;0)"], "given as NAME"),
        (["(0;0)"], "given as NAME"),
        (["R(0;0)", "R(1;1)"], "the channel 'R' is given twice"),
        (["R(0,0;0)"], "a step is at least 1"),
        (["R(0;0),B(1;1)"], "given as NAME"),
    ],
)
def test_channels_that_cannot_be_read_are_refused(texts, message):
    refused(values.channels, texts, message)


def test_channels_have_columns_first_and_slices_rows_first():
    assert values.channels(["G1 ( 1, 4 ; 0 )"]) == {"G1": (slice(0, None, 2), slice(1, None, 4))}


def test_a_value_without_a_channel_is_for_the_only_one():
    assert values.hdus(["1"]) == 1
    assert values.per_channel(["bias.fits"], str) == "bias.fits"
    assert values.per_channel(["./a:b.fits"], str) == "./a:b.fits"
    assert values.per_channel(["/data/2024:01/b.fits"], str) == "/data/2024:01/b.fits"
    assert values.per_channel(["a", "b"], str, several=True) == ["a", "b"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["R:1", "R:2"], "the channel 'R' can have one value, not R:1 and R:2"),
        (["1", "2"], "all channels can have one value"),
        (["R:1", "2"], "either all values have a channel or none"),
        (["R:x"], "'x' is not a whole number"),
        (["R:-1"], "-1 is negative"),
        ([""], "a value is empty"),
    ],
)
def test_values_for_channels_that_contradict_each_other_are_refused(texts, message):
    refused(values.hdus, texts, message)


def test_leak_directions_are_pairs():
    assert values.leak_directions([" -1,0", "0, 2"]) == [(-1, 0), (0, 2)]
    refused(values.leak_directions, ["1"], "two whole numbers dx,dy, not '1'")
    refused(values.leak_directions, ["1,2,3"], "two whole numbers")
    refused(values.leak_directions, ["1.5,0"], "two whole numbers")


def test_thresholds_are_normalised():
    assert values.thresholds(["5"]) == 5.0
    assert values.thresholds(["-5"]) == 5.0
    assert values.thresholds(["-3", "2"]) == (2.0, -3.0)
    refused(values.thresholds, ["2", "3"], "one positive and one negative")
    refused(values.thresholds, ["0"], "other than zero")
    refused(values.thresholds, ["1", "2", "3"], "a pair")
    refused(values.thresholds, ["inf"], "not a finite number")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("median", "median"),
        ("nanmean", "mean"),
        ("quantile:0.7", 0.7),
        ("percentile:70", 0.7),
        ("nanmax", 1.0),
        ("min", 0.0),
    ],
)
def test_an_average_is_a_name_or_a_quantile(text, found):
    assert values.average(text) == found


@pytest.mark.parametrize("text", ["mode", "nansum", "quantile", "median:1", "", "quantile:"])
def test_what_is_no_average_is_refused(text):
    refused(values.average, text, "an average is median, mean, min, max")


def test_numbers_are_checked():
    assert values.rounds("inf") == math.inf
    assert values.rounds("3") == 3
    refused(values.number, "x", "'x' is not a number")
    refused(values.number, "nan", "not a finite number")
    refused(values.quantile, "1.1", "from 0 to 1")
    refused(values.average, "quantile:2", "from 0 to 1")
    refused(values.whole, "1.5", "not a whole number")


def test_flags_and_expressions_are_known():
    assert values.flag_names(["hot,cosmic", "BAD"]) == ("HOT", "COSMIC", "BAD")
    refused(values.flag_names, ["WARM"], "is not a flag")
    assert values.expression("A + 1") == "A + 1"
    refused(values.expression, "A +", "is not an expression")
