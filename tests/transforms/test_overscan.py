import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, Overscan, Region
from tests.transforms.frames import TWO_CHANNELS, frame_set

FEW = Overscan(min_pixels=2)


def camera(*areas, **facts):
    return Camera(overscan=areas, **facts)


def area(xmin, xmax, ymin, ymax):
    return {"xmin": xmin, "xmax": xmax, "ymin": ymin, "ymax": ymax}


def test_the_median_of_the_overscan_is_subtracted_and_its_variance_added():
    raw = frame_set(np.array([10, 11, 15, 100], "u2"), camera=camera(area(0, 3, 0, 1)))
    ds = aw.subtract_overscan(raw, FEW, dtype="float64")
    assert ds["image"].values.ravel().tolist() == [-1.0, 0.0, 4.0, 89.0]
    # s^2 / N about the median: (1 + 0 + 16) / 2 / 3
    np.testing.assert_allclose(ds["variance"].values.ravel(), 17 / 6, rtol=1e-15)


def test_each_frame_has_its_own_level():
    image = np.array([[10, 10, 100], [30, 30, 100]], "u2").reshape(2, 1, 1, 3)
    ds = aw.subtract_overscan(frame_set(image, camera=camera(area(0, 2, 0, 1))), FEW)
    assert ds["image"].values[..., 2].ravel().tolist() == [90.0, 70.0]


def test_a_pixel_in_two_areas_counts_once():
    image = np.array([1, 2, 4, 8, 100], "u2")
    overlapping = camera(area(0, 3, 0, 1), area(1, 4, 0, 1))
    ds = aw.subtract_overscan(frame_set(image, camera=overlapping), FEW)
    assert ds["image"].values.ravel()[0] == 1 - 3.0


def test_channels_share_the_overscan_of_the_raw_frame():
    # columns 0 and 1 of the raw frame: the first of A and the first of B
    image = np.array([[[10.0, 50.0]], [[20.0, 60.0]]])
    ds = aw.subtract_overscan(
        frame_set(image, camera=camera(area(0, 2, 0, 1), channels=TWO_CHANNELS)), FEW
    )
    assert ds["image"].values.ravel().tolist() == [-5.0, 35.0, 5.0, 45.0]
    odd = camera(area(0, 1, 0, 1), area(2, 3, 0, 1), channels=TWO_CHANNELS)  # A alone
    ds = aw.subtract_overscan(frame_set(image, camera=odd), FEW)
    assert ds["image"].values.ravel().tolist() == [-20.0, 20.0, -10.0, 30.0]


def test_outliers_are_rejected_and_nan_left_out():
    image = np.full((1, 40), 10.0)
    image[0, :2] = [1e4, np.nan]
    ds = aw.subtract_overscan(
        frame_set(image, camera=camera(area(0, 40, 0, 1))), Overscan(min_pixels=10)
    )
    assert ds["image"].values[0, 0, 0, 5] == 0.0
    assert ds["variance"].values[0, 0, 0, 5] == 0.0
    assert np.isnan(ds["image"].values[0, 0, 0, 1])


def test_too_few_pixels_are_an_error_that_names_the_frame_when_computed():
    raw = frame_set(np.ones((2, 1, 2, 3)), camera=camera(area(0, 3, 0, 2)))
    lazy = aw.subtract_overscan(raw.chunk(frame=1))
    with pytest.raises(aw.ConvergenceError, match=r"frame 'object-\d': 6 overscan pixels .*is 100"):
        lazy.compute()


def test_convergence_can_be_required():
    values = np.r_[np.arange(20.0), 1e3, 1e5, 1e7]
    raw = frame_set(values, camera=camera(area(0, 23, 0, 1)))
    loose = Overscan(min_pixels=5, reject_threshold=3, max_reject_iterations=1)
    aw.subtract_overscan(raw, loose)
    strict = Overscan(
        min_pixels=5, reject_threshold=3, max_reject_iterations=1, require_convergence=True
    )
    with pytest.raises(aw.ConvergenceError, match="still rejects pixels after 1 iterations"):
        aw.subtract_overscan(raw, strict)


def test_a_camera_without_overscan_is_refused():
    with pytest.raises(aw.CalibrationError, match=r"no overscan areas; give Camera\(overscan="):
        aw.subtract_overscan(frame_set([1.0]))
    with pytest.raises(aw.CalibrationError, match="an overscan method was given, but the camera"):
        aw.calibrate(frame_set([1.0], camera=Camera(gain=1, read_noise=1)), overscan=FEW)


def test_an_area_outside_the_frames_is_refused_with_both():
    raw = frame_set(np.ones((2, 3)), camera=camera(area(0, 3, 0, 2), area(2, 4, 0, 2)))
    with pytest.raises(
        aw.OutsideImageError,
        match=r"overscan area 1, 2 < x < 4, 0 < y < 2, .* cover 0 < x < 3, 0 < y < 2",
    ):
        aw.subtract_overscan(raw, FEW)


def test_frames_that_were_trimmed_have_lost_their_overscan():
    raw = frame_set(np.ones((2, 5)), camera=camera(area(0, 2, 0, 2)))
    with pytest.raises(aw.OutsideImageError, match="overscan area 0"):
        aw.subtract_overscan(aw.trim(raw, area(2, 5, 0, 2)), FEW)


def test_calibrate_takes_the_overscan_by_itself_unless_told_not_to():
    facts = camera(
        area(0, 2, 0, 3), gain=1.0, read_noise=2.0, bias_level=4.0, image_area=area(2, 4, 0, 3)
    )
    image = np.array([[9, 11, 40, 41], [9, 11, 42, 43], [9, 11, 44, 45]], "u2")
    raw = frame_set(image, camera=facts)
    ds = aw.calibrate(raw, overscan=FEW, dtype="float64")
    # median 10 of the raw pixels: the constant bias level is not subtracted twice
    assert ds["image"].values[0, 0, 0].tolist() == [30.0, 31.0]
    # six pixels off by one: s^2 / N = (6 / 5) / 6, photons, read noise
    np.testing.assert_allclose(ds["variance"].values[0, 0, 0], [0.2 + 30 + 4, 0.2 + 31 + 4])
    without = aw.calibrate(raw, overscan=False, dtype="float64")
    assert without["image"].values[0, 0, 0].tolist() == [36.0, 37.0]
    assert without["variance"].values[0, 0, 0].tolist() == [40.0, 41.0]
    with pytest.raises(aw.ConvergenceError, match="6 overscan pixels are left"):
        aw.calibrate(raw)


def test_regions_are_recorded_with_the_method():
    raw = frame_set(np.ones((1, 3)), camera=camera(Region(xmin=0, xmax=3, ymin=0, ymax=1)))
    options = aw.subtract_overscan(raw, FEW).autowisp.history()[-1]["options"]
    assert options["areas"] == ["0 < x < 3, 0 < y < 1"]
    assert options["overscan"]["type"] == "Overscan"
    assert options["overscan"]["min_pixels"] == 2
