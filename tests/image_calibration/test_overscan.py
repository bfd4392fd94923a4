"""Overscan inside the calibrator: its methods, methods of the user's own, and what is refused."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, overscan_methods
from tests.image_calibration.files import (
    BAYER,
    header_of,
    noisy_master,
    read_planes,
    write_planes,
    write_raw,
)
from tests.image_calibration.slow import assert_planes_equal, calibrated

SHAPE = (12, 30)
AREA = {"xmin": 10, "xmax": 30, "ymin": 2, "ymax": 12}
STRIP = {"xmin": 1, "xmax": 9, "ymin": 0, "ymax": 12}
LINES = {"xmin": 0, "xmax": 30, "ymin": 0, "ymax": 2}
PLAIN = {
    "saturation_threshold": 5e4,
    "compress_calibrated": None,
    "image_area": AREA,
    "calibrated_fname": "out.fits",
    "allow_overwrite": True,
}


@pytest.fixture
def image():
    values = np.random.default_rng(14).integers(480, 521, SHAPE).astype(np.uint16)
    values[2:, 10:] += 1000
    write_raw("raw.fits", values)
    return values


def level_of(pixels, average=np.median):
    """Level and variance without outliers, as the documentation of the original has them."""
    middle = average(pixels)
    return middle, ((pixels - middle) ** 2).sum() / (pixels.size - 1) / pixels.size


def run(method, areas=(STRIP,), **params):
    Calibrator(**PLAIN, overscans={"areas": list(areas), "method": method}, **params)("raw.fits")
    return read_planes("out.fits")


class Constant(overscan_methods.Base):
    """A method of the user's own."""

    def __init__(self, correction=3.0, variance=0.25):
        self.correction, self.variance = correction, variance
        self.seen = []

    def __call__(self, **given):
        self.seen.append(given)
        return {"correction": self.correction, "variance": self.variance}

    def document_in_fits_header(self, header):
        header["OVSCNMTD"] = "Constant"


@pytest.mark.parametrize(
    ("method", "average"),
    [(overscan_methods.Median, np.median), (overscan_methods.Mean, np.mean)],
    ids=["median", "mean"],
)
@pytest.mark.parametrize("bias_level", [0.0, 30.5])
def test_the_level_of_the_strip_is_subtracted_and_its_variance_added(
    image, method, average, bias_level
):
    found = run(
        method(min_pixels=50), gain=1.3, read_noise_electrons=4.0, bias_level_adu=bias_level
    )
    strip = image[:, 1:9] - bias_level
    expected = calibrated(
        image,
        area=AREA,
        gain=1.3,
        read_noise=4.0,
        bias_level=bias_level,
        overscan=level_of(strip, average),
    )
    assert_planes_equal(found, expected)


def test_a_pixel_in_two_areas_counts_once(image):
    found = run(overscan_methods.Median(min_pixels=50), [STRIP, LINES, STRIP])
    union = np.zeros(SHAPE, bool)
    union[:, 1:9] = union[:2] = True
    expected = calibrated(image, area=AREA, overscan=level_of(image[union].astype(float)))
    assert_planes_equal(found, expected)
    header = header_of("out.fits")
    assert header["OVSCNPIX"] == union.sum()
    assert header["OVRSCN01"] == "0 < x < 30, 0 < y < 2"
    assert header["OVRSCN02"] == header["OVRSCN00"] == "1 < x < 9, 0 < y < 12"


def test_overscan_goes_before_bias_dark_and_flat(image):
    rng = np.random.default_rng(5)
    shape = (10, 20)
    masters = {
        "bias": noisy_master(rng, shape, 5, 1),
        "dark": noisy_master(rng, shape, 20, 2),
        "flat": noisy_master(rng, shape, 1, 0.1),
    }
    for kind, planes in masters.items():
        write_planes(f"{kind}.fits", *planes)
    found = run(
        overscan_methods.Median(min_pixels=50), **{kind: f"{kind}.fits" for kind in masters}
    )
    expected = calibrated(image, area=AREA, overscan=level_of(image[:, 1:9] * 1.0), **masters)
    assert_planes_equal(found, expected)


def test_all_channels_have_the_level_of_the_whole_strip(image):
    Calibrator(
        **{**PLAIN, "calibrated_fname": "{CLRCHNL}.fits"},
        split_channels=BAYER,
        overscans={"areas": [STRIP], "method": overscan_methods.Median(min_pixels=50)},
    )("raw.fits")
    expected = calibrated(image, area=AREA, overscan=level_of(image[:, 1:9] * 1.0))
    for name, place in BAYER.items():
        assert_planes_equal(read_planes(f"{name}.fits"), expected.at(place))


@pytest.mark.parametrize("keyword", ["overscans", "overscan"])
@pytest.mark.parametrize(
    "nothing",
    [
        None,
        {"areas": None, "method": None},
        {"areas": None, "method": overscan_methods.Median()},
        {"areas": [STRIP], "method": None},
    ],
    ids=["None", "both None", "no areas", "no method"],
)
def test_nothing_given_is_nothing_done(image, nothing, keyword):
    calibrate = Calibrator(
        **PLAIN, overscans={"areas": [STRIP], "method": overscan_methods.Median(min_pixels=50)}
    )
    calibrate("raw.fits", **{keyword: nothing})
    assert_planes_equal(read_planes("out.fits"), calibrated(image, area=AREA))
    assert not [key for key in header_of("out.fits") if key.startswith("OV")]
    calibrate("raw.fits")
    assert header_of("out.fits")["OVSCNMTD"] == "Iterative rejection median"


@pytest.mark.parametrize("given", [STRIP, (STRIP,), ["[2:9,1:12]"]], ids=["dict", "tuple", "FITS"])
def test_areas_may_be_one_or_several(image, given):
    method = overscan_methods.Median(min_pixels=50)
    Calibrator(**PLAIN, overscans={"areas": given, "method": method})("raw.fits")
    expected = calibrated(image, area=AREA, overscan=level_of(image[:, 1:9] * 1.0))
    assert_planes_equal(read_planes("out.fits"), expected)


def test_a_class_in_place_of_a_method_is_made_one(image):
    values = np.tile(image, (2, 1))
    write_raw("tall.fits", values)
    Calibrator(
        **PLAIN, overscans={"areas": [{**STRIP, "ymax": 24}], "method": overscan_methods.Median}
    )("tall.fits")
    expected = calibrated(values, area=AREA, overscan=level_of(values[:, 1:9] * 1.0))
    assert_planes_equal(read_planes("out.fits"), expected)


def test_the_header_states_what_was_found_in_this_frame(image):
    method = overscan_methods.Median(
        min_pixels=7, reject_threshold=4.0, max_reject_iterations=3, require_convergence=True
    )
    calibrate = Calibrator(**PLAIN, overscans={"areas": [STRIP], "method": method})
    image[3, 4] = 60000
    write_raw("second.fits", image)
    for name, rounds, pixels in (("raw.fits", 0, 96), ("second.fits", 1, 95), ("raw.fits", 0, 96)):
        calibrate(name)
        header = header_of("out.fits")
        found = {key: header[key] for key in header if key.startswith("OVSC")}
        assert found == {
            "OVSCNMTD": "Iterative rejection median",
            "OVSCREJT": 4.0,
            "OVSCREJM": 3,
            "OVSCMINP": 7,
            "OVSCREJI": rounds,
            "OVSCNPIX": pixels,
            "OVSCCONV": True,
        }


class TestFailures:
    def test_too_few_pixels_are_an_error_and_nothing_is_written(self, image, here):
        with pytest.raises(aw.ConvergenceError, match="96 overscan pixels"):
            run(overscan_methods.Median())
        assert not (here / "out.fits").exists()

    def test_convergence_can_be_required(self, image, here):
        image[:, 1:9] = 500
        image[0, 1:9] = [10**k % 60000 + 500 for k in range(8)]
        write_raw("wild.fits", image)
        options = {"min_pixels": 5, "reject_threshold": 3.0, "max_reject_iterations": 1}
        areas = [STRIP]
        loose = {"areas": areas, "method": overscan_methods.Median(**options)}
        strict = {
            "areas": areas,
            "method": overscan_methods.Median(**options, require_convergence=True),
        }
        calibrate = Calibrator(**PLAIN, overscans=loose)
        calibrate("wild.fits")
        assert header_of("out.fits")["OVSCCONV"] is False
        with pytest.raises(aw.ConvergenceError):
            calibrate("wild.fits", overscans=strict)

    @pytest.mark.parametrize(
        ("area", "error"),
        [
            ({**STRIP, "xmax": 31}, aw.OutsideImageError),
            ({**STRIP, "xmax": 1}, aw.CalibrationError),
        ],
    )
    def test_areas_that_cannot_be_are_refused(self, image, area, error):
        with pytest.raises(error):
            run(Constant(), [STRIP, area])

    @pytest.mark.parametrize(
        ("made", "error", "message"),
        [
            (
                {"correction": 1.0},
                aw.CalibrationError,
                "not a mapping of 'correction' and 'variance'",
            ),
            ({}, aw.CalibrationError, "not a mapping of 'correction' and 'variance'"),
            (
                {"correction": np.zeros(3), "variance": 0.0},
                aw.ImageMismatchError,
                r"a correction of the shape \(3,\), the image area has \(10, 20\)",
            ),
            (
                {"correction": 0.0, "variance": np.zeros(SHAPE)},
                aw.ImageMismatchError,
                r"a variance of the shape \(12, 30\)",
            ),
        ],
    )
    def test_a_method_that_gives_something_else_is_named(self, image, made, error, message):
        class Wrong(Constant):
            def __call__(self, **given):
                return made

        with pytest.raises(error, match=message):
            run(Wrong())

    def test_a_base_that_does_nothing_raises(self, image):
        with pytest.raises(NotImplementedError, match="Base does not define how"):
            run(overscan_methods.Base())

    def test_entries_that_a_method_does_not_know_are_refused_with_those_near(self, image):
        overscans = {"areas": [STRIP], "method": overscan_methods.Median(), "amplifier": []}
        with pytest.raises(TypeError, match=r"'amplifier' is no .*amplifiers"):
            Calibrator(**PLAIN, overscans=overscans)("raw.fits")


class TestOwnMethods:
    def test_it_is_given_what_the_documentation_states(self, image):
        method = Constant()
        Calibrator(
            **PLAIN,
            gain=2.5,
            bias_level_adu=10.0,
            overscans={"areas": [STRIP], "method": method, "colour": "blue"},
        )("raw.fits")
        (given,) = method.seen
        assert set(given) == {
            *("raw_image", "overscans", "image_area", "gain", "split_channels", "colour")
        }
        np.testing.assert_array_equal(given["raw_image"], image - 10.0)
        assert given["overscans"] == [STRIP]
        assert given["image_area"] == AREA
        assert (given["gain"], given["split_channels"]) == (2.5, False)
        assert given["colour"] == "blue"

    @pytest.mark.parametrize(
        ("correction", "variance"),
        [
            (3, 0.25),
            (np.arange(10.0)[:, None], np.full((10, 1), 0.5)),
            (np.arange(20.0), np.arange(20.0)[None] / 7),
            (np.arange(200.0).reshape(10, 20), 1.0),
            (np.zeros((10, 20), np.float32), np.ones((10, 20), np.float32)),
        ],
        ids=["numbers", "rows", "columns", "an image", "float32"],
    )
    def test_corrections_are_of_the_image_area_or_broadcast_to_it(
        self, image, correction, variance
    ):
        found = run(Constant(correction, variance), gain=1.5)
        expected = calibrated(image, area=AREA, gain=1.5, overscan=(correction, variance))
        assert_planes_equal(found, expected)
        assert header_of("out.fits")["OVSCNMTD"] == "Constant"

    def test_any_object_with_the_two_methods_will_do(self, image):
        class Own:
            def __call__(self, raw_image, overscans, image_area, gain, split_channels):
                return {"correction": raw_image[0, 0], "variance": 0.0}

            def document_in_fits_header(self, header):
                header["MINE"] = True

        found = run(Own())
        assert_planes_equal(found, calibrated(image, area=AREA, overscan=(image[0, 0] * 1.0, 0.0)))
        assert header_of("out.fits")["MINE"] is True

    def test_pixels_of_channels_that_were_not_read_are_nan(self, image):
        order = list(BAYER)
        hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(image[BAYER[name]]) for name in order)]
        fits.HDUList(hdus).writeto("parts.fits")
        method = Constant()
        listed = {name: BAYER[name] for name in ("R", "B")}
        Calibrator(
            **{**PLAIN, "calibrated_fname": "{CLRCHNL}.fits"},
            split_channels=listed,
            raw_hdu={name: 1 + order.index(name) for name in order},
            overscans={"areas": [STRIP], "method": method},
        )("parts.fits")
        seen = method.seen[0]["raw_image"]
        for name, place in BAYER.items():
            if name in listed:
                np.testing.assert_array_equal(seen[place], image[place])
            else:
                assert np.isnan(seen[place]).all()

    def test_nan_that_it_gives_are_faults(self, image):
        rows = np.zeros((10, 1))
        rows[3] = np.nan
        found = run(Constant(rows, 0.0))
        assert np.isnan(found.image).sum() == np.isnan(found.error).sum() == 20
        assert (found.mask[3] == 1).all()
        assert not np.delete(found.mask, 3, axis=0).any()

    def test_it_cannot_change_the_frame(self, image):
        class Spoiling(Constant):
            def __call__(self, raw_image, **given):
                raw_image[:] = 0
                return {"correction": 0.0, "variance": 0.0}

        found = run(Spoiling())
        assert_planes_equal(found, calibrated(image, area=AREA))


def test_rows_may_have_levels_of_their_own(image):
    tilted = image + 10 * np.arange(12, dtype=np.uint16)[:, None]
    write_raw("tilted.fits", tilted)
    method = overscan_methods.Mean(per="row", min_pixels=4, reject_threshold=50.0)
    Calibrator(**PLAIN, overscans={"areas": [STRIP], "method": method})("tilted.fits")
    levels = tilted[2:, 1:9].mean(axis=1)[:, None]
    np.testing.assert_allclose(
        read_planes("out.fits").image, tilted[2:, 10:] - levels, rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(
    "given",
    [{}, {"areas": [STRIP]}, {"method": None}, {"area": [STRIP], "method": None}],
    ids=["empty", "no method", "no areas", "area"],
)
def test_entries_that_are_missing_or_misspelt_do_not_switch_it_off(image, given):
    with pytest.raises(aw.CalibrationError, match="entries 'areas' and 'method', not"):
        Calibrator(**PLAIN, overscans=given)("raw.fits")
