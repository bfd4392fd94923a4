"""``prepare_for_stacking``, overridden: frames changed, left out, and kept out of memory."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import MasterMaker
from tests.image_calibration.files import header_of, read_planes, write_planes

SHAPE = (3, 4)
OPTIONS = {"compress": None, "min_valid_frames": 3, "outlier_threshold": 2.0}


class Normalised(MasterMaker):
    """Stacks frames over their means, and leaves out those above 1000."""

    def prepare_for_stacking(self, image):
        return None if np.nanmean(image) > 1000 else image / np.nanmean(image)


@pytest.fixture
def cube():
    values = np.random.default_rng(13).normal(100, 5, (8, *SHAPE))
    return values * np.arange(1, 9).reshape(8, 1, 1)


def write(cube, dtype="f8"):
    files = []
    for number, image in enumerate(cube):
        cards = {"IMAGETYP": "flat", "JD-OBS": 2460000.0 + number, "FNUM": number}
        mask = np.zeros(image.shape, np.uint8)
        mask[1, 1] = 2 if number in (0, 5) else 0
        name = f"f{number}.fits"
        files.append(write_planes(name, image.astype(dtype), np.ones(image.shape), mask, cards))
    return files


def expected(cube, keep):
    images = np.array([cube[n] / cube[n].mean() for n in keep])
    for place, number in enumerate(keep):
        if number in (0, 5):
            images[place, 1, 1] = np.nan
    return aw.iterative_rejection_average(images, 2.0)


def test_a_subclass_may_change_frames(cube):
    files = write(cube)
    assert Normalised(**OPTIONS)(files, "m.fits") == (True, [])
    values, stdev, count = expected(cube, range(8))
    found = read_planes("m.fits")
    np.testing.assert_array_equal(found.image, values)
    np.testing.assert_array_equal(found.error, stdev)
    np.testing.assert_array_equal(found.mask, np.where(count < 5, 127, 0))


def test_frames_for_which_it_returns_none_are_listed_and_leave_no_trace(cube):
    cube[[2, 6]] += 2000
    files = write(cube)
    make = Normalised(**OPTIONS, add_averaged_keywords=["JD-OBS"], average_func="mean")
    assert make(files, "m.fits") == (True, ["f2.fits", "f6.fits"])
    keep = [0, 1, 3, 4, 5, 7]
    images = np.array([cube[n] / cube[n].mean() for n in keep])
    images[[0, 4], 1, 1] = np.nan
    values, stdev, _ = aw.iterative_rejection_average(images, 2.0, average_func="mean")
    found = read_planes("m.fits")
    np.testing.assert_array_equal(found.image, values)
    np.testing.assert_array_equal(found.error, stdev)
    header = header_of("m.fits")
    assert header["NUMFCOMB"] == 6
    names = [header[key] for key in header if key.startswith("ORIGF")]
    assert names == [f"f{n}.fits" for n in keep]
    assert header["JD-OBS"] == 2460000.0 + np.mean(keep)
    returned = make.stack(files, **make.stacking_options)
    assert returned[4] == ["f2.fits", "f6.fits"]
    np.testing.assert_array_equal(returned[0], values)


@pytest.mark.parametrize("high", [8, 6])
def test_too_few_frames_left_make_no_master(cube, here, high):
    cube[:high] += 2000
    files = write(cube)
    discarded = [f"f{n}.fits" for n in range(high)]
    make = Normalised(**OPTIONS)
    assert make(files, "m.fits") == (False, discarded)
    assert make.stack(files, **make.stacking_options) == (None, None, None, None, discarded)
    assert not (here / "m.fits").exists()


def test_an_instance_may_have_a_hook_of_its_own(cube):
    files = write(cube)
    make = MasterMaker(**OPTIONS)
    make.prepare_for_stacking = lambda image: image / image.mean()
    make(files, "m.fits")
    np.testing.assert_array_equal(read_planes("m.fits").image, expected(cube, range(8))[0])
    # others are as they were
    MasterMaker(**OPTIONS)(files, "n.fits")
    cube[[0, 5], 1, 1] = np.nan
    plain = aw.iterative_rejection_average(cube, 2.0)[0]
    np.testing.assert_array_equal(read_planes("n.fits").image, plain)


def test_a_subclass_may_build_on_the_hook_of_the_class(cube):
    class Same(MasterMaker):
        def prepare_for_stacking(self, image):
            return super().prepare_for_stacking(image)

    files = write(cube)
    for name, kind in (("a.fits", Same), ("b.fits", MasterMaker)):
        kind(**OPTIONS)(files, name)
    for ours, theirs in zip(read_planes("a.fits"), read_planes("b.fits"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["u2", "f4", "f8"])
def test_it_sees_whole_frames_in_double_precision_flagged_pixels_included(cube, dtype):
    seen = []

    class Watching(MasterMaker):
        def prepare_for_stacking(self, image):
            seen.append(image)
            return image

    files = write(cube, dtype)
    Watching(**OPTIONS)(files, "m.fits")
    assert len(seen) == 8
    for image, given in zip(seen, cube, strict=True):
        assert (type(image), image.dtype) == (np.ndarray, np.float64)
        np.testing.assert_array_equal(image, given.astype(dtype))


def test_it_may_write_into_the_frame_it_is_given(cube):
    class InPlace(MasterMaker):
        def prepare_for_stacking(self, image):
            image /= image.mean()
            return image

    files = write(cube)
    before = [fits.getdata(name).copy() for name in files]
    InPlace(**OPTIONS)(files, "m.fits")
    np.testing.assert_array_equal(read_planes("m.fits").image, expected(cube, range(8))[0])
    for name, image in zip(files, before, strict=True):
        np.testing.assert_array_equal(fits.getdata(name), image)


@pytest.mark.parametrize(
    "made",
    [np.zeros((4, 3)), np.zeros(3), 5.0, np.zeros((1, 3, 4))],
    ids=["T", "1-d", "0-d", "3-d"],
)
def test_an_array_of_another_shape_is_refused_with_the_file_and_both_shapes(cube, here, made):
    class Odd(MasterMaker):
        def prepare_for_stacking(self, image):
            return made

    with pytest.raises(
        aw.ImageMismatchError, match=r"made of f0\.fits, of the shape \(3, 4\).* of the shape \("
    ):
        Odd(**OPTIONS)(write(cube), "m.fits")
    assert not (here / "m.fits").exists()


def test_lists_and_integers_are_arrays_too(cube):
    class AsList(MasterMaker):
        def prepare_for_stacking(self, image):
            return np.rint(image).astype(int).tolist()

    AsList(**OPTIONS)(write(cube), "m.fits")
    rounded = np.rint(cube)
    rounded[[0, 5], 1, 1] = np.nan
    np.testing.assert_array_equal(
        read_planes("m.fits").image, aw.iterative_rejection_average(rounded, 2.0)[0]
    )


def test_nan_that_it_makes_is_left_out(cube):
    class Cut(MasterMaker):
        def prepare_for_stacking(self, image):
            return np.where(image > 700, np.nan, image)

    Cut(**OPTIONS)(write(cube), "m.fits")
    cut = np.where(cube > 700, np.nan, cube)
    cut[[0, 5], 1, 1] = np.nan
    np.testing.assert_array_equal(
        read_planes("m.fits").image, aw.iterative_rejection_average(cut, 2.0)[0]
    )


# pages of the temporary file are not the process's own: the system may take them back
MAKE = """
import sys, threading, time
from autowisp_xr.image_calibration import MasterMaker
from autowisp_xr.stack import stacking
import astropy.io.fits, dask.array, dask.diagnostics

class Prepared(MasterMaker):
    def prepare_for_stacking(self, image):
        return image / image.mean()

def kilobytes():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("RssAnon")).split()[1])

def watch():
    while True:
        peaks.append(kilobytes())
        time.sleep(0.002)

peaks = []
kind = {"plain": MasterMaker, "prepared": Prepared}[sys.argv[1]]
make = kind(outlier_threshold=3.0, min_valid_frames=2, compress=None)
before = kilobytes()
threading.Thread(target=watch, daemon=True).start()
assert make(sys.argv[2:], sys.argv[1] + ".fits") == (True, [])
print(max(peaks) - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the memory is read from /proc")
@pytest.mark.parametrize("kind", ["plain", "prepared"])
def test_frames_of_400_megabytes_need_not_fit_in_memory(here, kind):
    number, side = 50, 1000
    rng = np.random.default_rng(0)
    base = rng.normal(1000, 20, (side, side)).astype(np.float32)
    names = []
    for n in range(number):
        frame = np.roll(base, 977 * n) + rng.normal(0, 5, side).astype(np.float32)
        names.append(f"f{n}.fits")
        # with a mask, as every calibrated frame has one
        mask = fits.ImageHDU(np.zeros(frame.shape, np.uint8), fits.Header({"IMAGETYP": "mask"}))
        image = fits.PrimaryHDU(frame, fits.Header({"IMAGETYP": "flat"}))
        fits.HDUList([image, mask]).writeto(names[-1])
    done = subprocess.run(
        [sys.executable, "-c", MAKE, kind, *names], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) / 1000 < 200
    # rows from everywhere: bands lie elsewhere there
    rows = slice(333, 347)
    cube = np.array([fits.getdata(name).astype(float) for name in names])
    if kind == "prepared":
        cube = cube / cube.mean(axis=(1, 2), keepdims=True)
    values, stdev, _ = aw.iterative_rejection_average(cube[:, rows], 3.0)
    found = read_planes(f"{kind}.fits")
    np.testing.assert_allclose(found.image[rows], values, rtol=1e-14)
    np.testing.assert_allclose(found.error[rows], stdev, rtol=1e-6)
