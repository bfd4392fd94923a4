import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.cli import flat_values
from autowisp_xr.cli.values import OptionError
from autowisp_xr.image_smoothing import WrapFilterAsSmoother


def refused(parse, text, message):
    with pytest.raises(OptionError, match=message):
        parse(text)


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
    filter, options = flat_values.filter_and_options(flat_values.filter_name(text), size)
    image = np.random.default_rng(1).normal(100, 1, (9, 12))
    before = image.copy()
    smooth = WrapFilterAsSmoother(filter, **options).smooth(image)
    assert smooth.shape == (9, 12)
    assert image.min() <= smooth.min() <= smooth.max() <= image.max()
    np.testing.assert_array_equal(image, before)


@given(st.floats(0, 100))
def test_a_percentile_reads_what_was_written(percentile):
    text = flat_values.filter_name(f" percentile_filter : {percentile!r} ")
    assert flat_values.filter_and_options(text, 3)[1] == {"size": 3, "percentile": percentile}
    # as for a default, which is read once more
    assert flat_values.filter_name(text) == text


@pytest.mark.parametrize("text", ["none", "None", " NONE "])
def test_a_test_can_be_off(text):
    assert flat_values.limit(text) is None
    assert flat_values.level(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_levels_are_numbers_and_limits_are_not_negative(number):
    assert flat_values.level(repr(number)) == number
    if number < 0:
        refused(flat_values.limit, repr(number), "is negative")
    else:
        assert flat_values.limit(repr(number)) == number


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (flat_values.limit, "inf", "not a finite number"),
        (flat_values.level, "no", "'no' is not a number"),
        (flat_values.positive, "0", "0 is below 1"),
        (flat_values.positive, "1.5", "not a whole number"),
        (flat_values.degree, "0", "0 is below 1"),
        (flat_values.degree, "6", "at most 5, not 6"),
        (flat_values.fraction, "nan", "not a finite number"),
        (flat_values.fraction, "-0.5", "not above 0"),
        (flat_values.mean_or_median, "quantile:0.5", "mean or median, not 'quantile:0.5'"),
        (flat_values.filter_name, "", "'' is not a filter"),
        (flat_values.filter_name, "rank_filter:3", "'rank_filter' is not a filter"),
        (flat_values.filter_name, "gaussian_filter:", "takes no number"),
        (flat_values.filter_name, "percentile_filter:x", "'x' is not a number"),
        (flat_values.filter_name, "percentile_filter:-1", "from 0 to 100, not -1"),
    ],
)
def test_what_is_impossible_is_refused(parse, text, message):
    refused(parse, text, message)


def test_what_is_possible_is_read():
    assert (flat_values.degree("1"), flat_values.degree("5")) == (1, 5)
    assert flat_values.fraction("1") == 1.0
    assert flat_values.mean_or_median("nanMedian") == "median"
