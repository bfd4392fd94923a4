import re

import pytest
from astropy.io import fits

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.lit_areas import read_areas
from autowisp_xr.headers.values import Cards


def areas(binning="", **cards):
    """Areas of a frame of 7 columns and 5 rows."""
    return read_areas(Cards(fits.Header(cards), KeywordAliases()), 5, 7, binning)


def shown(found):
    return tuple(section and str(section) for section in (found.image, found.overscan))


@pytest.mark.parametrize(
    ("cards", "image", "overscan"),
    [
        ({}, None, None),
        ({"TRIMSEC": "[ 2: 6, 1: 5]"}, "[2:6,1:5]", None),
        ({"TRIMSEC": "[6:2,5:1]"}, "[2:6,1:5]", None),
        ({"TRIMSEC": "[2:6,*]", "BIASSEC": "[7:7,*]"}, "[2:6,1:5]", "[7:7,1:5]"),
        ({"TRIMSEC": "UNKNOWN", "BIASSEC": "N/A"}, None, None),
        ({"DATASEC": "[0:0,0:0]", "BIASSEC": "[0:0, 0:0]", "TRIMSEC": "[]"}, None, None),
        ({"DATASEC": "[1:7,1:5]"}, None, None),
        ({"DATASEC": "[1:5,1:5]", "BIASSEC": "[6:7,1:5]"}, "[1:5,1:5]", "[6:7,1:5]"),
        ({"DATASEC": "[1:7,1:5]", "TRIMSEC": "[2:6,1:5]"}, "[2:6,1:5]", None),
        ({"DATASEC": "[1:99,1:5]", "TRIMSEC": "[2:6,1:5]"}, "[2:6,1:5]", None),
    ],
)
def test_sections_are_understood_without_a_doubt(cards, image, overscan):
    found = areas(**cards)
    assert shown(found) == (image, overscan)
    assert found.doubts == ()


@pytest.mark.parametrize("binning", ["2x2", "2x1"])
def test_unbinned_sections_are_scaled_if_only_that_makes_them_fit(binning):
    rows = 10 if binning == "2x2" else 5
    found = areas(binning, TRIMSEC=f"[1:10,1:{rows}]", BIASSEC=f"[11:14,1:{rows}]")
    assert shown(found) == ("[1:5,1:5]", "[6:7,1:5]")
    assert found.doubts == ()
    # binned already
    assert shown(areas(binning, TRIMSEC="[1:5,1:5]")) == ("[1:5,1:5]", None)


def test_pixels_that_are_lit_in_part_are_left_out_of_scaled_sections():
    found = areas("2x2", TRIMSEC="[2:11,1:10]", BIASSEC="[12:14,1:10]")
    assert shown(found) == ("[2:5,1:5]", "[7:7,1:5]")


@pytest.mark.parametrize(
    ("cards", "doubt"),
    [
        ({"TRIMSEC": "[1:9,1:5]"}, r"TRIMSEC = '\[1:9,1:5\]' reaches outside of .* 7 x 5 pixels:"),
        ({"BIASSEC": "[0:2,1:5]"}, "BIASSEC .* outside .*nothing is subtracted.* give overscan"),
        ({"DATASEC": "[1:9,1:5]"}, "DATASEC .* nothing is trimmed by it; give image_area"),
        ({"TRIMSEC": "left half"}, "TRIMSEC = 'left half' cannot be read as a section"),
        ({"DATASEC": "[1:7,1:5]", "BIASSEC": "[6:7,1:5]"}, "DATASEC .* also holds .* BIASSEC"),
    ],
)
def test_a_section_that_is_not_understood_is_doubted_and_does_nothing(cards, doubt):
    found = areas(**cards)
    assert found.image is None
    (stated,) = found.doubts
    assert re.search(doubt, stated)


def test_the_binning_is_reported_with_a_section_that_fits_in_no_way():
    (doubt,) = areas("2x2", TRIMSEC="[1:99,1:5]").doubts
    assert "7 x 5 pixels (binning 2x2)" in doubt


def test_of_an_overscan_that_overlaps_the_lit_image_the_dark_part_counts():
    found = areas(TRIMSEC="[1:4,1:5]", BIASSEC="[3:7,1:5]")
    assert shown(found) == ("[1:4,1:5]", "[5:7,1:5]")
    (doubt,) = found.doubts
    assert "BIASSEC = '[3:7,1:5]' overlaps the lit image, TRIMSEC = '[1:4,1:5]'" in doubt
    assert "only [5:7,1:5] of it counts" in doubt


def test_an_overscan_inside_the_lit_image_is_left_for_the_verb_to_refuse():
    found = areas(TRIMSEC="[1:6,1:5]", BIASSEC="[2:3,1:5]")
    assert shown(found) == ("[1:6,1:5]", "[2:3,1:5]")
    assert "none of it lies outside" in found.doubts[0]


def test_an_overscan_that_is_the_whole_frame_is_none():
    for data in ({}, {"DATASEC": "[1:7,1:5]"}, {"DATASEC": "[1:5,1:5]"}):
        found = areas(BIASSEC="[1:7,1:5]", **data)
        assert found.overscan is None
        (doubt,) = found.doubts
        assert "BIASSEC = '[1:7,1:5]' is the whole frame, which sees light, and not used" in doubt
    assert found.image is not None


_ESO = "HIERARCH ESO DET OUT1 {}"


@pytest.mark.parametrize(
    ("counts", "image", "overscan"),
    [
        ({"PRSCX": 1, "NX": 4, "OVSCX": 2}, "[2:5,1:5]", "[6:7,1:5]"),
        ({"PRSCY": 1, "NX": 7, "NY": 3, "OVSCY": 1}, "[1:7,2:4]", "[1:7,1:1]"),
        ({"PRSCX": 0, "NX": 7, "OVSCX": 0}, None, None),
    ],
)
def test_numbers_of_dark_columns_and_rows_serve_where_no_section_is_stated(counts, image, overscan):
    cards = {_ESO.format(name): count for name, count in counts.items()}
    found = areas(**cards)
    assert shown(found) == (image, overscan)
    assert found.doubts == ()
    assert shown(areas(TRIMSEC="[3:4,1:5]", **cards)) == ("[3:4,1:5]", None)


@pytest.mark.parametrize(
    ("cards", "doubt"),
    [
        ({"PREPIX": 1, "POSTPIX": 2}, "by PREPIX = 1, POSTPIX = 2 the frame of 7 x 5 pixels has"),
        ({_ESO.format("OVSCX"): 2, _ESO.format("NX"): 7}, "OVSCX = 2 .*give image_area and overs"),
    ],
)
def test_dark_columns_that_do_not_make_up_the_frame_are_doubted(cards, doubt):
    found = areas(**cards)
    assert shown(found) == (None, None)
    (stated,) = found.doubts
    assert re.search(doubt, stated)
