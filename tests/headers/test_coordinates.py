import math
import warnings

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.camera import Camera
from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.camera_facts import read_facts
from autowisp_xr.headers.coordinates import is_master, read_coordinates
from autowisp_xr.headers.values import Cards


def read(**cards):
    return read_coordinates(Cards(header(**cards), KeywordAliases()))


def header(**cards):
    return fits.Header({name.replace("_", "-"): value for name, value in cards.items()})


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Bias Frame", "bias"),
        ("zero", "bias"),
        ("BIAS", "bias"),
        ("masterzero", "bias"),
        ("Dark Frame", "dark"),
        ("masterdark", "dark"),
        ("Flat Field", "flat"),
        ("skyflat", "flat"),
        ("Twilight_Flat", "flat"),
        ("LAMPFLAT", "flat"),
        ("LIGHT", "object"),
        ("Light Frame", "object"),
        ("SPECTRUM", "object"),
        ("Tricolor Image", "object"),
        ("STANDARD", "object"),
        ("FLAT,SKY", "flat"),
        ("DARKFLAT", "darkflat"),
        ("Flat Dark Frame", "darkflat"),
        ("ARC", "other"),
    ],
)
def test_types_are_normalised(text, kind):
    assert read(IMAGETYP=text)["image_type"] == kind


def test_a_header_that_states_nothing_is_read():
    found = read()
    assert found["image_type"] == "other"
    assert found["filter"] == found["object"] == found["binning"] == ""
    assert np.isnat(found["time"])
    for name in ("exposure", "ra", "dec", "temperature", "gain_setting"):
        assert math.isnan(found[name])


@pytest.mark.parametrize(
    "cards",
    [
        {"DATE_OBS": "2024-06-20T09:16:19.5"},
        {"DATE_OBS": "2024-06-20 09:16:19.5Z"},
        {"DATE_OBS": "2024-06-20", "TIME_OBS": "9:16:19.5"},
        {"DATE_OBS": "2024-06-20", "UT": "2024-06-20T09:16:19.5"},
        {"MJD_OBS": 60481.38633680556},
        {"JD": 2460481.8863368057},
        {"DATE_AVG": "2024-06-20T09:16:24.5"},
        {"DATE_AVG": "2024-06-20T09:17:01.5", "TIMESYS": "TAI"},
        {"JD_OBS": 2460481.886394676, "DATE_OBS": "1999-01-01T00:00:00"},
        {"MJD_OBS": 60481.38633680556, "DATE_OBS": "2024-06-20"},
    ],
)
def test_time_is_the_middle_of_the_exposure(cards):
    time = read(EXPTIME=10, **cards)["time"]
    assert time.dtype == np.dtype("datetime64[ns]")
    assert abs(time - np.datetime64("2024-06-20T09:16:24.5")) < np.timedelta64(100, "us")


def test_a_date_of_the_last_century_is_read():
    found = read(EXPTIME=0, DATE_OBS="31/12/98", UT="23:59:58")
    assert found["time"] == np.datetime64("1998-12-31T23:59:58")


@pytest.mark.parametrize("date", ["2024-13-45T00:00:00", "yesterday", "2024-06-20T25:61", "", 7])
def test_a_date_that_is_none_is_unknown(date):
    assert np.isnat(read(EXPTIME=10, DATE_OBS=date)["time"])


@pytest.mark.parametrize(
    ("ra", "dec", "expected"),
    [
        (193.04166, 40.97, (193.04166, 40.97)),
        ("16 02 11.83", "+28 10 11", (240.549292, 28.169722)),
        (" 22:04:08", "-00:55:31", (331.033333, -0.925278)),
        ("16h02m11.83s", "-28d10m11s", (240.549292, -28.169722)),
        ("193.5", "-40.5", (193.5, -40.5)),
        (-10.0, 95.0, (350.0, math.nan)),
        ("24:61:00", "UNKNOWN", (math.nan, math.nan)),
        (-9999, "", (math.nan, math.nan)),
    ],
)
def test_numbers_are_degrees_and_sexagesimal_right_ascensions_hours(ra, dec, expected):
    found = read(RA=ra, DEC=dec)
    np.testing.assert_allclose((found["ra"], found["dec"]), expected, atol=1e-5)


def test_numbers_may_be_text_with_units():
    found = read(CAMTEMP="44 C", EXPTIME="1.5D1", GAIN=80, FILTERS=48, OBJECT=" M 31 ")
    assert (found["temperature"], found["exposure"], found["gain_setting"]) == (44.0, 15.0, 80.0)
    assert (found["filter"], found["object"]) == ("48", "M 31")


def test_exposures_that_disagree_are_an_error_that_states_what_to_do():
    cards = header(EXPTIME=10.0, EXPOSURE=12.0)
    with pytest.raises(HeaderError, match=r"EXPTIME .* 10 s, EXPOSURE one of 12 s.*extended"):
        read_coordinates(Cards(cards, KeywordAliases()))
    preferring = KeywordAliases().extended(exposure="EXPOSURE")
    assert read_coordinates(Cards(cards, preferring))["exposure"] == 12.0
    assert read(EXPTIME=10.0, EXPOSURE=10.05, TELAPSE=14.0)["exposure"] == 10.0
    assert read(TELAPSE=14.0)["exposure"] == 14.0


def test_types_that_disagree_are_an_error_that_states_what_to_do():
    cards = header(IMAGETYP="Light Frame", FRAME="Flat")
    with pytest.raises(HeaderError, match=r"'Light Frame', an? object, but FRAME is 'Flat'"):
        read_coordinates(Cards(cards, KeywordAliases()))
    assert (
        read_coordinates(Cards(cards, KeywordAliases().extended(image_type="FRAME")))["image_type"]
        == "flat"
    )
    assert read(IMAGETYP="Light Frame", FRAME="ARC")["image_type"] == "object"


def test_numbers_state_a_type_where_no_word_does():
    for number, kind in enumerate(("object", "bias", "dark", "flat"), start=1):
        assert read(CCDSFPT=number)["image_type"] == kind
    assert read(CCDSFPT=5)["image_type"] == "other"
    # a word is stronger than a number, and a number of another card is none
    assert read(CCDSFPT=1, IMAGETYP="Flat Frame")["image_type"] == "flat"
    assert read(PICTTYPE=3)["image_type"] == "dark"
    assert read(CCDSFPT=4, IMAGETYP="Snapshot")["image_type"] == "flat"
    assert read(FRAME=2)["image_type"] == "other"
    assert read(**{"DATA-TYP": "DOMEFLAT"})["image_type"] == "flat"
    assert read(FLAVOR="science", CCDTYPE="E2V 42-40")["image_type"] == "object"
    # a target is the weakest of all
    assert read(OBJECT="Sky Flats")["image_type"] == "flat"
    assert read(OBJECT="dark", CCDSFPT=2)["image_type"] == "bias"
    assert read(OBJECT="Dark Nebula")["image_type"] == "other"
    mine = KeywordAliases().extended(image_type_code="KIND", image_types={"KIND=0": "bias"})
    assert read_coordinates(Cards(header(KIND=0, CCDSFPT=4), mine))["image_type"] == "bias"


def test_a_value_may_hold_for_one_card_only():
    mine = KeywordAliases().extended(image_types={"OBSTYPE=exposure": "object"})
    assert read_coordinates(Cards(header(OBSTYPE="EXPOSURE"), mine))["image_type"] == "object"
    assert read_coordinates(Cards(header(IMAGETYP="EXPOSURE"), mine))["image_type"] == "other"


def test_a_type_that_is_known_better_is_taken():
    cards = header(IMAGETYP="Light Frame", FRAME="Flat")
    assert read_coordinates(Cards(cards, KeywordAliases()), "dark")["image_type"] == "dark"


def test_exposures_may_be_in_smaller_units():
    cards = fits.Header({"IMG_EXP": 1999})
    assert read_coordinates(Cards(cards, KeywordAliases()))["exposure"] == 1.999
    assert read(EXPOINUS="30000000")["exposure"] == 30.0
    cards["EXPTIME"] = 5.0
    assert read_coordinates(Cards(cards, KeywordAliases()))["exposure"] == 5.0
    mine = KeywordAliases().extended(exposure_milliseconds="IMG_EXP")
    assert read_coordinates(Cards(cards, mine))["exposure"] == 1.999


@pytest.mark.parametrize(
    ("cards", "binning"),
    [
        ({"XBINNING": 2, "YBINNING": 2}, "2x2"),
        ({"CCDXBIN": 1, "CCDYBIN": 3.0}, "1x3"),
        ({"XBIN": "2", "YBIN": "1"}, "2x1"),
        ({"CCDSUM": "2 2"}, "2x2"),
        ({"CCDSUM": " 1  4 "}, "1x4"),
        ({"BINNING": "2x2"}, "2x2"),
        ({"BINNING": "3X1"}, "3x1"),
        ({"BINNING": "2,2"}, "2x2"),
        ({"BINNING": 2}, "2x2"),
        ({"BINNING": 2.0}, "2x2"),
        ({"XBINNING": 1, "YBINNING": 1, "CCDSUM": "2 2"}, "1x1"),
        ({"XBINNING": 2, "CCDSUM": "2 2"}, "2x2"),
        ({"XBINNING": 2}, ""),
        ({"XBINNING": 0, "YBINNING": 0}, ""),
        ({"XBINNING": 1.5, "YBINNING": 1.5}, ""),
        ({"CCDSUM": "UNKNOWN"}, ""),
        ({"BINNING": "0x0"}, ""),
    ],
)
def test_binning_is_text(cards, binning):
    assert read(**cards)["binning"] == binning


def test_the_temperature_that_was_set_serves_where_none_was_measured():
    assert read(SET_TEMP=-10.0, CCD_TEMP=-9.5)["temperature"] == -9.5
    assert read(SET_TEMP=-10.0)["temperature"] == -10.0


def test_a_user_extends_the_table():
    mine = KeywordAliases().extended(exposure="IMG_EXP", image_types={"LED": "flat"})
    found = read_coordinates(Cards(fits.Header({"IMG_EXP": 1999, "OBSTYPE": "led"}), mine))
    assert (found["exposure"], found["image_type"]) == (1999.0, "flat")
    assert KeywordAliases().cards["exposure"][0] == "EXPTIME"


def test_what_is_no_spelling_is_refused():
    with pytest.raises(TypeError, match="no aliases of exposures; there are exposure"):
        KeywordAliases().extended(exposures="IMG_EXP")
    with pytest.raises(ValueError, match="not 'falt'"):
        KeywordAliases().extended(image_types={"led": "falt"})


def test_unreadable_cards_that_are_not_needed_do_no_harm():
    cards = [
        "EXPTIME = +1.000000000000E+001",
        "JUNK    = 'open",
        "EGAIN   = 1.2.3",
        "RA      = ???",
    ]
    text = "".join(f"{card:<80}" for card in cards)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = read_coordinates(Cards(fits.Header.fromstring(text), KeywordAliases()))
    assert found["exposure"] == 10.0
    assert math.isnan(found["ra"])


@pytest.mark.parametrize("height", [4, 5])
@pytest.mark.parametrize("order", ["TOP-DOWN", "BOTTOM-UP"])
@pytest.mark.parametrize("down", [0, 1])
@pytest.mark.parametrize("right", [0, 1])
def test_pattern_is_that_of_the_pixels_as_stored(height, order, down, right):
    pattern = "GRBG"
    facts = read_facts(
        Cards(
            header(BAYERPAT=pattern, XBAYROFF=right, YBAYROFF=down, ROWORDER=order),
            KeywordAliases(),
        ),
        height,
        6,
    )
    names = [name[0] for name in Camera(channels=facts["channels"]).channels]
    for y in (0, 1):
        for x in (0, 1):
            row = height - 1 - y if order == "BOTTOM-UP" else y
            assert names[2 * y + x] == pattern[2 * ((row + down) % 2) + (x + right) % 2]


@pytest.mark.parametrize(
    ("value", "comment", "electrons"),
    [
        (6.0, "[electron] read noise beside that of the ADU", 6.0),
        (3.0, "[adu] read noise", 6.0),
        (3.0, "readout noise in counts", 6.0),
        ("3.0 ADU", "", 6.0),
        ("6 e-", "", 6.0),
        ("6 V", "", None),
    ],
)
def test_a_read_noise_in_adu_becomes_electrons_by_the_gain(value, comment, electrons):
    cards = [("RDNOISE", value, comment), ("EGAIN", 0.5, "ADU/e-")]
    facts = read_facts(Cards(fits.Header(cards), KeywordAliases()), 5, 7)
    assert (facts["gain"], facts["read_noise"]) == (2.0, electrons)
    alone = read_facts(Cards(fits.Header(cards[:1]), KeywordAliases()), 5, 7)["read_noise"]
    assert alone == (None if "3.0" in str(value) else electrons)


@pytest.mark.parametrize(
    ("comment", "gain", "level"),
    [
        ("[ADU] saturation", 1.5, 60000.0),
        ("", 1.5, 60000.0),
        ("[electron] full well", 1.5, 40000.0),
        ("full well in e-", None, None),
    ],
)
def test_a_saturation_in_electrons_is_divided_by_the_gain(comment, gain, level):
    cards = fits.Header([("EGAIN", gain), ("SATURATE", 60000.0, comment)])
    assert read_facts(Cards(cards, KeywordAliases()), 5, 7)["saturation"] == level


def test_facts_are_read_and_nonsense_passed_over():
    good = read_facts(
        Cards(
            header(E_GAIN=0.46, RDNOISE=5, SATURATE=60000, GAIN=200, TRIMSEC="[  3:   6,  1: 5]"),
            KeywordAliases(),
        ),
        5,
        7,
    )
    assert (good["gain"], good["read_noise"], good["saturation"]) == (0.46, 5.0, 60000.0)
    assert good["image_area"] == {"xmin": 2, "xmax": 6, "ymin": 0, "ymax": 5}
    bad = read_facts(
        Cards(
            header(
                EGAIN=-1,
                RDNOISE=-5.0,
                SATURATE=0,
                BAYERPAT="RGB",
                TRIMSEC="[1:9,1:5]",
                BIASSEC="UNKNOWN",
            ),
            KeywordAliases(),
        ),
        5,
        7,
    )
    assert set(bad.values()) == {None}
    assert "camera" in bad
    assert Camera().completed_by(bad) == Camera()


def facts(**cards):
    return read_facts(Cards(fits.Header(cards), KeywordAliases()), 5, 7)


@pytest.mark.parametrize(
    ("cards", "camera"),
    [
        ({"INSTRUME": "dcam-spare"}, "dcam-spare"),
        ({"CAM_ID": "ESIS1", "CAM_SN": 6}, "ESIS1 (6)"),
        ({"INSTRUME": "", "CAMSN": "022071246706"}, "022071246706"),
        ({"INSTRUME": "XXXXXX", "CAMSN": "0120"}, "XXXXXX (0120)"),
        ({"INSTRUME": "ZWO ASI224MC", "CAMERAID": "ZWO ASI224MC"}, "ZWO ASI224MC"),
        ({"INSTRUME": "UNKNOWN", "DETECTOR": "e2v", "DETECTID": "N/A"}, "e2v"),
        ({"TELESCOP": "1.0m"}, None),
    ],
)
def test_cameras_are_distinguished_by_name_and_number(cards, camera):
    assert facts(**cards)["camera"] == camera


def test_only_cards_that_a_header_has_are_looked_for():
    cards = fits.Header({"EXPOSURE": 3.0, "imagetyp": "dark", "HIERARCH ESO DPR TYPE": "DARK"})
    table = KeywordAliases().extended(gain="MYGAIN").among(set(cards))
    assert (table.cards["exposure"], table.cards["gain"]) == (("EXPOSURE",), ())
    assert (table.cards["image_type"], table.preferred) == (("IMAGETYP", "ESO DPR TYPE"), ())
    assert str(read_coordinates(Cards(cards, table))) == str(
        read_coordinates(Cards(cards, KeywordAliases()))
    )


def test_gain_the_setting_is_never_electrons_per_adu():
    assert read_facts(Cards(header(GAIN=2.0), KeywordAliases()), 5, 7)["gain"] is None


def test_masters_are_known_by_their_type_or_their_count():
    assert is_master(header(IMAGETYP="MasterBias"))
    assert is_master(header(NUMFCOMB=10))
    assert not is_master(header(IMAGETYP="bias"))
