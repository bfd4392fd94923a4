"""The linearity of a camera: by hand, against NumPy, and where it has no place."""

from dataclasses import replace

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, Linearity
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import TWO_CHANNELS, frame_set, master

F8 = {"dtype": "float64"}
BENT = Camera(gain=2.0, read_noise=8.0, bias_level=100.0, linearity=(1e-5, -2e-10))


def straight(signal):
    """The slow version: the polynomial and its slope, by NumPy."""
    polynomial = np.polynomial.Polynomial([0.0, 1.0, 1e-5, -2e-10])
    return polynomial(signal), polynomial.deriv()(signal)


def test_the_signal_above_the_level_is_made_linear_before_the_noise_of_photons():
    raw = frame_set(np.array([1100.0, 100.0, 20100.0]), camera=BENT)
    ds = aw.calibrate(raw, **F8)
    expected, _ = straight(np.array([1000.0, 0.0, 20000.0]))
    np.testing.assert_allclose(ds["image"].values.ravel(), expected, rtol=1e-13)
    np.testing.assert_allclose(ds["variance"].values.ravel(), expected / 2 + 16, rtol=1e-13)
    dim = aw.calibrate(raw, photons="none", **F8)
    np.testing.assert_array_equal(dim["image"], ds["image"])
    assert ds.autowisp.history()[-1]["options"]["linearity"] == [1e-5, -2e-10]


def test_the_variance_of_what_was_subtracted_before_goes_with_the_square_of_the_slope(rng):
    signal, bias_variance = rng.uniform(0, 3e4, 20), rng.random(20)
    bias = master(np.full(20, 7.0), bias_variance, camera=BENT)
    dark = master(np.full(20, 3.0), np.full(20, 0.5), camera=BENT)
    raw = frame_set(signal + 107.0, camera=BENT)
    ds = aw.calibrate(raw, bias=bias, dark=dark, **F8)
    value, slope = straight(signal)
    np.testing.assert_allclose(ds["image"].values.ravel(), value - 3.0, rtol=1e-12, atol=1e-9)
    expected = slope**2 * bias_variance + 0.5 + value / 2 + 16
    np.testing.assert_allclose(ds["variance"].values.ravel(), expected, rtol=1e-12)
    shared = ds["shared_variance"].values.ravel()
    np.testing.assert_allclose(shared, slope**2 * bias_variance + 0.5, rtol=1e-12)


def test_the_verb_is_the_step_of_calibrate_by_itself(rng):
    signal, variance = rng.uniform(0, 3e4, 20), rng.random(20)
    bias = master(np.full(20, 7.0), variance, camera=BENT)
    raw = frame_set(signal + 107.0, camera=BENT)
    ds = aw.subtract_bias(aw.subtract_bias_level(raw, **F8), bias, **F8)
    ds = aw.add_noise(aw.linearise(ds, **F8), **F8)
    once = aw.calibrate(raw, bias=bias, **F8)
    for name in ("image", "variance", "shared_variance"):
        np.testing.assert_allclose(ds[name], once[name], rtol=1e-12)


def test_what_is_linear_or_has_its_noise_is_not_made_linear_again():
    frames = frame_set([100.0], camera=BENT)
    ds = aw.linearise(frames)
    with pytest.raises(aw.CalibrationError, match="linearise was done to the frames already"):
        aw.linearise(ds)
    with pytest.raises(aw.CalibrationError, match="add_noise was done to the frames already"):
        aw.linearise(aw.add_noise(frames))
    with pytest.raises(aw.CalibrationError, match=r"linearity .* not known; give Camera\("):
        aw.linearise(frames, camera=Camera())


def test_channels_have_their_own_polynomials_in_any_chunks(rng):
    camera = Camera(
        channels=TWO_CHANNELS,
        gain=1.0,
        read_noise=1.0,
        bias_level=1.0,
        linearity={"A": [1e-5], "B": (2e-5, 1e-10)},
    )
    raw = frame_set(rng.uniform(1, 1e4, (3, 2, 5, 7)), camera=camera)
    ds = aw.calibrate(raw, **F8)
    signal = raw["image"].values - 1.0
    np.testing.assert_allclose(ds["image"][:, 0], signal[:, 0] * (1 + 1e-5 * signal[:, 0]))
    expected = signal[:, 1] * (1 + 2e-5 * signal[:, 1] + 1e-10 * signal[:, 1] ** 2)
    np.testing.assert_allclose(ds["image"][:, 1], expected)
    lazy = aw.calibrate(raw.chunk(frame=1, y=2, x=3), **F8)
    assert_frames_equal(lazy, ds)
    swapped = aw.calibrate(raw.isel(channel=[1, 0]), **F8)
    np.testing.assert_array_equal(swapped["image"].values[:, ::-1], ds["image"].values)


def test_pixels_that_are_lost_stay_lost_and_saturation_is_that_of_raw_pixels():
    camera = Camera(gain=1.0, read_noise=1.0, bias_level=1.0, saturation=500.0, linearity=[1e-4])
    raw = frame_set(np.array([np.nan, 501.0, 500.9]), camera=camera)
    ds = aw.calibrate(raw)
    assert ds["mask"].values.ravel().tolist() == [1, 16, 0]
    assert np.isnan(ds["image"].values.ravel()[0])
    # where the linear image saturates
    assert ds.autowisp.camera.saturation == pytest.approx(500 + 1e-4 * 500**2)


def test_a_signal_above_an_unknown_level_is_refused_and_biases_are_left_as_they_are():
    camera = Camera(gain=2.0, read_noise=8.0, linearity=[1e-4])
    raw = frame_set(np.array([1100.0, 100.0]), camera=camera)
    with pytest.raises(aw.CalibrationError, match=r"linearity .* above the bias.*bias=.*overscan"):
        aw.calibrate(raw)
    unknown = Camera(linearity=[1e-4])
    with pytest.raises(aw.CalibrationError, match=r"linearity .* above the bias"):
        aw.calibrate(raw, camera=unknown, noise="if known")
    biases = frame_set(np.full((3, 1, 1, 2), 1000.0), camera=camera, kind="bias")
    assert aw.master_bias(biases)["image"].values.ravel().tolist() == [1000.0, 1000.0]
    leveled = frame_set(np.full((3, 1, 1, 2), 1100.0), camera=BENT, kind="bias")
    assert aw.master_bias(leveled)["image"].values.ravel().tolist() == [1000.0, 1000.0]
    darks = frame_set(np.full((3, 1, 1, 2), 1000.0), camera=camera, kind="dark")
    assert aw.master_dark(darks)["image"].values.ravel().tolist() == [1000.0, 1000.0]


def test_a_camera_keeps_its_linearity_as_text():
    for camera in (
        BENT,
        Camera(channels="RGGB", linearity=dict.fromkeys(("R", "G1", "G2", "B"), (1e-6,))),
    ):
        assert Camera.from_json(camera.to_json()) == camera
    assert "linearity = {coefficients = [1e-05, -2e-10]}" in BENT.to_toml()
    assert Camera(linearity=2e-6).linearity == Linearity(coefficients=(2e-6,))
    assert "linearity" not in Camera().to_toml()
    with pytest.raises(aw.CalibrationError, match="linearity"):
        Camera(linearity=["much"])
    with pytest.raises(aw.CalibrationError, match=r"for the channels \['R'\], the camera has"):
        Camera(linearity={"R": [1e-6]})


def test_pixels_above_the_range_are_flagged_and_go_on_as_a_straight_line():
    curve = Linearity(coefficients=[1e-5], covariance=[[1e-14]], limit=20_000)
    camera = Camera(gain=2.0, read_noise=8.0, bias_level=100.0, linearity=curve)
    raw = frame_set(np.array([20_100.0, 20_200.0, 30_100.0]), camera=camera)
    ds = aw.calibrate(raw, **F8)
    assert ds["mask"].values.ravel().tolist() == [0, Flag.NONLINEAR, Flag.NONLINEAR]
    signal = np.array([2e4, 20_100, 3e4])
    np.testing.assert_allclose(ds["image"].values.ravel(), curve.linear(signal), rtol=1e-13)
    of_curve = curve.error(signal) ** 2
    np.testing.assert_allclose(ds["shared_variance"].values.ravel(), of_curve, rtol=1e-12)
    expected = ds["image"].values.ravel() / 2 + 16 + of_curve
    np.testing.assert_allclose(ds["variance"].values.ravel(), expected, rtol=1e-12)
    assert ds["shared_variance_from"].values.tolist() == [curve.identity]


def test_what_frames_share_by_a_curve_does_not_average_down(rng):
    curve = Linearity(coefficients=[1e-5], covariance=[[1e-14]])
    camera = Camera(gain=2.0, read_noise=8.0, bias_level=100.0, linearity=curve)
    raw = frame_set(np.full((25, 1, 3, 4), 20_100.0), camera=camera)
    deep = aw.stack(aw.calibrate(raw, **F8), "mean", **F8)
    own = (curve.linear(2e4) / 2 + 16) / 25
    np.testing.assert_allclose(deep["variance"], own + curve.error(2e4) ** 2, rtol=1e-9)
    # frames of another curve have another uncertainty
    other = Linearity(coefficients=[1.1e-5], covariance=[[1e-14]])
    again = aw.calibrate(raw, camera=replace(camera, linearity=other), **F8)
    again = again.assign_coords(frame=[f"other-{i}" for i in range(25)])
    both = aw.concat([aw.calibrate(raw, **F8), again])
    deep = aw.stack(both, "mean", **F8)
    np.testing.assert_allclose(deep["shared_variance"], curve.error(2e4) ** 2 / 2, rtol=1e-9)


def test_amplifiers_have_their_own_curves_in_any_chunks(rng):
    left = {"region": "[1:4,1:5]", "linearity": {"coefficients": [1e-5], "limit": 9e3}}
    camera = Camera(
        gain=2.0, read_noise=8.0, bias_level=1.0, linearity=[2e-5, 1e-10],
        amplifiers=[left, "[5:7,1:5]"],
    )  # fmt: skip
    raw = frame_set(rng.uniform(1, 1e4, (2, 1, 5, 7)), camera=camera)
    ds = aw.calibrate(raw, **F8)
    signal = raw["image"].values - 1.0
    one, other = camera.linearities_of("mono")[:2]
    np.testing.assert_allclose(ds["image"][..., :4], one.linear(signal[..., :4]))
    np.testing.assert_allclose(ds["image"][..., 4:], other.linear(signal[..., 4:]))
    flagged = ds["mask"].values == Flag.NONLINEAR
    np.testing.assert_array_equal(flagged[..., :4], signal[..., :4] > 9e3)
    assert not flagged[..., 4:].any()
    assert_frames_equal(aw.calibrate(raw.chunk(frame=1, y=2, x=3), **F8), ds)


def test_a_flat_of_frames_that_were_not_made_linear_is_a_warning():
    straight = replace(BENT, linearity=())
    flats = frame_set(np.full((3, 1, 4, 5), 20_100.0), camera=straight, kind="flat")
    flat = aw.master_flat(flats, select=None).high
    raw = frame_set(np.full((1, 1, 4, 5), 1100.0), camera=BENT)
    with pytest.warns(aw.AutowispWarning, match="are made linear, those of .* flat were not made"):
        aw.calibrate(raw, flat=flat)
    aw.calibrate(raw, flat=aw.master_flat(flats, camera=BENT, select=None).high)
    aw.calibrate(raw, flat=flat, camera=straight)


def test_files_know_again_what_their_frames_share_by_a_curve(rng, tmp_path):
    covariance = [[4e-14, -9e-19], [-9e-19, 3.6e-23]]
    curve = Linearity(coefficients=[1e-6, 2e-11], covariance=covariance, limit=5e4)
    camera = Camera(gain=2.0, read_noise=6.0, bias_level=100.0, linearity=curve)
    shape = (4, 1, 5, 7)
    biases = frame_set(rng.normal(100, 3, shape), camera=camera, kind="bias", exposure=0.0)
    bias = aw.master_bias(biases)
    dark = aw.master_dark(
        frame_set(rng.normal(130, 3, shape), camera=camera, kind="dark"), bias=bias
    )
    flats = frame_set(100 + 2e4 * rng.normal(1, 0.01, shape), camera=camera, kind="flat")
    flat = aw.master_flat(flats, bias=bias, select=None).high
    masters = {"bias": bias, "dark": dark, "flat": flat}
    for kind, made in masters.items():
        aw.to_fits(made, tmp_path / f"{kind}.fits")
    science = aw.calibrate(frame_set(rng.uniform(200, 4e4, shape), camera=camera), **masters)
    aw.to_fits(science, str(tmp_path / "sky_{RAWFNAME}.fits"))
    back = aw.open_fits(str(tmp_path / "sky_*.fits"))
    np.testing.assert_allclose(back["shared_variance"], science["shared_variance"], rtol=1e-5)
    assert curve.identity in back["shared_variance_from"].values[0].split()
    assert back["shared_variance_from"].values.tolist() == (
        science["shared_variance_from"].values.tolist()
    )
