"""What the calibrator makes of pixels, against the formulas written out in ``slow``."""

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.errors import CalibrationError
from autowisp_xr.image_calibration import Calibrator, MasterMaker
from tests.image_calibration.files import (
    BAYER,
    Planes,
    noisy_master,
    read_planes,
    write_planes,
    write_raw,
)
from tests.image_calibration.slow import assert_planes_equal, calibrated

SHAPE = (5, 7)
LEAKS = [(1, 0), (0, -1), (-2, 1)]


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def image(rng):
    values = rng.integers(100, 900, SHAPE).astype(np.uint16)
    values[1, 2] = values[1, 3] = values[4, 6] = values[0, 0] = 1000
    return values


@pytest.fixture
def masters(rng):
    """Bias, dark and flat as planes, and in files."""
    planes = {
        "bias": noisy_master(rng, SHAPE, 50, 3),
        "dark": noisy_master(rng, SHAPE, 20, 2),
        "flat": noisy_master(rng, SHAPE, 1, 0.2),
    }
    for kind, master in planes.items():
        write_planes(f"{kind}.fits", *master)
    return planes


def run(image, cards=None, *, raw="raw.fits", **params):
    """Calibrate one frame of a single channel, and read it."""
    write_raw(raw, image, cards)
    chosen = {"saturation_threshold": 930.0, "compress_calibrated": None, **params}
    Calibrator(**chosen, calibrated_fname="out.fits")(raw)
    return read_planes("out.fits")


@pytest.mark.parametrize(
    "kinds",
    [
        *((), ("bias",), ("dark",), ("flat",), ("bias", "dark")),
        *(("bias", "flat"), ("dark", "flat"), ("bias", "dark", "flat")),
    ],
    ids="+".join,
)
def test_any_choice_of_masters_gives_image_error_and_mask_of_the_formulas(image, masters, kinds):
    found = run(
        image,
        gain=1.7,
        read_noise_electrons=6.0,
        bias_level_adu=30.0,
        leak_directions=LEAKS,
        **{f"master_{kind}": f"{kind}.fits" for kind in kinds},
    )
    expected = calibrated(
        image,
        gain=1.7,
        read_noise=6.0,
        threshold=930.0,
        bias_level=30.0,
        leaks=LEAKS,
        **{kind: masters[kind] for kind in kinds},
    )
    assert_planes_equal(found, expected)


def test_the_error_of_a_flat_counts_with_the_image_before_the_division():
    write_planes("flat.fits", np.full((1, 2), 0.5), np.full((1, 2), 0.01), np.zeros((1, 2), "u1"))
    found = run(np.array([[100.0, 400.0]]), master_flat="flat.fits", saturation_threshold=1e6)
    assert found.image.tolist() == [[200.0, 800.0]]
    # V / F^2 = 4 I and (0.01 I)^2 / F^4 = 16e-4 I^2
    np.testing.assert_allclose(found.error**2, [[400 + 16.0, 1600 + 256.0]], rtol=1e-14)


def test_photon_noise_is_that_of_the_absolute_value_before_the_dark(masters):
    dark = Planes(np.full((1, 2), 30.0), np.zeros((1, 2)), np.zeros((1, 2), np.uint8))
    write_planes("level.fits", *dark)
    found = run(np.array([[-40.0, 40.0]]), gain=4.0, master_dark="level.fits")
    assert found.image.tolist() == [[-70.0, 10.0]]
    np.testing.assert_allclose(found.error, np.sqrt([[10.0, 10.0]]), rtol=1e-15)


def test_the_variance_of_a_dark_made_with_the_same_bias_is_added_in_full(image, rng):
    bias = noisy_master(rng, SHAPE, 50, 3)
    write_planes("bias.fits", *bias._replace(mask=np.zeros(SHAPE, np.uint8)))
    calibrate = Calibrator(
        saturation_threshold=1e5,
        master_bias="bias.fits",
        compress_calibrated=None,
        calibrated_fname="CAL/{RAWFNAME}.fits",
    )
    names = []
    for number in range(4):
        raw = write_raw(f"dark{number}.fits", rng.poisson(200, SHAPE), {"IMAGETYP": "dark"})
        calibrate(raw)
        names.append(f"CAL/dark{number}.fits")
    assert MasterMaker(min_valid_frames=4, min_valid_values=2, outlier_threshold=1.9)(
        names, "dark.fits", compress=None
    ) == (True, [])
    write_raw("science.fits", image)
    calibrate("science.fits", dark="dark.fits")
    dark = read_planes("dark.fits")
    expected = calibrated(
        image, bias=bias._replace(mask=np.zeros(SHAPE, np.uint8)), dark=dark, threshold=1e5
    )
    assert (dark.error > 0).all()
    assert_planes_equal(read_planes("CAL/science.fits"), expected)


def test_a_master_without_errors_is_free_of_noise_and_one_without_a_mask_clear(image):
    write_planes("bias.fits", np.full(SHAPE, 50.0))
    found = run(image, master_bias="bias.fits", saturation_threshold=1e4)
    clear = Planes(np.full(SHAPE, 50.0), np.zeros(SHAPE), np.zeros(SHAPE, np.uint8))
    assert_planes_equal(found, calibrated(image, bias=clear, threshold=1e4))


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
def test_raw_frames_of_any_type_are_calibrated_in_double_precision(dtype):
    values = np.array([[3, 100, 77], [0, 1, 2]], dtype)
    found = run(values, gain=3.0, read_noise_electrons=1.0, bias_level_adu=0.25)
    assert found.image.dtype.newbyteorder("=") == np.float64
    assert_planes_equal(
        found, calibrated(values, gain=3.0, read_noise=1.0, bias_level=0.25, threshold=930.0)
    )


def test_nan_and_infinite_pixels_are_nan_and_flagged():
    values = np.array([[np.nan, np.inf, -np.inf, 5.0]])
    found = run(values)
    assert np.isnan(found.image).tolist() == [[True, True, True, False]]
    assert np.isnan(found.error).tolist() == [[True, True, True, False]]
    # an infinite pixel is above any threshold, too
    assert found.mask.tolist() == [[1, 17, 1, 0]]


def test_frames_after_the_first_have_the_bits_that_they_have_alone(image, masters, rng):
    files = {f"master_{kind}": f"{kind}.fits" for kind in masters}
    calibrate = Calibrator(**files, saturation_threshold=930.0, compress_calibrated=None)
    for number, chosen in enumerate((image, image + np.uint16(7), image), start=1):
        # other masters of one call are those of no other
        other = {"bias": "dark.fits"} if number == 2 else {}
        write_raw(f"raw{number}.fits", chosen)
        calibrate(f"raw{number}.fits", calibrated=f"{number}.fits", **other)
        alone = {**files, **{f"master_{kind}": file for kind, file in other.items()}}
        expected = run(chosen, raw=f"alone{number}.fits", **alone, allow_overwrite=True)
        for one, two in zip(read_planes(f"{number}.fits"), expected, strict=True):
            np.testing.assert_array_equal(one, two)


def test_float32_is_the_same_arithmetic_stored_in_less(image, masters):
    files = {f"master_{kind}": f"{kind}.fits" for kind in masters}
    exact = run(image, **files)
    found = run(image, raw="again.fits", **files, dtype="float32", allow_overwrite=True)
    assert found.image.dtype.newbyteorder("=") == np.float32
    np.testing.assert_array_equal(found.image, exact.image.astype(np.float32))
    np.testing.assert_allclose(found.error, exact.error, rtol=2e-7)
    np.testing.assert_array_equal(found.mask, exact.mask)
    with pytest.raises(CalibrationError, match=r"'float64' or 'float32', not 'float16'"):
        run(image, raw="third.fits", dtype="float16", allow_overwrite=True)


@pytest.mark.parametrize("flat", [0.0, -0.5, np.nan])
def test_a_pixel_whose_flat_is_not_positive_is_nan_and_flagged(flat):
    clear = np.zeros((1, 3), np.uint8)
    write_planes("flat.fits", np.array([[1.0, flat, 2.0]]), np.full((1, 3), 0.01), clear)
    found = run(np.full((1, 3), 10.0), master_flat="flat.fits")
    assert np.isnan(found.image).tolist() == np.isnan(found.error).tolist() == [[0, 1, 0]]
    assert found.mask.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_a_pixel_whose_master_is_nan_is_nan_and_flagged(kind):
    master = np.array([[1.0, np.nan, 2.0]])
    write_planes("master.fits", master, np.ones((1, 3)), np.zeros((1, 3), np.uint8))
    found = run(np.full((1, 3), 10.0), **{f"master_{kind}": "master.fits"})
    assert np.isnan(found.image).tolist() == np.isnan(found.error).tolist() == [[0, 1, 0]]
    assert found.mask.tolist() == [[0, 1, 0]]


def test_a_frame_with_nan_pixels_can_be_written_compressed_and_read():
    values = np.random.default_rng(0).normal(100, 5, (4, 40))
    values[2, 7] = np.nan
    found = run(values, compress_calibrated=16)
    assert np.isnan(found.image[2, 7])
    assert np.isnan(found.image).sum() == np.isnan(found.error).sum() == 1
    assert found.mask[2, 7] == 1
    assert np.abs(found.image - values)[~np.isnan(values)].max() < 5 / 4


class TestSaturation:
    def test_only_what_is_above_the_threshold_is_saturated(self):
        found = run(np.array([[929, 930, 931]], np.uint16))
        assert found.mask.tolist() == [[0, 0, 16]]

    def test_the_threshold_counts_from_the_bias_level(self):
        found = run(np.array([[1029, 1030, 1031]], np.uint16), bias_level_adu=100.0)
        assert found.mask.tolist() == [[0, 0, 16]]
        assert found.image.tolist() == [[929.0, 930.0, 931.0]]

    def test_by_default_it_is_that_of_the_header_less_the_bias_level(self):
        values = np.array([[949, 950, 951, 1001]], np.uint16)
        cards = {"SATURATE": 950.0}
        assert run(values, cards, saturation_threshold=None).mask.tolist() == [[0, 0, 16, 16]]
        found = run(
            values,
            cards,
            raw="second.fits",
            saturation_threshold=None,
            bias_level_adu=40.0,
            allow_overwrite=True,
        )
        assert found.mask.tolist() == [[0, 0, 16, 16]]

    @pytest.mark.parametrize(
        ("dtype", "ceiling"), [("u1", 2**8 - 1), ("u2", 2**16 - 1), ("i2", 2**15 - 1)]
    )
    @pytest.mark.parametrize("bias_level", [0.0, 20.0])
    def test_left_out_without_a_card_it_is_the_ceiling_of_the_integers(
        self, dtype, ceiling, bias_level
    ):
        values = np.array([[0, ceiling - 1, ceiling]], dtype)
        found = run(values, saturation_threshold=None, bias_level_adu=bias_level)
        assert found.mask.tolist() == [[0, 0, 16]]

    def test_left_out_without_a_card_no_float_is_saturated(self):
        found = run(np.array([[0.0, 1e30]]), saturation_threshold=None)
        assert found.mask.tolist() == [[0, 0]]

    def test_a_threshold_may_be_left_out_of_the_call_of_the_constructor_altogether(self):
        write_raw("raw.fits", np.array([[0, 255]], np.uint8))
        Calibrator(compress_calibrated=None)("raw.fits", calibrated="out.fits")
        assert read_planes("out.fits").mask.tolist() == [[0, 16]]

    def test_leaks_do_not_depend_on_the_order_of_directions(self, image):
        expected = calibrated(image, threshold=930.0, leaks=LEAKS).mask
        for number, order in enumerate([LEAKS, LEAKS[::-1], [LEAKS[1], LEAKS[2], LEAKS[0]]]):
            found = run(image, raw=f"raw{number}.fits", leak_directions=order, allow_overwrite=True)
            np.testing.assert_array_equal(found.mask, expected)
        # two neighbours: each leaks into the other, and both down
        assert expected[1, 2:4].tolist() == [16, 48]
        assert expected[0, 2:4].tolist() == [32, 32]

    @pytest.mark.parametrize(
        "directions",
        [
            [(np.int64(1), np.int16(0))],
            ((1, 0),),
            [[1, 0]],
            np.array([[1, 0]]),
            iter([(1, 0)]),
        ],
        ids=["NumPy integers", "tuples", "lists", "an array", "an iterator"],
    )
    def test_directions_are_any_pairs_of_whole_numbers(self, directions):
        found = run(np.array([[1000, 1, 1]], np.uint16), leak_directions=directions)
        assert found.mask.tolist() == [[16, 32, 0]]

    def test_a_leak_that_ends_outside_the_image_is_nothing(self):
        found = run(np.array([[1000, 1]], np.uint16), leak_directions=[(5, 0), (0, -9), (-1, 0)])
        assert found.mask.tolist() == [[16, 0]]

    def test_a_leak_goes_into_the_neighbouring_colour(self):
        values = np.ones((4, 6), np.uint16)
        values[0, 2] = 1000  # an R pixel
        write_raw("raw.fits", values)
        Calibrator(
            saturation_threshold=930,
            split_channels=BAYER,
            leak_directions=[(1, 0), (0, 1), (2, 0)],
            compress_calibrated=None,
            calibrated_fname="{CLRCHNL}.fits",
        )("raw.fits")
        masks = {name: read_planes(f"{name}.fits").mask.tolist() for name in BAYER}
        assert masks == {
            "R": [[0, 16, 32], [0, 0, 0]],
            "G1": [[0, 32, 0], [0, 0, 0]],
            "G2": [[0, 32, 0], [0, 0, 0]],
            "B": [[0, 0, 0], [0, 0, 0]],
        }

    def test_nothing_leaks_in_from_outside_the_image_area(self):
        values = np.array([[1000, 1, 1]], np.uint16)
        area = {"xmin": 1, "xmax": 3, "ymin": 0, "ymax": 1}
        found = run(values, image_area=area, leak_directions=[(1, 0)])
        assert found.mask.tolist() == [[0, 0]]


class TestGain:
    def test_none_takes_it_from_the_header_of_the_image(self):
        values = np.array([[100.0]])
        found = run(values, {"GAIN": 4.0}, gain=None)
        np.testing.assert_allclose(found.error, [[5.0]])
        assert fits.getval("out.fits", "CALBGAIN") == 4.0

    def test_a_text_that_is_a_number_will_do(self):
        found = run(np.array([[100.0]]), {"GAIN": " 4.0 "}, gain=None)
        np.testing.assert_allclose(found.error, [[5.0]])

    def test_it_may_stand_in_the_header_of_the_hdu_that_was_chosen(self):
        first = fits.PrimaryHDU(np.zeros((1, 1)), fits.Header({"GAIN": 1.0}))
        second = fits.ImageHDU(np.array([[100.0]]), fits.Header({"GAIN": 4.0}))
        fits.HDUList([first, second]).writeto("two.fits")
        Calibrator(raw_hdu=1, gain=None, compress_calibrated=None)("two.fits", calibrated="o.fits")
        np.testing.assert_allclose(read_planes("o.fits").error, [[5.0]])

    def test_in_a_number_it_is_taken_before_the_header(self):
        found = run(np.array([[100.0]]), {"GAIN": 4.0}, gain=25)
        np.testing.assert_allclose(found.error, [[2.0]])
        assert fits.getval("out.fits", "CALBGAIN") == 25
