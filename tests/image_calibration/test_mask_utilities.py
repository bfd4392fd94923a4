"""Masks on their own: names of flags, saturation, unions of files, what masters hand on."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, mask_utilities
from autowisp_xr.image_calibration.mask_utilities import (
    combine_masks,
    get_saturation_mask,
    mask_flags,
)
from tests.image_calibration.files import write_planes
from tests.image_calibration.slow import inherited


def test_flags_have_the_values_of_the_original():
    assert mask_flags == {
        **{"OK": 0, "CLEAR": 0, "FAULT": 1, "NAN": 1, "HOT": 2, "COSMIC": 4, "OUTER": 8},
        **{"OVERSATURATED": 16, "LEAKED": 32, "SATURATED": 48, "INTERPOLATED": 64},
        **{"BAD": 127, "ALL": 127},
        # those that it does not have
        **{"NONLINEAR": 128, "UNUSABLE": 125},
    }
    assert all(type(value) is int for value in mask_flags.values())
    assert set(mask_utilities.__all__) == {"combine_masks", "get_saturation_mask", "mask_flags"}


class TestSaturation:
    def test_two_neighbours_leak_in_all_directions_whatever_their_order(self):
        image = np.array([[0, 9, 9, 0], [0, 0, 0, 0]])
        expected = [[0, 16, 48, 32], [0, 32, 32, 0]]
        for directions in ([(1, 0), (0, 1)], [(0, 1), (1, 0)]):
            mask = get_saturation_mask(image, 5, directions)
            assert mask.tolist() == expected
            assert mask.dtype == np.uint8

    def test_without_directions_nothing_leaks(self):
        assert get_saturation_mask(np.array([[5.0, 5.1, np.nan]]), 5).tolist() == [[0, 16, 0]]

    @given(
        image=st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5),
        directions=st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), max_size=4),
    )
    def test_it_is_what_a_loop_over_pixels_finds(self, image, directions):
        image = np.array(image)
        height, width = image.shape
        expected = (image > 2).astype(np.uint8) * 16
        for y, x in np.argwhere(image > 2):
            for dx, dy in directions:
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    expected[y + dy, x + dx] |= 32
        untouched = image.copy()
        np.testing.assert_array_equal(get_saturation_mask(image, 2, directions), expected)
        np.testing.assert_array_equal(image, untouched)


class TestCombining:
    def write(self, name, *values, dtype=np.uint8):
        return write_planes(name, np.zeros((1, 3)), mask=np.array([values], dtype))

    def test_all_files_count(self):
        files = [
            self.write("a.fits", 1, 0, 0),
            self.write("b.fits", 2, 2, 0),
            self.write("c.fits", 4, 0, 64),
        ]
        assert combine_masks(files).tolist() == [[7, 2, 64]]
        assert combine_masks(iter(files)).tolist() == [[7, 2, 64]]
        assert combine_masks(files[1]).tolist() == [[2, 2, 0]]
        assert combine_masks(files).dtype == np.uint8

    @pytest.mark.parametrize("tiles", [False, True], ids=["plain", "compressed"])
    def test_a_mask_may_be_the_first_image_of_its_file(self, tiles):
        data, header = np.array([[1, 2, 64]], np.uint8), fits.Header({"IMAGETYP": "mask"})
        if tiles:
            hdus = [fits.PrimaryHDU(), fits.CompImageHDU(data, header)]
        else:
            hdus = [fits.PrimaryHDU(data, header)]
        fits.HDUList(hdus).writeto("mask.fits")
        assert combine_masks("mask.fits").tolist() == [[1, 2, 64]]

    def test_wide_masks_and_images_are_no_masks(self):
        with pytest.raises(aw.BadImageError, match=r"wide\.fits.*2 bytes a pixel"):
            combine_masks(self.write("wide.fits", 1, 0, 0, dtype=np.int16))
        fits.PrimaryHDU(np.zeros((2, 2))).writeto("image.fits")
        with pytest.raises(aw.BadImageError, match=r"image\.fits holds no mask.*float64"):
            combine_masks("image.fits")

    def test_what_is_not_there_is_named(self):
        with pytest.raises(FileNotFoundError, match=r"nothing\.fits"):
            combine_masks(["nothing.fits"])


def test_a_master_hands_saturation_on_as_a_fault_and_all_else_as_it_is():
    mask = np.arange(128, dtype=np.uint8).reshape(8, 16)
    expected = inherited(mask)
    assert [expected.flat[i] for i in (16, 32, 48, 52, 64, 127)] == [1, 1, 1, 5, 64, 79]
    assert Calibrator._calib_mask_from_master(mask) is None
    np.testing.assert_array_equal(mask, expected)
