import pytest
from astropy.io import fits

from autowisp_xr.frames import scan
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.coordinates import is_master
from autowisp_xr.headers.recognition import calibrated_reason, master_reason


def header(cards):
    found = fits.Header()
    for card, value in cards.items():
        found[f"HIERARCH {card}" if " " in card else card] = value
    return found


@pytest.mark.parametrize(
    ("cards", "because"),
    [
        ({"IMAGETYP": "MasterBias"}, "IMAGETYP = 'MasterBias'"),
        ({"IMAGETYP": "Master Flat"}, "IMAGETYP = 'Master Flat'"),
        ({"OBSTYPE": "masterdark"}, "OBSTYPE = 'masterdark'"),
        ({"FRAME": "master"}, "FRAME = 'master'"),
        ({"NUMFCOMB": 10}, "NUMFCOMB = 10"),
        ({"NUMFCOMB": 1}, "NUMFCOMB = 1"),
        ({"NCOMBINE": 5}, "NCOMBINE = 5"),
        ({"NCOMBINE": "5"}, "NCOMBINE = '5'"),
        ({"STACKCNT": 30}, "STACKCNT = 30"),
        ({"SNAPSHOT": 2.0}, "SNAPSHOT = 2.0"),
        ({"IMCMB001": "zero1.fits"}, "IMCMB001 = 'zero1.fits'"),
        ({"IMCOM001": "zero1.fits"}, "IMCOM001 = 'zero1.fits'"),
        ({"ISMASTER": True}, "ISMASTER = True"),
        ({"COMBINED": True}, "COMBINED = True"),
        ({"PROCTYPE": "MasterCal"}, "PROCTYPE = 'MasterCal'"),
        ({"ESO PRO CATG": "MASTER_BIAS"}, "ESO PRO CATG = 'MASTER_BIAS'"),
    ],
)
def test_masters_are_known_by_a_card(cards, because):
    assert master_reason(header(cards), KeywordAliases()) == because
    assert is_master(header(cards))


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"IMAGETYP": "bias"},
        {"OBJECT": "master"},
        {"NCOMBINE": 1, "STACKCNT": 1, "SNAPSHOT": 1},
        {"NUMFCOMB": ""},
        {"NCOMBINE": "many", "SNAPSHOT": True},
        {"ISMASTER": False, "COMBINED": "no"},
        {"IMCMB001": ""},
        {"PROCTYPE": "RAW"},
    ],
)
def test_cards_of_single_frames_make_no_master(cards):
    assert master_reason(header(cards), KeywordAliases()) == ""
    assert not is_master(header(cards))


def test_a_type_card_of_the_user_may_state_master():
    cards = header({"MYTYPE": "Master Dark"})
    assert master_reason(cards, KeywordAliases()) == ""
    mine = KeywordAliases().extended(image_type="MYTYPE")
    assert master_reason(cards, mine) == "MYTYPE = 'Master Dark'"


@pytest.mark.parametrize(
    ("cards", "because"),
    [
        ({"IMAGAREA": "0 < x < 4, 0 < y < 4"}, "IMAGAREA = '0 < x < 4, 0 < y < 4'"),
        ({"CLRCHNL": "R"}, "CLRCHNL = 'R'"),
        ({"CALSTAT": "BDF"}, "CALSTAT = 'BDF'"),
        ({"CALSTAT": "d"}, "CALSTAT = 'd'"),
        ({"RLEVEL": 91}, "RLEVEL = 91"),
        ({"L1STATFL": 1}, "L1STATFL = 1"),
        ({"SUBBIAS": "masterbias.fits"}, "SUBBIAS = 'masterbias.fits'"),
        ({"FLATCOR": True}, "FLATCOR = True"),
        ({"ZEROCOR": "May 23 Zero is Zero.fits"}, "ZEROCOR = 'May 23 Zero is Zero.fits'"),
        ({"PROCTYPE": "InstCal"}, "PROCTYPE = 'InstCal'"),
        ({"ESO PRO CATG": "REDUCED_IMAGE"}, "ESO PRO CATG = 'REDUCED_IMAGE'"),
    ],
)
def test_calibrated_frames_are_known_by_a_card(cards, because):
    assert calibrated_reason(header(cards), ["image"]) == because


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"CALSTAT": ""},
        {"CALSTAT": "M"},
        {"RLEVEL": 0, "L1STATBI": 0, "L1STATFL": "N/A"},
        {"FLATCOR": False, "ZEROCOR": "no", "DARKCOR": "F", "SUBBIAS": ""},
        {"PROCTYPE": "raw"},
    ],
)
def test_cards_of_raw_frames_make_no_product(cards):
    assert calibrated_reason(header(cards), ["image"]) == ""


def test_planes_of_errors_or_masks_make_a_product():
    empty = fits.Header()
    assert calibrated_reason(empty, ["image", "error"]) == "it has a plane of errors"
    assert calibrated_reason(empty, ["image", "mask"]) == "it has a plane of flags"


def test_scan_states_what_made_a_file_a_master_or_a_product(raw, product):
    paths = [
        raw("a.fits", cards={"NCOMBINE": 7}),
        raw("b.fits", cards={"CALSTAT": "BD"}),
        raw("c.fits"),
        product("d.fits", cards={"IMAGETYP": "masterflat", "IMAGAREA": "0 < x < 7, 0 < y < 5"}),
    ]
    found = [(r.is_master, r.master_because, r.calibrated_because) for r in scan(paths)]
    assert found == [
        (True, "NCOMBINE = 7", ""),
        (False, "", "CALSTAT = 'BD'"),
        (False, "", ""),
        (True, "IMAGETYP = 'masterflat'", "it has a plane of errors"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "ImageCalibration.masterDarkFileName: dark.xisf",
        "Calibrated with a master bias, a master dark and a master flat",
        "Bias Subtraction (Bias 1, 4864 x 3232, Bin1 x 1, Temp -35C,",
        "Dark corrected with master_dark.fits",
        "Flat-field correction by flat_V.fit",
        "Subtracted master bias zero.fits",
    ],
)
def test_a_history_of_a_calibration_makes_a_product(line):
    cards = header({})
    cards.add_history("taken on a clear night")
    assert calibrated_reason(cards, ["image"]) == ""
    cards.add_history(line)
    assert calibrated_reason(cards, ["image"]) == f"HISTORY {line}"


@pytest.mark.parametrize(
    "line",
    [
        "File was processed by PinPoint 7.0.0 at 2025-06-02T04:11:19",
        "Dark subtraction: off",
        "No flat-field correction",
        "not calibrated with a dark",
        "ImageCalibration.masterBias.enabled: false",
        "the dark lamp was replaced",
        "WCS calibrated by astrometry.net",
    ],
)
def test_a_history_of_something_else_makes_none(line):
    cards = header({})
    cards.add_history(line)
    assert calibrated_reason(cards, ["image"]) == ""


@pytest.mark.parametrize("name", ["pp_light_00001", "r_pp_light_1", "M31_c", "M31_c_cc", "a_CAL"])
def test_names_of_calibrated_frames_count_for_floats_or_where_their_program_is_named(name):
    stated = calibrated_reason(header({}), ["image"], name=name, floats=True)
    assert stated.endswith("in its name, as programs call what they have calibrated, and floats")
    assert calibrated_reason(header({}), ["image"], name=name) == ""
    siril = header({"PROGRAM": "Siril 1.2.0"})
    assert "PROGRAM = 'Siril 1.2.0'" in calibrated_reason(siril, ["image"], name=name)
    assert calibrated_reason(siril, ["image"], name="apple_core", floats=True) == ""
