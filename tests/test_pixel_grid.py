"""Cards that count pixels, moved from one grid of pixels to another."""

import math

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.headers.cards import parse_header, render_header
from autowisp_xr.headers.sensor_grid import PixelGrid, area_of, grid_of, grid_of_plane, moved
from autowisp_xr.regions import ChannelSlice, Region
from tests.solved import SKIES, other_program, solved
from tests.steps.frames import frame_set

RAW = PixelGrid()
GREEN = PixelGrid(x=13, y=6, x_step=2, y_step=2)
UNEVEN = PixelGrid(x=4, y=9, x_step=3, y_step=1)
PHYSICAL = ("LTV1", "LTV2", "LTM1_1", "LTM2_2")


def cards(header):
    return {card.keyword: card.value for card in header.cards}


def physical(header):
    return [header[name] for name in PHYSICAL]


# -------------------------------------------------------------------------------- by hand


def test_a_crop_moves_the_reference_pixel_and_nothing_else():
    header = solved("SIP")
    new = moved(header, RAW, PixelGrid(x=10, y=4))
    assert cards(new) == {
        **cards(header),
        **{"CRPIX1": 10.5, "CRPIX2": 10.25},
        **{"LTV1": -10.0, "LTV2": -4.0, "LTM1_1": 1.0, "LTM2_2": 1.0},
    }


def test_a_plane_of_a_mosaic_has_pixels_of_twice_the_size():
    header = fits.Header(
        {"CRPIX1": 1.0, "CRPIX2": 2.0, "CD1_1": 0.5, "CD1_2": 3.0, "CD2_1": 0.0, "CDELT2": 7}
        | {"A_2_0": 1.0, "A_0_1": 1.0, "B_1_2": 1.0, "BP_3_0": 1.0, "A_DMAX": 4.0}
    )
    new = moved(header, RAW, PixelGrid(x_step=2, y_step=2))
    assert cards(new) == {
        # the center of the first pixel stays where it is: 1 is 1, and 2 is half a pixel farther
        **{"CRPIX1": 1.0, "CRPIX2": 1.5, "CD1_1": 1.0, "CD1_2": 6.0, "CD2_1": 0.0, "CDELT2": 14},
        **{"A_2_0": 2.0, "A_0_1": 1.0, "B_1_2": 4.0, "BP_3_0": 4.0, "A_DMAX": 2.0},
        **{"LTV1": 0.5, "LTV2": 0.5, "LTM1_1": 0.5, "LTM2_2": 0.5},
    }
    assert physical(moved(header, RAW, GREEN)) == [1 - 14 / 2, 1 - 7 / 2, 0.5, 0.5]


def test_unequal_steps_scale_each_axis_by_its_own():
    header = fits.Header({"CD1_1": 1.0, "CD1_2": 1.0, "PC2_1": 1.0, "A_1_2": 1.0, "B_1_2": 1.0})
    new = cards(moved(header, RAW, PixelGrid(x_step=2, y_step=4)))
    assert (new["CD1_1"], new["CD1_2"], new["PC2_1"]) == (2.0, 4.0, 2.0)
    assert (new["A_1_2"], new["B_1_2"]) == (16.0, 8.0)
    header["CDELT2"] = 1.0
    with_cdelt = moved(header, RAW, PixelGrid(x_step=2, y_step=4))
    assert (with_cdelt["PC2_1"], with_cdelt["CDELT2"]) == (0.5, 4.0)


@pytest.mark.parametrize("form", SKIES)
@pytest.mark.parametrize("new", [GREEN, UNEVEN, PixelGrid(x=7, y=3)], ids=str)
def test_a_pixel_keeps_its_place_on_the_sky(form, new):
    header = solved(form)
    changed = moved(header, RAW, new)
    x, y = np.arange(14), np.arange(14)[:, None]
    keys = [" ", "A"] if "CTYPE1A" in header else [" "]
    for key in keys:
        expected = other_program(header, key).all_pix2world(
            new.x + new.x_step * x, new.y + new.y_step * y, 0
        )
        found = other_program(changed, key).all_pix2world(x, y, 0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("new", [GREEN, UNEVEN], ids=str)
def test_the_inverse_of_sip_is_that_of_the_same_pixel(new):
    header = solved("SIP")
    before, after = other_program(header), other_program(moved(header, RAW, new))
    # offsets from the reference pixel that the coefficients AP, BP give back
    u, v = np.array([-9.0, 4.0, 11.0]), np.array([3.0, -8.0, 12.0])
    crpix, step = np.array([header["CRPIX1"], header["CRPIX2"]]), np.array([new.x_step, new.y_step])
    old = np.array(before.sip_foc2pix(u, v, 1)) - np.add.outer(crpix, 0 * u)
    new_crpix = np.array(after.wcs.crpix)
    found = np.array(after.sip_foc2pix(u / step[0], v / step[1], 1)) - np.add.outer(
        new_crpix, 0 * u
    )
    np.testing.assert_allclose(found * step[:, None], old, rtol=0, atol=1e-10)
    assert np.abs(old - [u, v]).max() > 1e-3


def test_the_old_name_of_pc_is_known():
    header = fits.Header({"PC001002": 0.25, "PC002001": 0.5, "CDELT1": 1.0})
    new = cards(moved(header, RAW, PixelGrid(x_step=2, y_step=4)))
    assert (new["PC001002"], new["PC002001"], new["CDELT1"]) == (0.5, 1.0, 2.0)


def test_a_card_that_is_no_number_stays_as_it_is_and_the_rest_moves():
    odd = (
        "CRPIX1  = 'here    '",
        "CRPIX2  = NaN",
        "CD1_2   =  T",
        "CRPIX2A =",
        "A_0_2   = 1.0E300",
    )
    text = "\n".join(f"{card:<80}" for card in (*odd, "CD1_1   =  1.0"))
    new = render_header(moved(parse_header(text), RAW, PixelGrid(x_step=2, y_step=10**9)))
    # as astropy puts it, which writes NaN as a text
    assert new.split("\n")[:5] == render_header(parse_header(text)).split("\n")[:5]
    assert new.split("\n")[5].startswith("CD1_1   =                  2.0")


def test_other_cards_stay_letter_for_letter():
    header = parse_header(
        "\n".join(
            f"{card:<80}"
            for card in (
                "FLOAT   = +1.500E+000 / as it is",
                "TRIMSEC = '[3:7,1:5]'",
                "COMMENT CRPIX1 is not meant",
                "CRPIXELS=                    3",
                "CD_RATE =                  2.0",
                "A_ORDER =                    2",
            )
        )
    )
    before, after = render_header(header), render_header(moved(header, RAW, GREEN))
    assert after.split("\n")[:6] == before.split("\n")


def test_a_card_that_is_there_twice_is_moved_twice():
    header = fits.Header([("CRPIX1", 3.0), ("CRPIX1", 5.0)])
    assert [card.value for card in moved(header, RAW, PixelGrid(x=1)).cards][:2] == [2.0, 4.0]


def test_the_header_that_is_given_stays_untouched():
    header = solved("SIP", LTV1=3.0)
    before = render_header(header)
    moved(header, RAW, GREEN)
    assert render_header(header) == before


# ------------------------------------------------------------------------------- LTV, LTM


def test_the_raw_frame_itself_states_nothing_of_physical_pixels_unless_it_did():
    assert "LTV1" not in moved(solved("CD"), RAW, RAW)
    described = solved("CD", LTV1=0.0, LTM1_1=1.0)
    assert render_header(moved(described, RAW, RAW)) == render_header(described)


def test_physical_pixels_are_those_of_the_header_where_it_names_them():
    # a half-size readout of a detector that starts at its column 101
    header = fits.Header([("LTV1", -50.0, "of the camera"), ("LTM1_1", 0.5)])
    new = moved(header, RAW, PixelGrid(x=7, y=2))
    assert physical(new) == [-57.0, -2.0, 0.5, 1.0]
    assert new.comments["LTV1"] == "of the camera"
    again = moved(new, PixelGrid(x=7, y=2), GREEN)
    # its first column is 14 of the raw frame, which is 128 of the detector: 14 = 0.5 * 128 - 50
    assert (physical(again)[0] + 128 * physical(again)[2], physical(again)[2]) == (1.0, 0.25)


def test_a_product_without_them_gets_them():
    header = fits.Header({"IMAGAREA": "12 < x < 40, 5 < y < 30", "CHNLXOFF": 1, "CHNLXSTP": 2})
    grid = grid_of(header)
    assert physical(moved(header, grid, grid)) == [1 - 14 / 2, -5.0, 0.5, 1.0]


def test_back_on_the_raw_frame_they_are_gone():
    header = solved("CD")
    there = moved(header, RAW, UNEVEN)
    assert set(PHYSICAL) <= set(there)
    assert not set(PHYSICAL) & set(moved(there, UNEVEN, RAW))


@pytest.mark.parametrize("wrong", [{"LTV1": "left"}, {"LTV2": 3.0, "LTM2_2": True}])
def test_physical_pixels_that_are_no_numbers_stay_as_they_are(wrong):
    new = moved(fits.Header({**wrong, "CRPIX1": 9.0}), RAW, PixelGrid(x=2))
    assert cards(new) == {**wrong, "CRPIX1": 7.0}


def test_a_detector_that_lies_askew_keeps_its_cross_terms():
    header = fits.Header({"LTV1": 4.0, "LTM1_1": 0.0, "LTM1_2": 1.0, "LTM2_1": -1.0, "LTM2_2": 0.0})
    new = cards(moved(header, RAW, PixelGrid(x_step=2, y_step=4)))
    assert [new[f"LTM{i}_{j}"] for i in "12" for j in "12"] == [0.0, 0.5, -0.25, 0.0]
    assert (new["LTV1"], new["LTV2"]) == (4 / 2 + 0.5, 0.75)


# ------------------------------------------------------------------------------ the grids


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({}, RAW),
        ({"CLRCHNL": "R"}, RAW),
        ({"IMAGAREA": "10 < x < 30, 5 < y < 15"}, PixelGrid(x=10, y=5)),
        (
            {"IMAGAREA": " 10<x<30 ,5<y<15 ", "CHNLXOFF": 1, "CHNLXSTP": 2, "CHNLYSTP": 3},
            PixelGrid(x=11, y=5, x_step=2, y_step=3),
        ),
        ({"CHNLXOFF": 5, "CHNLXSTP": 2}, PixelGrid(x=5, x_step=2)),
        ({"IMAGAREA": "nowhere", "CHNLYOFF": 1, "CHNLYSTP": 2}, PixelGrid(y=1, y_step=2)),
        ({"IMAGAREA": "30 < x < 10, 5 < y < 15"}, RAW),
        ({"IMAGAREA": "10 < x < 30, 5 < y < 15", "CHNLXOFF": 1}, PixelGrid(x=10, y=5)),
        ({"CHNLXOFF": 1, "CHNLXSTP": 0}, RAW),
        ({"CHNLXOFF": -1, "CHNLXSTP": 2}, RAW),
        ({"CHNLXOFF": 1.5, "CHNLXSTP": True}, RAW),
    ],
)
def test_a_header_names_its_grid(described, expected):
    assert grid_of(fits.Header(described)) == expected


def test_an_area_is_read_or_is_not_there():
    assert area_of(fits.Header({"IMAGAREA": "1 < x < 3, 2 < y < 9"})) == Region(
        xmin=1, xmax=3, ymin=2, ymax=9
    )
    assert area_of(fits.Header({"IMAGAREA": 3})) is None


def test_a_plane_has_the_grid_of_its_coordinates():
    ds = aw.split_channels(frame_set(np.zeros((20, 30)), camera=aw.Camera(channels="RGGB")))
    blue = ds.isel(channel=[3])
    assert grid_of_plane(ds, 3) == PixelGrid(x=1, y=1, x_step=2, y_step=2)
    assert grid_of_plane(blue.isel(x=slice(4, None), y=[7]), 0) == PixelGrid(
        x=9, y=15, x_step=2, y_step=2
    )
    assert grid_of_plane(blue.isel(x=slice(1, None, 3)), 0) == PixelGrid(
        x=3, y=1, x_step=6, y_step=2
    )
    assert grid_of_plane(ds.drop_vars(["x", "y"]), 1) == PixelGrid(x=1, x_step=2, y_step=2)


@pytest.mark.parametrize("picked", [[0, 1, 3], [2, 1, 0], [1, 1]])
def test_pixels_picked_in_no_regular_way_have_no_grid(picked):
    ds = frame_set(np.zeros((4, 5))).isel(x=picked)
    with pytest.raises(aw.ImageMismatchError, match=r"'x' holds the raw-frame pixels \d, \d"):
        grid_of_plane(ds, 0)


def test_means_of_pixels_have_no_grid_of_whole_pixels():
    ds = frame_set(np.zeros((4, 6))).coarsen(x=2).mean()
    with pytest.raises(aw.ImageMismatchError, match=r"pixels 0\.5, 2\.5, 4\.5, which"):
        grid_of_plane(ds, 0)


def test_a_channel_in_an_area_is_a_grid():
    cut = ChannelSlice(y_offset=1, y_step=2, x_step=3)
    area = Region(xmin=10, xmax=20, ymin=5, ymax=9)
    assert PixelGrid.of(cut, area) == PixelGrid(x=10, y=6, x_step=3, y_step=2)


# ----------------------------------------------------------------------------- properties

grids = st.builds(
    PixelGrid,
    x=st.integers(0, 9000),
    y=st.integers(0, 9000),
    x_step=st.integers(1, 7),
    y_step=st.integers(1, 7),
)
numbers = st.floats(-1e4, 1e4).filter(lambda value: value == 0 or abs(value) > 1e-12)
NAMES = (
    *("CRPIX1", "CRPIX2", "CRPIX1A", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "CDELT1", "CDELT2"),
    *("PC1_1", "PC1_2", "PC2_1B", "CDELT2B", "A_0_2", "A_3_1", "B_1_0", "AP_2_2", "BP_0_5"),
    *("A_DMAX", "LTV1", "LTV2", "LTM1_1", "LTM1_2", "LTM2_2", "CRVAL1", "PV1_4"),
)
headers = st.dictionaries(st.sampled_from(NAMES), numbers, max_size=12).map(fits.Header)


def assert_same_cards(one, other):
    """The same to rounding; LTV of 0 and LTM of 1 may as well not be there."""
    first, second = (
        [card for card in header.cards if not card.keyword.startswith("LT")]
        for header in (one, other)
    )
    assert [card.keyword for card in first] == [card.keyword for card in second]
    pairs = [(mine.value, yours.value) for mine, yours in zip(first, second, strict=True)]
    for name in (*PHYSICAL, "LTM1_2"):
        default = float(name in ("LTM1_1", "LTM2_2"))
        pairs.append((one.get(name, default), other.get(name, default)))
    for mine, yours in pairs:
        # positions come from differences of numbers up to 1e4 pixels
        assert math.isclose(mine, yours, rel_tol=1e-9, abs_tol=1e-9)


@given(headers, grids, grids)
def test_there_and_back_again_changes_nothing(header, one, other):
    start = moved(header, one, one)
    assert_same_cards(moved(moved(header, one, other), other, one), start)
    assert_same_cards(moved(start, one, one), start)


@given(headers, grids, grids, grids)
def test_two_moves_are_one(header, one, two, three):
    assert_same_cards(moved(moved(header, one, two), two, three), moved(header, one, three))


@given(grids, grids)
def test_physical_pixels_are_raw_pixels_wherever_the_image_lies(one, two):
    header = moved(moved(fits.Header(), RAW, one), one, two)
    for axis, start, step in (("1", two.x, two.x_step), ("2", two.y, two.y_step)):
        shift, scale = header.get(f"LTV{axis}", 0.0), header.get(f"LTM{axis}_{axis}", 1.0)
        for stored in (1, 5):
            raw = start + (stored - 1) * step + 1
            assert math.isclose(scale * raw + shift, stored, rel_tol=0, abs_tol=1e-8)


def test_channel_slices_of_the_schema_are_what_a_grid_is_made_of():
    ds = frame_set(np.zeros((2, 2)))
    assert schema.channel_slices(ds) == [ChannelSlice()]
    assert grid_of_plane(ds, 0) == RAW
