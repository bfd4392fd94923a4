from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr import image_calibration
from autowisp_xr.cli import areas


def refused(parse, given, message):
    with pytest.raises(ValueError, match=message):
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
    refused(areas.area, text, message)


@given(st.integers(0, 99), st.integers(1, 99), st.integers(0, 99), st.integers(1, 99))
def test_an_area_reads_what_was_written(x, width, y, height):
    found = areas.area(f" {x},{x + width} ,{y}, {y + height}")
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
    found = areas.overscans(" mean : 0,10,0,20 ; 5,6,7,8")
    assert isinstance(found["method"], methods.Mean)
    assert [area["xmax"] for area in found["areas"]] == [10, 6]
    assert areas.overscans(":") == {"areas": None, "method": None}


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
    refused(areas.overscans, text, message)


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
    refused(areas.channels, texts, message)


def test_channels_have_columns_first_and_slices_rows_first():
    assert areas.channels(["G1 ( 1, 4 ; 0 )"]) == {"G1": (slice(0, None, 2), slice(1, None, 4))}


def test_a_value_without_a_channel_is_for_the_only_one():
    assert areas.hdus(["1"]) == 1
    assert areas.per_channel(["bias.fits"], str) == "bias.fits"
    assert areas.per_channel(["./a:b.fits"], str) == "./a:b.fits"
    assert areas.per_channel(["/data/2024:01/b.fits"], str) == "/data/2024:01/b.fits"
    assert areas.per_channel(["a", "b"], str, several=True) == ["a", "b"]


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
    refused(areas.hdus, texts, message)


def test_leak_directions_are_pairs():
    assert areas.leak_directions([" -1,0", "0, 2"]) == [(-1, 0), (0, 2)]
    refused(areas.leak_directions, ["1"], "two whole numbers dx,dy, not '1'")
    refused(areas.leak_directions, ["1,2,3"], "two whole numbers")
    refused(areas.leak_directions, ["1.5,0"], "two whole numbers")
