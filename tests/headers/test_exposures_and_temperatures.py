import math

import pytest
from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.exposure import exposure_card
from autowisp_xr.headers.temperature import read_temperature
from autowisp_xr.headers.values import Cards, to_number


def header_of(cards):
    """Header of {keyword: value or (value, comment)}."""
    each = cards.items()
    return fits.Header([(key, *(v if isinstance(v, tuple) else (v,))) for key, v in each])


def exposure(value, comment="", keyword="EXPTIME", **more):
    header = header_of({keyword: (value, comment), **more})
    card = exposure_card(Cards(header, KeywordAliases()))
    return math.nan if card is None else card.seconds


@pytest.mark.parametrize(
    ("value", "comment", "seconds"),
    [
        (90, "", 90.0),
        (90, "[s] Exposure length", 90.0),
        (90000, "exposure time in ms", 90.0),
        (90000.0, "[ms] exposure", 90.0),
        (90000, "Exposure (ms)", 90.0),
        (90000, "Exposure time, ms", 90.0),
        (90000, "exposure in milliseconds", 90.0),
        (90000, "number of milliseconds", 90.0),
        (90_000_000, "[us]", 90.0),
        (90_000_000, "exposure, usec", 90.0),
        (90000, "Exposure time, msec", 90.0),
        (1.5, "[min]", 90.0),
        (90, "[s] plus 5 ms to open", 90.0),
        (90, "in the morning", 90.0),
        (90000, "ms", 90.0),
        (90000, "milli-seconds", 90.0),
        (90000, "exposure (as requested) [ms]", 90.0),
        (90000, "(ms) of (one) frame", 90.0),
        (90, "Exposure time (s) [per frame]", 90.0),
        (90_000_000_000, "[ns]", 90.0),
        ("90000 ms", "", 90.0),
        ("90,0", "", 90.0),
        ("90 s", "[ms]", 90.0),
        ("1.5 min", "", 90.0),
        ("1/4", "of a DSLR", 0.25),
        ("1/4 sec.", "", 0.25),
        ("60 parsec", "", math.nan),
        ("60,000", "", math.nan),
        (-1, "", math.nan),
        ("1/0", "", math.nan),
    ],
)
def test_exposures_are_in_seconds_whatever_their_unit(value, comment, seconds):
    found = exposure(value, comment)
    assert found == seconds or (math.isnan(found) and math.isnan(seconds))


def test_the_unit_of_time_counts_where_a_card_states_none():
    assert exposure(90000, TIMEUNIT="ms") == 90.0
    assert exposure(90, "[s]", TIMEUNIT="ms") == 90.0
    assert exposure(90000, keyword="IMG_EXP", TIMEUNIT="s") == 90.0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("-10,0", -10.0),
        (" 9,78E-03", 0.00978),
        ("0,125", 0.125),
        ("1,000", math.nan),
        ("1,2,3", math.nan),
        ("12 apples", math.nan),
        (",5", 0.5),
    ],
)
def test_decimal_commas_are_read_where_they_are_no_thousands(text, number):
    found = to_number(text)
    assert found == number or (math.isnan(found) and math.isnan(number))


@pytest.mark.parametrize(
    ("cards", "celsius"),
    [
        ({"CCD-TEMP": -10.0, "SET-TEMP": -20.0}, -10.0),
        ({"CCD-TEMP": "-10,5"}, -10.5),
        ({"CCD-TEMP": "44 C"}, 44.0),
        ({"CCD-TEMP": -273.15, "SET-TEMP": -10.0}, -10.0),
        ({"CCD-TEMP": -999, "CCDSTEMP": "-10"}, -10.0),
        ({"CCD-TEMP": 999.0, "CCDTEMP": 3.0}, 3.0),
        ({"CCD-TEMP": -273.15}, math.nan),
        ({"CCD-TEMP": "N/A"}, math.nan),
        ({"CCD-TEMP": (263.15, "[K] of the chip")}, -10.0),
        ({"CCD-TEMP": "263.15 K"}, -10.0),
        ({"CCD-TEMP": (77, "in kelvin")}, -196.15),
        ({"CCD-TEMP": (14, "[degF]")}, -10.0),
        ({"CCD-TEMP": (14, "Sensor, degrees F")}, -10.0),
        ({"CCD-TEMP": (263.15, "Sensor (mean) [K]")}, -10.0),
        ({"CCD-TEMP": 180.2}, -92.95),
        ({"CCD-TEMP": 0.0, "SET-TEMP": -10.0}, 0.0),
        ({"CCD-TEMP": -99.0, "SET-TEMP": -10.0}, -10.0),
        ({"CCD-TEMP": -99.0, "SET-TEMP": 0.0}, -99.0),
        ({"CCD-TEMP": -99.0, "SET-TEMP": 174.0}, -99.0),
        ({"CCD-TEMP": 127.0}, math.nan),
        ({"CAMTCCD": -15.0}, -15.0),
    ],
)
def test_temperatures_are_celsius_and_impossible_ones_unknown(cards, celsius):
    found = read_temperature(Cards(header_of(cards), KeywordAliases())).celsius
    assert found == celsius or (math.isnan(found) and math.isnan(celsius))


def test_a_temperature_that_may_be_in_kelvin_is_doubted():
    assert (
        "CCD-TEMP = 77"
        in read_temperature(Cards(fits.Header({"CCD-TEMP": 77}), KeywordAliases())).doubt
    )
    assert (
        "CCD-TEMP = 120"
        in read_temperature(Cards(fits.Header({"CCD-TEMP": 120}), KeywordAliases())).doubt
    )
    for cards in ({"CCD-TEMP": 180.2}, {"CCD-TEMP": 45.0}, {"CCD-TEMP": "77 K"}, {"CCD-TEMP": 127}):
        assert read_temperature(Cards(fits.Header(cards), KeywordAliases())).doubt == ""


def test_a_temperature_far_below_the_one_that_was_set_is_doubted():
    cards = fits.Header({"CCD-TEMP": -99.0, "SET-TEMP": -10.0})
    assert "CCD-TEMP = -99.0 is much colder than the -10 C" in (
        read_temperature(Cards(cards, KeywordAliases())).doubt
    )


@pytest.mark.parametrize(
    ("comment", "degrees"),
    [
        *(("[h] J2000", 30.0), ("RA in decimal hours", 30.0), ("RA, hrs", 30.0)),
        *(("hours of RA", 2.0), ("[deg]", 2.0), ("", 2.0), ("[rad] J2000", math.degrees(2))),
    ],
)
def test_right_ascensions_are_in_the_unit_of_their_comment(comment, degrees):
    found = read_coordinates(Cards(header_of({"RA": (2.0, comment)}), KeywordAliases()))
    assert found["ra"] == degrees


def test_sexagesimal_right_ascensions_are_hours_whatever_their_comment():
    sexagesimal = header_of({"RA": ("02:00:00", "[h] J2000")})
    assert read_coordinates(Cards(sexagesimal, KeywordAliases()))["ra"] == 30.0


def test_the_first_frames_of_a_smart_telescope_are_read():
    header = header_of(
        {
            "EXP": (15.0, "[s] Sub Exposure Time"),
            "GAIN": (110, "Sub Gain"),
            "BINNING": ("2*2", "n*n pixels add together"),
            "RA": (5.5, "[h] Observe object RA coordinate (J2000)"),
            "DEC": (-5.0, "[deg] Observe object DEC coordinate (J2000)"),
        }
    )
    found = read_coordinates(Cards(header, KeywordAliases()))
    assert (found["exposure"], found["gain_setting"], found["binning"]) == (15.0, 110.0, "2x2")
    assert (found["ra"], found["dec"]) == (82.5, -5.0)
