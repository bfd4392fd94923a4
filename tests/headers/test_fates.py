"""What becomes of each card, by the table, through the verbs and the files they write."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.headers import fate_rules, fates
from autowisp_xr.headers.processing import stated_correction
from autowisp_xr.headers.sensor_grid import PixelGrid

CAMERA = aw.Camera(gain=2.0, read_noise=6.0, saturation=60_000)
REMOVED = None


def image(seed, level=1000.0, shape=(6, 8)):
    rng = np.random.default_rng(seed)
    return (1000 + rng.poisson(2 * level, shape) / 2 + rng.normal(0, 3, shape)).round()


def write(folder, kind, number, cards, level=1000.0):
    """Raw files of a kind, a minute apart."""
    folder.mkdir(exist_ok=True)
    for i in range(number):
        header = fits.Header([("IMAGETYP", kind), ("EXPTIME", 60.0)])
        header["DATE-OBS"] = f"2024-01-01T00:{i:02d}:00"
        header.update(cards)
        data = image(i, level).astype("u2")
        fits.PrimaryHDU(data, header).writeto(folder / f"{kind}{i}.fits")
    return aw.open_fits(folder / f"{kind}*.fits", camera=CAMERA)


def header_of(ds, folder, name="out.fits"):
    (path,) = aw.to_fits(ds, folder / name, overwrite=True)
    return fits.getheader(path)


def products(folder, cards):
    """Headers of a calibrated frame, and of the mean of four, with a bias, a dark and a flat."""
    bias = aw.master_bias(write(folder, "bias", 3, cards, 0.0)).compute()
    dark = aw.master_dark(write(folder, "dark", 3, cards, 5.0), bias=bias).compute()
    flat = bias.assign(image=bias["image"] * 0 + 1, variance=0 * bias["variance"])
    flat = flat.assign_coords(image_type="flat")
    flat["image"].attrs["units"] = "1"
    raw = write(folder, "object", 4, cards)
    done = aw.calibrate(raw, bias=bias, dark=dark, flat=flat)
    frame = header_of(done.isel(frame=0), folder, "frame.fits")
    return frame, header_of(aw.stack(done, "mean"), folder, "stack.fits")


def test_the_documentation_ends_in_the_table():
    text, _, table = fates.__doc__.partition(" ".join("=" * n for n in (24, 13, 13, 13, 33)) + "\n")
    assert text.endswith("all frames have the same value.\n\n")
    heads, _, *lines, last, end = table.split("\n")
    assert heads.split() == ["cards", *fates.STEPS, "why"]
    assert (set(last), end) == ({"=", " "}, "")
    assert lines[0].split("  ")[0] == "GAIN"
    assert lines[1] == " " * 67 + "which frames are matched; what"
    # a line that begins with blanks goes on with the row above
    columns = ((0, 24), (25, 38), (39, 52), (53, 66), (67, 100))
    cells = [" ".join(line[slice(*column)].strip() for line in lines) for column in columns]
    for i, name in enumerate(("cards", *fates.STEPS, "why")):
        of_rows = [getattr(row, name) for row in fates.TABLE]
        texts = [", ".join(dict.fromkeys(each)) if i == 0 else each for each in of_rows]
        assert " ".join(cells[i].split()) == " ".join(" ".join(texts).split())


def test_no_two_rows_have_a_name_and_every_fate_is_a_rule_or_reported_as_done_elsewhere():
    names = [row.name for row in fates.TABLE]
    assert len(set(names)) == len(names)
    done = {getattr(row, step) for row in fates.TABLE for step in fates.STEPS}
    elsewhere = {"stays", "agreed", "agreed, or all removed", "moved", "written", "grows"}
    assert done - elsewhere == set(fate_rules.RULES)


RAW = {
    **{"GAIN": 120, "EGAIN": 2.0, "CVF": 2.0, "CCDGAIN": 2.0, "GTGAIN1": 2.0, "GAINB": 1.0},
    **{
        "RDNOISE": 5.0,
        "RON": 5.0,
        "ENOISE": 5.0,
        "RDNOISEA": 5.0,
        "SATURATE": 6e4,
        "SATLEVEL": 6e4,
    },
    **{"DATAMAX": 65_535, "DATAMIN": 0, "CBLACK": 900, "CWHITE": 4000, "BUNIT": "ADU"},
    **{"CALSTAT": "", "PEDESTAL": -100, "SNAPSHOT": 1, "EXPOSURE": 60.0, "TELAPSE": 61.0},
    **{"ZEROCOR": "no", "BIASCORR": "OMIT", "L1STATBI": 0, "FLATCOR": "F", "DARKFILE": "none"},
    **{"MJD-OBS": 60_310.0, "TIME-OBS": "00:00:00", "DATE": "2024-01-02", "OBSERVER": "me"},
}
"""Of raw frames."""
STACK_ONLY = {
    **{"IMAGETYP": "Master Light", "NCOMBINE": 4, "NUMFCOMB": 4, "STACKCNT": 4, "SNAPSHOT": 4},
    **{"EFFNCOMB": 4.0, "EGAIN": 8.0, "CVF": 8.0, "CCDGAIN": 8.0, "EXPTIME": 60.0},
    **{"LIVETIME": 240.0, "TELAPSE": REMOVED, "MJD-OBS": REMOVED, "TIME-OBS": REMOVED},
    **{"DATE-OBS": "2024-01-01T00:00:00", "DATE-BEG": "2024-01-01T00:00:00"},
    **{"DATE-AVG": "2024-01-01T00:02:00", "DATE-END": "2024-01-01T00:04:00"},
}
FRAME_ONLY = {
    **{"IMAGETYP": "object", "EFFNCOMB": 1.0, "EGAIN": 2.0, "CVF": 2.0, "CCDGAIN": 2.0},
    **{
        "NCOMBINE": REMOVED,
        "STACKCNT": REMOVED,
        "SNAPSHOT": 1,
        "LIVETIME": REMOVED,
        "TELAPSE": 61.0,
    },
    **{"DATE-OBS": "2024-01-01T00:00:00", "DATE-BEG": "2024-01-01T00:00:00"},
    **{"DATE-AVG": "2024-01-01T00:00:30", "DATE-END": "2024-01-01T00:01:00"},
    "MJD-OBS": 60_310.0,
}
BOTH = {
    **{"GAIN": REMOVED, "GAINSET": 120, "EGAINRAW": 2.0, "GTGAIN1": REMOVED, "GAINB": REMOVED},
    **{
        "RON": REMOVED,
        "ENOISE": REMOVED,
        "RDNOISEA": REMOVED,
        "DATAMAX": REMOVED,
        "DATAMIN": REMOVED,
    },
    **{"CBLACK": REMOVED, "CWHITE": REMOVED, "BUNIT": "adu", "CALSTAT": "BDF", "PEDESTAL": 0},
    **{"EXPOSURE": 60.0, "L1STATBI": 1, "DARKFILE": REMOVED, "DATE": REMOVED, "OBSERVER": "me"},
    **{"CALBGAIN": 2.0, "IMAGAREA": "0 < x < 8, 0 < y < 6"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Headers of a calibrated frame and of a stack, of raw frames with many cards."""
    return products(tmp_path_factory.mktemp("products"), RAW)


@pytest.mark.parametrize("card", {**BOTH, **FRAME_ONLY})
def test_each_card_is_true_for_a_calibrated_frame_or_removed(made, card):
    assert made[0].get(card) == {**BOTH, **FRAME_ONLY}[card]


@pytest.mark.parametrize("card", {**BOTH, **STACK_ONLY})
def test_each_card_is_true_for_a_stack_or_removed(made, card):
    assert made[1].get(card) == {**BOTH, **STACK_ONLY}[card]


@pytest.mark.parametrize(
    ("comment", "value", "kept"),
    [
        ("e-/ADU", 2.0, True),
        ("[electron/adu]", 2.0, True),
        ("ADU/e-", 0.5, False),
        ("", 2.0, True),
        ("", "2.0", True),
        ("", 300, False),
        ("", "High", False),
    ],
)
def test_a_gain_that_is_electrons_per_adu_becomes_that_of_the_product(comment, value, kept):
    header = fits.Header([("GAIN", value, comment), ("EGAIN", 2.0)])
    described = {"gain": 8.0, "raw_gain": 2.0}
    pixels = fate_rules.StoredPixels(height=6, width=8, grid=PixelGrid())
    for _ in range(2):
        # a second time changes nothing
        fate_rules.product_cards(header, ["calibrating"], described, pixels)
        assert header["GAINSET"] == value
        assert header.get("GAIN") == (8.0 if kept else None)
        assert header["EGAIN"] == 8.0


def test_the_saturation_is_on_the_scale_of_the_product(made):
    for header in made:
        assert abs(header["SATURATE"] - 58_995) < 10
        assert header["SATLEVEL"] == header["SATURATE"]


def test_a_saturation_that_nobody_knows_yet_is_not_reported(tmp_path):
    bias = aw.master_bias(write(tmp_path, "bias", 3, {}, 0.0)).compute()
    raw = write(tmp_path, "object", 3, {"SATURATE": 60_000})
    lazy = aw.calibrate(raw, bias=bias.chunk())
    assert "SATURATE" not in header_of(lazy.isel(frame=0), tmp_path)
    steps = aw.subtract_bias(raw, bias)
    assert schema.camera_of(steps).saturation == pytest.approx(59_000, abs=10)
    assert schema.camera_of(aw.calibrate(raw)).saturation == 60_000


def test_a_bright_flat_lowers_the_level_at_which_its_brightest_pixels_saturate(tmp_path):
    bias = aw.master_bias(write(tmp_path, "bias", 3, {}, 0.0)).compute()
    shape = np.linspace(0.8, 1.2, bias["image"].size).reshape(bias["image"].shape)
    flat = bias.assign(image=(bias["image"].dims, shape, {"units": "1"}))
    flat = flat.assign_coords(image_type="flat")
    raw = write(tmp_path, "object", 3, {"SATURATE": 60_000})
    level = schema.camera_of(aw.calibrate(raw, bias=bias, flat=flat)).saturation
    assert level == pytest.approx(59_000 / 1.2, rel=0.01)


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_other_programs_see_which_masters_were_applied(made, kind):
    for header in made:
        assert stated_correction(header, kind).made
        assert header[{"bias": "SUBBIAS", "dark": "SUBDARK", "flat": "FLATCOR"}[kind]]


def test_a_raw_card_that_states_no_is_not_left_where_it_was_done(made):
    frame, _ = made
    assert frame["ZEROCOR"] == frame["BIASCORR"] == frame["SUBBIAS"] != "no"
    assert frame["FLATCOR"] != "F"


def test_biases_have_no_gain_and_masters_state_what_they_are(tmp_path):
    cards = {"EGAIN": 2.0, "RDNOISE": 6.0}
    bias = header_of(aw.master_bias(write(tmp_path, "bias", 3, cards, 0.0)), tmp_path)
    assert bias["IMAGETYP"] == "Master Bias"
    assert not {"EGAIN", "RDNOISE", "EFFNCOMB"} & set(bias)
    assert bias["EGAINRAW"] == 2.0


def test_a_flat_has_neither_gain_nor_saturation(tmp_path):
    cards = {"EGAIN": 2.0, "SATURATE": 60_000, "FILTER": "V"}
    flats = write(tmp_path, "flat", 3, cards, 20_000.0)
    flat = aw.master_flat(flats, camera=replace(CAMERA, bias_level=100.0)).high
    header = header_of(flat, tmp_path)
    assert (header["IMAGETYP"], header["BUNIT"]) == ("Master Flat", "1")
    assert not {"EGAIN", "RDNOISE", "EFFNCOMB", "SATURATE"} & set(header)


def test_a_frame_whose_cards_do_not_state_its_type_states_it_as_a_product(tmp_path):
    write(tmp_path, "object", 1, {"IMAGETYP": "mine"})
    raw = aw.open_fits(tmp_path / "object*.fits", camera=CAMERA, types={"object*": "object"})
    assert header_of(aw.calibrate(raw), tmp_path)["IMAGETYP"] == "Light Frame"


@pytest.mark.parametrize(
    ("area", "kept"),
    [
        ("[1:6,1:6]", {"TRIMSEC"}),
        ("[3:8,1:6]", set()),
    ],
)
def test_a_section_stays_where_the_product_holds_it(tmp_path, area, kept):
    cards = {"TRIMSEC": area, "BIASSEC": "[7:8,1:6]" if area[1] == "1" else "[1:2,1:6]"}
    raw = write(tmp_path, "object", 1, cards)
    header = header_of(aw.calibrate(raw, overscan=False), tmp_path)
    assert {"TRIMSEC", "BIASSEC"} & set(header) == kept


def test_planes_of_one_colour_have_no_pattern(tmp_path):
    raw = write(tmp_path, "object", 1, {"BAYERPAT": "RGGB", "XBAYROFF": 0, "YBAYROFF": 0})
    for ds in (raw, aw.calibrate(raw)):
        paths = aw.to_fits(ds, tmp_path / "c_{CLRCHNL}.fits", overwrite=True)
        for path in paths:
            assert not {"BAYERPAT", "XBAYROFF", "YBAYROFF"} & set(fits.getheader(path))
    whole = aw.merge_channels(aw.calibrate(raw))
    assert header_of(whole, tmp_path)["BAYERPAT"] == "RGGB"
    cut = aw.trim(whole, aw.Region(xmin=1, xmax=7, ymin=0, ymax=6))
    assert header_of(cut, tmp_path)["BAYERPAT"] == "GRBG"


def test_a_raw_frame_keeps_its_cards(tmp_path):
    cards = {"GAIN": 120, "EGAIN": 2.0, "DATE": "2024-01-02", "SATURATE": 60_000, "PEDESTAL": 7}
    raw = write(tmp_path, "object", 1, cards)
    header = header_of(raw, tmp_path)
    assert {card: header[card] for card in cards} == cards


@pytest.mark.parametrize("setting", [120, "High"])
def test_the_judge_reads_what_was_set_from_products(tmp_path, setting):
    raw = write(tmp_path, "bias", 3, {"GAIN": setting, "EGAIN": 2.0}, 0.0)
    header_of(aw.master_bias(raw), tmp_path)
    back = schema.as_master(aw.open_fits(tmp_path / "out.fits"))
    for name in ("gain_setting", "readout_mode", "egain"):
        assert str(back[name].values) == str(raw[name].values[0]), name
    other = write(tmp_path / "other", "object", 1, {"GAIN": "Low" if setting == "High" else 7})
    with pytest.raises(aw.MasterMismatchError, match="not"):
        aw.calibrate(other, bias=back)


def test_masters_of_unlike_numbers_of_frames_go_together(tmp_path):
    cards = {"EGAIN": 2.0, "GAIN": 120}
    for number, kind in ((3, "bias"), (5, "dark")):
        raw = write(tmp_path, kind, number, cards, 0.0)
        made = aw.master_bias(raw) if kind == "bias" else aw.master_dark(raw)
        header_of(made, tmp_path, f"{kind}_m.fits")
    read = [schema.as_master(aw.open_fits(tmp_path / f"{k}_m.fits")) for k in ("bias", "dark")]
    raw = write(tmp_path, "object", 1, cards)
    aw.calibrate(raw, bias=read[0], dark=read[1])


def test_a_product_that_is_read_and_written_again_states_the_same(tmp_path):
    raw = write(tmp_path, "object", 4, {"EGAIN": 2.0, "SATURATE": 60_000, "GAIN": 120})
    for ds in (aw.calibrate(raw).isel(frame=[0]), aw.stack(aw.calibrate(raw), "median")):
        once = header_of(ds, tmp_path)
        again = header_of(aw.open_fits(tmp_path / "out.fits"), tmp_path, "again.fits")
        for card in ("EGAIN", "RDNOISE", "EFFNCOMB", "EGAINRAW", "SATURATE", "GAINSET", "IMAGETYP"):
            assert again[card] == pytest.approx(once[card]), card
