import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.frames import scan
from autowisp_xr.headers.aliases import KeywordAliases

TIMED = {"DATE-OBS": "2024-01-02T03:04:05"}


@pytest.fixture
def doubts(raw):
    """Doubts about a file of this name, with these cards beside a time and an exposure of 30 s."""

    def found(name="a.fits", types=None, **cards):
        named = {card.replace("_", "-"): value for card, value in cards.items()}
        return list(scan(raw(name, cards=TIMED | named), types=types)[0].doubts)

    return found


@pytest.mark.parametrize("kind", ["Light Frame", "Flat", "Dark Frame"])
def test_nothing_is_doubted_in_a_plain_frame(doubts, kind):
    assert doubts(IMAGETYP=kind) == []
    assert doubts("bias.fits", IMAGETYP="bias", EXPTIME=0.0) == []
    assert doubts("flat-2.fits", IMAGETYP="Flat") == []


def test_a_name_that_states_otherwise_is_a_doubt_with_both_sides_and_the_remedy(doubts):
    assert doubts("flat-3s.fits", IMAGETYP="Light Frame") == [
        "IMAGETYP = 'Light Frame' means object, but the name of its file means flat ('flat'); if "
        "the name is right, give a type rule such as 'flat-*' = flat"
    ]
    assert doubts("bias_1.fits", OBSTYPE="", IMAGETYP="DARK") == [
        "IMAGETYP = 'DARK' means dark, but the name of its file means bias ('bias'); if the name "
        "is right, give a type rule such as 'bias_*' = bias"
    ]


def test_a_light_whose_target_is_a_flat_is_doubted(doubts):
    assert doubts(IMAGETYP="Light Frame", OBJECT="skyflat V") == [
        "IMAGETYP = 'Light Frame' means object, but OBJECT = 'skyflat V' means flat; if the latter "
        "is right, give a type rule such as 'OBJECT=skyflat V' = flat"
    ]
    assert "means dark" in doubts(IMAGETYP="Light Frame", OBJECT="Dark")[0]
    for kind, target in (
        ("Light", "Dark Nebula"),
        ("Light", "Sky"),
        ("Flat", "flat"),
        ("Dark", "flat"),
    ):
        assert doubts(IMAGETYP=kind, OBJECT=target) == []


def test_a_folder_is_doubted_less_than_a_name(doubts):
    assert doubts("flats/x.fits", IMAGETYP="Light Frame") == [
        "IMAGETYP = 'Light Frame' means object, but the name of its folder means flat ('flats'); "
        "if the name is right, give a type rule such as 'flats/*' = flat"
    ]
    # calibration frames often lie among the lights
    assert doubts("lights/y.fits", IMAGETYP="Flat") == []
    assert doubts("darks/y.fits", IMAGETYP="Flat") == []


def test_the_remedy_that_a_doubt_names_takes_it_away(doubts):
    cards = {"IMAGETYP": "Light Frame"}
    for folder, rule in (("", "flat-*"), ("flats/", "flats/*")):
        name = "1.fits" if folder else "flat-1.fits"
        (doubt,) = doubts(f"{folder}{name}", **cards)
        assert f"{rule!r} = flat" in doubt
        assert doubts(f"again/{folder}{name}", types={rule: "flat"}, **cards) == []


@pytest.mark.parametrize(
    ("kind", "seconds", "states", "better"),
    [
        ("Bias Frame", 60.0, "bias", "dark"),
        ("Dark Frame", 0.0, "dark", "bias"),
        ("Light Frame", 0.0, "object", "bias"),
    ],
)
def test_exposures_that_do_not_fit_the_type_are_doubts(doubts, kind, seconds, states, better):
    assert doubts("cap_7.fits", IMAGETYP=kind, EXPTIME=seconds) == [
        f"IMAGETYP = {kind!r} means {states}, but EXPTIME = {seconds:g} s; if it is a {better}, "
        f"give a type rule such as 'cap_*' = {better}"
    ]
    assert doubts("cap_8.fits", {"cap*": states}, IMAGETYP=kind, EXPTIME=seconds) == []


@pytest.mark.parametrize(
    ("kind", "seconds"), [("bias", 0.001), ("bias", 1.0), ("dark", 1e-3), ("flat", 0.0)]
)
def test_exposures_that_fit_are_none(doubts, kind, seconds):
    assert doubts(IMAGETYP=kind, EXPTIME=seconds) == []


def test_a_type_that_was_guessed_is_doubted_like_one_of_a_card(doubts):
    assert doubts("Bias1.fits", IMAGETYP="", EXPTIME=30.0) == [
        "the name of its file means bias ('Bias'), but EXPTIME = 30 s; if it is a dark, give a "
        "type rule such as 'Bias*' = dark"
    ]


def test_what_is_not_known_is_a_doubt_of_frames_that_need_it(doubts):
    exposure = (
        "no card states how long it was exposed (EXPTIME, EXPOSURE or the like); name the card "
        "that does, as an alias of 'exposure'"
    )
    start = (
        "no card states when it was exposed (DATE-OBS or the like); name the card that does, as an "
        "alias of 'start'"
    )
    assert doubts("d.fits", IMAGETYP="dark", EXPTIME="") == [exposure]
    assert doubts("f.fits", IMAGETYP="flat", EXPTIME="", DATE_OBS="") == [exposure, start]
    assert doubts("b.fits", IMAGETYP="bias", EXPTIME="") == []
    # a frame of no known type takes no part, whatever else is not known
    assert doubts("o.fits", IMAGETYP="", EXPTIME="", DATE_OBS="") == []


def test_a_filter_that_is_a_bayer_pattern_is_a_doubt(doubts):
    (doubt,) = doubts("a.fits", FILTER="RGGB")
    assert doubt == (
        "FILTER = 'RGGB' looks like a Bayer pattern, but there is no BAYERPAT, which would show "
        "it; if the camera has one, --channels with the colours of the first two rows as "
        "they are stored, which need not be these, chooses them"
    )
    assert "BAYERPAT is 'NONE'" in doubts("b.fits", FILTER="grbg", BAYERPAT="NONE")[0]
    assert doubts("c.fits", FILTER="RGGB", BAYERPAT="RGGB") == []
    assert doubts("d.fits", FILTER="RGB") == []


def test_masters_and_products_are_not_doubted(raw):
    cards = {"IMAGETYP": "Light Frame", "EXPTIME": 0.0}
    for number, more in enumerate([{"NUMFCOMB": 3}, {"CALSTAT": "B"}]):
        (record,) = scan(raw(f"flat_{number}.fits", cards=cards | more))
        assert record.doubts == ()


def test_aliases_of_the_user_are_heeded(raw):
    cards = TIMED | {"IMAGETYP": "", "KIND": "bias", "EXPTIME": "", "SECS": 5.0}
    mine = KeywordAliases().extended(image_type="KIND", exposure="SECS")
    (record,) = scan(raw("x.fits", cards=cards), aliases=mine)
    assert record.doubts == (
        "KIND = 'bias' means bias, but SECS = 5 s; if it is a dark, give a type rule such as "
        "'x.fits' = dark",
    )


@pytest.mark.parametrize(
    ("card", "value", "doubted"),
    [
        ("RDNOISE", 0.0, True),
        ("READNOIS", 5000.0, True),
        ("RDNOISE", -1.0, False),
        ("RDNOISE", 3.5, False),
        ("RDNOISE", "unknown", False),
        ("EGAIN", 0, True),
        ("EGAIN", 1.5, False),
    ],
)
def test_a_gain_or_a_read_noise_that_cannot_be_is_not_believed(raw, card, value, doubted):
    (record,) = scan(raw("a.fits", cards={**TIMED, card: value}))
    name = "gain" if card == "EGAIN" else "read_noise"
    assert record.facts[name] == (value if value in (3.5, 1.5) else None)
    option = name.replace("_", "-")
    described = [line for line in record.doubts if f"{card} = {value!r} cannot be" in line]
    assert len(described) == doubted
    assert all(f"--{option} states it" in line for line in described)


def test_one_card_that_cannot_be_gives_way_to_another(doubts):
    assert doubts(RDNOISE=0.0, READNOIS=4.0) == []


def test_a_gain_setting_in_words_of_iso_is_read_without_a_doubt(doubts):
    assert doubts(ISO="ISO 800") == []


def test_a_bias_needs_no_exposure(doubts):
    assert doubts(IMAGETYP="bias", EXPTIME=-1.0) == []
    assert "EXPTIME = -1.0 cannot be read" in doubts(IMAGETYP="dark", EXPTIME=-1.0)[0]


def test_a_gain_or_read_noise_in_an_unknown_unit_is_doubted(doubts):
    assert "EGAIN = '1.5 V' cannot be, and is not believed" in doubts(EGAIN="1.5 V")[0]
    assert doubts(EGAIN="1.5 e-/ADU", RDNOISE="4 e-") == []


@pytest.mark.parametrize(
    ("cards", "doubt"),
    [
        ({"EXPTIME": "60,000"}, "EXPTIME = '60,000' cannot be read as an exposure"),
        ({"EXPTIME": "60 parsec"}, "EXPTIME = '60 parsec' cannot be read as an exposure"),
        ({"EXPTIME": 90000.0}, "EXPTIME = 90000.0 is 90000 s, longer than a day"),
        ({"EXPTIME": 1e11}, "is 1e+11 s, longer than a day"),
        ({"CCD_TEMP": "-10 deg R 7"}, "CCD-TEMP = '-10 deg R 7' cannot be read as a number"),
        ({"OFFSET": "10 or 20"}, "OFFSET = '10 or 20' cannot be read as a number"),
        ({"CCD_TEMP": 77}, "CCD-TEMP = 77 is hot for a detector in degrees Celsius"),
        ({"TIMESYS": "LOCAL"}, "TIMESYS = 'LOCAL' is a time scale that cannot be converted"),
        ({"TIMESYS": "UT1"}, "TIMESYS = 'UT1' is taken for UTC"),
        ({"DATE_OBS": "yesterday"}, "DATE-OBS = 'yesterday' is no date with a time of day"),
        ({"DATE_OBS": "0001-01-01T00:00:00"}, "DATE-OBS = '0001-01-01T00:00:00' is no date"),
        ({"DATE_OBS": "02/06/25", "UT": "01:02:03"}, "in 1999; it is taken for a date of this"),
        (
            {"DATE_OBS": "2024-01-02", "UT": "030405"},
            "DATE-OBS = '2024-01-02', nor UT = '030405' beside it, is no date with a time of day",
        ),
        ({"UT": "05:04:05"}, "UT = '05:04:05' are 7200 s apart, more than the exposure"),
        ({"MJD_OBS": 60311.5}, "MJD-OBS = 60311.5 are 32155 s apart, more than the exposure"),
        (
            {"EXPTIME": 60000, "DATE_END": "2024-01-02T03:05:06"},
            "EXPTIME = 60000 is 60000 s, but DATE-OBS = '2024-01-02T03:04:05' and DATE-END = "
            "'2024-01-02T03:05:06' leave room for 61 s",
        ),
        (
            {"EXPTIME": 60000, "DATE_AVG": "2024-01-02T03:04:35"},
            "DATE-AVG = '2024-01-02T03:04:35' leave room for 60 s",
        ),
        ({"DATE_AVG": "2024-01-02T04:04:20"}, "DATE-AVG = '2024-01-02T04:04:20' are 3600 s apart"),
        ({"TRIMSEC": "[1:99,1:5]"}, "TRIMSEC = '[1:99,1:5]' reaches outside of the frame"),
        ({"BIASSECA": "[1:4,1:5]"}, "BIASSECA = '[1:4,1:5]' is the overscan of one amplifier"),
        ({"BIASSEC1": "[1:4,1:5]"}, "BIASSEC1 = '[1:4,1:5]' is the overscan of one amplifier"),
        ({"BAYERPAT": "CMYG"}, "BAYERPAT = 'CMYG' is no pattern of R, G, G, B"),
        ({"BAYERPAT": True}, "BAYERPAT = 'True' is no pattern of R, G, G, B"),
        (
            {"BAYERPAT": "RGGB", "XBINNING": 2, "YBINNING": 2},
            "BAYERPAT = 'RGGB' beside a binning of 2x2: colours survive only where",
        ),
    ],
)
def test_a_card_that_cannot_be_taken_as_it_stands_is_shown(doubts, cards, doubt):
    found = doubts(IMAGETYP="Light Frame", **cards)
    assert len(found) == 1, found
    assert doubt in found[0]


@pytest.mark.parametrize(
    "cards",
    [
        {"MJD_OBS": 60311.12783},  # rounded to a second
        {"MJD_OBS": 60311.0},  # a date
        {"JD": 2460311.628},  # in the middle of something, coarsely
        {"DATE_AVG": "2024-01-02T03:04:20"},
        {"JD_OBS": 2460311.62783565},
        {"TIMESYS": "TAI", "DATE_AVG": "2024-01-02T03:04:20"},
        {"UT": "03:04:05.4", "UTC": 11045.0},
        {"DATE_OBS": "2024-01-02T23:59:59", "UT": "00:00:00"},
        {"CCD_TEMP": "N/A", "OFFSET": "unknown", "TRIMSEC": "UNKNOWN"},
        {"CCD_TEMP": -273.15},
        {"CCD_TEMP": "263.15 K"},
        {"DATE_END": "2024-01-02T03:04:35.2", "DATE_AVG": "2024-01-02T03:04:20"},
        {"DATE_END": "2024-01-02T03:04:05"},  # the start again
        {"DATE_END": "2024-01-02T03:06:00", "MJD_END": 60311.1},
        {"BAYERPAT": "NONE"},
        {"CFAIMAGE": "no"},
        {"BAYERPAT": "RGGB", "XBINNING": 1, "YBINNING": 1},
        {"BAYERPAT": "GBRG", "BINNING": "2*2", "TELESCOP": "DWARFII"},
        {"DATASEC": "[1:7,1:5]"},
    ],
)
def test_what_is_well_stated_is_not_doubted(doubts, cards):
    assert doubts(IMAGETYP="Light Frame", **cards) == []


def test_a_card_that_is_repeated_with_another_value_is_doubted_with_both(raw):
    path = raw("a.fits", cards={**TIMED, "FILTER": "V", "XILTER": "R", "XXPTIME": 120.0})
    content = path.read_bytes().replace(b"XILTER  =", b"FILTER  =").replace(b"XXPTIME", b"EXPTIME")
    path.write_bytes(content)
    assert [doubt.split(":")[0] for doubt in scan(path)[0].doubts] == [
        "EXPTIME is given 2 times, as 30.0 and 120.0",
        "FILTER is given 2 times, as 'V' and 'R'",
    ]
    same = raw("b.fits", cards={**TIMED, "FILTER": "V", "XILTER": "V"})
    same.write_bytes(same.read_bytes().replace(b"XILTER  =", b"FILTER  ="))
    assert scan(same)[0].doubts == ()


def test_floats_of_a_program_that_processes_frames_are_doubted(raw):
    cards = {**TIMED, "PROGRAM": "PixInsight 1.9.3"}
    floats = np.ones((5, 7), "f4") * 100
    (doubt,) = scan(raw("a.fits", floats, cards))[0].doubts
    assert doubt.startswith("PROGRAM = 'PixInsight 1.9.3', and its pixels are floats")
    assert scan(raw("b.fits", None, cards))[0].doubts == ()


@pytest.mark.parametrize(
    ("comment", "stated"),
    [
        ("Mid-exposure", "'Mid-exposure'"),
        ("UTC at middle of exposure", "'middle'"),
        ("End of exposure", "'End of exposure'"),
        ("local time of start", "'local'"),
        ("Start of exposure, UTC", ""),
        ("YYYY-MM-DDThh:mm:ss observation start, UT", ""),
    ],
)
def test_a_comment_that_states_that_a_date_is_no_start_is_a_doubt(raw, comment, stated):
    path = raw(cards=TIMED)
    fits.setval(path, "DATE-OBS", value=TIMED["DATE-OBS"], comment=comment)
    (record,) = scan(path)
    assert len(record.doubts) == bool(stated)
    assert all(f"comment states {stated}" in doubt for doubt in record.doubts)
