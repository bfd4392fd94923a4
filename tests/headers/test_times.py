import math

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.times import middle_of_exposure, time_scale, utc_to_scale
from autowisp_xr.headers.values import Cards


def middle(exposure=0.0, **cards):
    header = fits.Header({name.replace("_", "-"): value for name, value in cards.items()})
    return middle_of_exposure(Cards(header, KeywordAliases()), exposure)


@pytest.mark.parametrize(
    ("scale", "utc"),
    [
        ("UTC", "2024-03-05T01:00:00"),
        ("UTC(NIST)", "2024-03-05T01:00:00"),
        ("ut1", "2024-03-05T01:00:00"),
        ("GPS", "2024-03-05T00:59:42"),
        ("IAT", "2024-03-05T00:59:23"),
        ("TAI", "2024-03-05T00:59:23"),
        ("TT", "2024-03-05T00:58:50.816"),
        ("TT(TAI)", "2024-03-05T00:58:50.816"),
        ("TDT", "2024-03-05T00:58:50.816"),
        ("ET", "2024-03-05T00:58:50.816"),
    ],
)
def test_time_scales_are_converted_to_utc(scale, utc):
    time = middle(DATE_OBS="2024-03-05T01:00:00", TIMESYS=scale)
    assert time == np.datetime64(utc)
    header = fits.Header({"TIMESYS": scale})
    back = utc_to_scale(time, time_scale(Cards(header, KeywordAliases())))
    assert back == np.datetime64("2024-03-05T01:00:00")


@pytest.mark.parametrize("scale", ["TDB", "TCB", "TCG"])
def test_scales_that_run_at_other_rates_are_converted_too(scale):
    time = middle(DATE_OBS="2024-03-05T01:00:00", TIMESYS=scale)
    behind = (np.datetime64("2024-03-05T01:00:00") - time) / np.timedelta64(1, "s")
    assert 69 < behind < 95


@pytest.mark.parametrize("scale", ["LOCAL", "MST", "UTC+2"])
def test_a_time_in_a_scale_that_nobody_knows_is_unknown(scale):
    assert np.isnat(middle(DATE_OBS="2024-03-05T01:00:00", TIMESYS=scale))
    assert np.isnat(middle(JD=2460374.5, TIMESYS=scale))


def test_a_zone_is_heeded_whatever_the_scale():
    for date in ("2024-03-05T01:00:00+02:00", "2024-03-05T01:00:00 +0200", "2024-03-04T23:00:00Z"):
        time = middle(DATE_OBS=date, TIMESYS="LOCAL")
        assert time == np.datetime64("2024-03-04T23:00:00")
    assert middle(DATE_OBS="2024-03-04T20:30:00-02:30") == np.datetime64("2024-03-04T23:00:00")


def test_sixty_seconds_are_the_next_minute():
    assert middle(DATE_OBS="2016-12-31T23:59:60.5") == np.datetime64("2017-01-01T00:00:00.5")
    assert middle(DATE_OBS="2016-12-31T24:00:00") == np.datetime64("2017-01-01")
    assert np.isnat(middle(DATE_OBS="2016-12-31T23:59:61"))
    assert np.isnat(middle(DATE_OBS="2016-12-31T24:00:01"))


@pytest.mark.parametrize(
    "date",
    [
        *("0001-01-01T00:00:00", "9999-12-31T23:59:59", "1677-01-01T12:00:00"),
        *("1970-01-01T00:00:00", "1899-12-30T00:00:00"),
    ],
)
def test_dates_that_cannot_be_are_unknown_and_never_wrapped(date):
    assert np.isnat(middle(DATE_OBS=date))


@pytest.mark.parametrize("date", ["20240305T010203", "2024-03-05T01:02:03,0"])
def test_dates_of_iso_8601_that_fits_does_not_know_are_read(date):
    assert middle(DATE_OBS=date) == np.datetime64("2024-03-05T01:02:03")


def test_two_digits_of_a_year_are_of_the_century_of_cameras():
    assert middle(DATE_OBS="03/12/96", UT="02:03:28") == np.datetime64("1996-12-03T02:03:28")
    assert middle(DATE_OBS="02/06/25", UT="02:03:28") == np.datetime64("2025-06-02T02:03:28")


def test_a_julian_date_that_equals_the_start_is_no_middle():
    start, half = "2025-06-02T04:10:14.288", np.timedelta64(30, "s")
    for cards in ({"JD_OBS": 2460828.6737765}, {"MJD_AVG": 60828.1737765}, {"DATE_AVG": start}):
        assert middle(60.0, DATE_OBS=start, **cards) == np.datetime64(start) + half
    # a true middle, and one that cannot be told from the start
    true = middle(60.0, DATE_OBS=start, JD_OBS=2460828.6741238)
    assert abs(true - np.datetime64(start) - half) < np.timedelta64(20, "ms")
    near = middle(0.0, DATE_OBS=start, JD_OBS=2460828.6737765)
    assert abs(near - np.datetime64(start)) < np.timedelta64(20, "ms")


@pytest.mark.parametrize("exposure", [1e11, math.inf])
def test_an_exposure_beyond_all_measure_leaves_the_time_unknown(exposure):
    assert np.isnat(middle(exposure, DATE_OBS="2024-03-05T01:00:00"))
