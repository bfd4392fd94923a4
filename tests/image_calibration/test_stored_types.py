"""Frames go into a master in the types in which they are stored; the sums are float64 anyway."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from autowisp_xr.image_calibration import MasterMaker
from autowisp_xr.image_calibration.stacked_master import opened
from tests.image_calibration.files import read_planes

STORED = ["u1", "i2", "u2", "i4", "u4", "i8", "f4"]
SHAPE = (4, 6)


class Unchanged(MasterMaker):
    """Stacks frames as a hook returns them."""

    seen: tuple[np.dtype, ...] = ()

    def prepare_for_stacking(self, image):
        self.seen = (*self.seen, image.dtype)
        return image


def write(images, directory, **cards):
    files = []
    for number, image in enumerate(images):
        path = directory / f"f{number}.fits"
        hdu = fits.PrimaryHDU(image, fits.Header({"IMAGETYP": "dark"}))
        for keyword, value in cards.items():
            hdu.header[keyword] = value
        hdu.writeto(path)
        files.append(str(path))
    return files


def counts(seed, number):
    """Frames with outliers, of values that every type of STORED can hold."""
    rng = np.random.default_rng(seed)
    values = rng.poisson(60, (number, *SHAPE))
    hit = rng.random(values.shape) < 0.05
    values[hit] = rng.integers(0, 120, hit.sum())
    return values


def master(files, directory, kind=MasterMaker, **options):
    options = {"outlier_threshold": 1.8, **options}
    make = kind(min_valid_frames=2, min_valid_values=2, compress=None, **options)
    path = str(directory / "master.fits")
    assert make(files, path, allow_overwrite=True) == (True, [])
    return read_planes(path)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("average", ["median", "mean", 0.3])
@pytest.mark.parametrize("number", [6, 7])
def test_a_master_does_not_depend_on_the_type_in_which_values_are_stored(
    stored, average, number, tmp_path
):
    values = counts(number, number)
    results = []
    for dtype in (stored, "f8"):
        directory = tmp_path / dtype
        directory.mkdir()
        files = write(values.astype(dtype), directory)
        assert opened(files, dtype=None)["image"].dtype == dtype
        results.append(master(files, directory, average_func=average))
    assert_same(*results)
    assert results[0].image.dtype == np.dtype(">f8")


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    number=st.integers(3, 12),
    average=st.sampled_from(["median", "mean"]),
)
def test_single_precision_is_enough_where_the_frames_have_it(
    seed, number, average, tmp_path_factory
):
    values = np.random.default_rng(seed).normal(1000, 30, (number, *SHAPE)).astype("f4")
    values[0, 0, 0] = np.nan
    values[-1, 1, 1] = np.inf
    results = []
    for dtype in ("f4", "f8"):
        directory = tmp_path_factory.mktemp(dtype)
        results.append(
            master(
                write(values.astype(dtype), directory),
                directory,
                average_func=average,
                outlier_threshold=1.2,
            )
        )
    assert_same(*results)


@pytest.mark.parametrize("cards", [{"BSCALE": 0.1}, {"BZERO": 0.3}, {"BLANK": 0}], ids=str)
def test_integers_that_are_fractions_are_not_rounded_to_float32(cards, tmp_path):
    values = counts(1, 5).astype("i2")
    values[2, 1, 1] = 0
    files = write(values, tmp_path)
    for file in files:
        for keyword, value in cards.items():
            fits.setval(file, keyword, value=value)
    seen = values * cards.get("BSCALE", 1.0) + cards.get("BZERO", 0.0)
    if "BLANK" in cards:
        seen = np.where(values == 0, np.nan, seen)
    assert opened(files, dtype=None)["image"].dtype == np.float64
    (tmp_path / "f8").mkdir()
    assert_same(master(files, tmp_path), master(write(seen, tmp_path / "f8"), tmp_path))


def test_frames_of_different_types_are_stacked_in_one_that_holds_all(tmp_path):
    values = counts(2, 6)
    kinds = ["i2", "u2", "f4", "u1", "i4", "f8"]
    files = write([image.astype(kind) for image, kind in zip(values, kinds, strict=True)], tmp_path)
    (tmp_path / "f8").mkdir()
    expected = master(write(values.astype("f8"), tmp_path / "f8"), tmp_path)
    assert_same(master(files, tmp_path), expected)


def test_the_hook_is_given_double_precision_whatever_is_stored(tmp_path):
    files = write(counts(3, 5).astype("u2"), tmp_path)
    make = Unchanged(min_valid_frames=2, min_valid_values=2, compress=None, outlier_threshold=1.8)
    assert make(files, str(tmp_path / "hooked.fits")) == (True, [])
    assert make.seen == (np.dtype(np.float64),) * 5
    assert_same(read_planes(tmp_path / "hooked.fits"), master(files, tmp_path))
