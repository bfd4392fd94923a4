import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.cli import values
from autowisp_xr.image_smoothing import WrapFilterAsSmoother


def refused(parse, given, message):
    with pytest.raises(ValueError, match=message):
        parse(given)


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


@pytest.mark.parametrize(
    "text",
    [
        "median_filter",
        "uniform_filter",
        "minimum_filter",
        "maximum_filter",
        "gaussian_filter",
        "percentile_filter:0",
        "percentile_filter:50",
        "percentile_filter:100",
    ],
)
@pytest.mark.parametrize("size", [1, 4, 50])
def test_every_filter_smooths_with_any_size(text, size):
    filter, options = values.filter_and_options(values.filter_name(text), size)
    image = np.random.default_rng(1).normal(100, 1, (9, 12))
    before = image.copy()
    smooth = WrapFilterAsSmoother(filter, **options).smooth(image)
    assert smooth.shape == (9, 12)
    assert image.min() <= smooth.min() <= smooth.max() <= image.max()
    np.testing.assert_array_equal(image, before)


@given(st.floats(0, 100))
def test_a_percentile_reads_what_was_written(percentile):
    text = values.filter_name(f" percentile_filter : {percentile!r} ")
    assert values.filter_and_options(text, 3)[1] == {"size": 3, "percentile": percentile}
    # as for a default, which is read once more
    assert values.filter_name(text) == text


@pytest.mark.parametrize("text", ["none", "None", " NONE "])
def test_a_test_can_be_off(text):
    assert values.limit(text) is None
    assert values.level(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_levels_are_numbers_and_limits_are_not_negative(number):
    assert values.level(repr(number)) == number
    if number < 0:
        refused(values.limit, repr(number), "is negative")
    else:
        assert values.limit(repr(number)) == number


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (values.limit, "inf", "not a finite number"),
        (values.level, "no", "'no' is not a number"),
        (values.positive, "0", "0 is below 1"),
        (values.positive, "1.5", "not a whole number"),
        (values.degree, "0", "from 1 to 5, not 0"),
        (values.degree, "6", "from 1 to 5, not 6"),
        (values.fraction, "nan", "not a finite number"),
        (values.fraction, "-0.5", "not above 0"),
        (values.mean_or_median, "quantile:0.5", "mean or median, not 'quantile:0.5'"),
        (values.filter_name, "", "'' is not a filter"),
        (values.rejection, "sigma", "'sigma' is no way to reject; there are none, rms, mad, win"),
        (values.rejection, "mad:3", "mad has no numbers of its own, 'mad:3' has 1"),
        (values.rejection, "esd:1,2,3", "esd has 2 numbers of its own"),
        (values.rejection, "esd:", "'' is not a number"),
        (values.filter_name, "rank_filter:3", "'rank_filter' is not a filter"),
        (values.filter_name, "gaussian_filter:", "takes no number"),
        (values.filter_name, "percentile_filter:x", "'x' is not a number"),
        (values.filter_name, "percentile_filter:-1", "from 0 to 100, not -1"),
    ],
)
def test_what_is_impossible_is_refused(parse, text, message):
    refused(parse, text, message)


def test_what_is_possible_is_read():
    assert (values.degree("1"), values.degree("5")) == (1, 5)
    assert values.fraction("1") == 1.0
    assert values.mean_or_median("nanMedian") == "median"


def test_how_frames_are_matched_is_read():
    assert values.matching("Median") == "median"
    assert values.matching("none") is None
    assert values.matching(" SKYLEVEL ") == "SKYLEVEL"
    assert values.matching("none:fit") == (None, "fit")
    assert values.matching("1,2:mode") == ([1.0, 2.0], "mode")
    refused(values.matching, "a:b:c", "REJECTION:AVERAGE")
    refused(values.matching, "1,x", "not a number")
    refused(values.matching, "", "by a name or numbers")
    assert values.average_or_sum("nansum") == "sum"
    assert values.average_or_sum("mean") == "mean"
