"""The variance of frames that were made linear, and of their stacks, against what they scatter."""

import numpy as np

import autowisp_xr as aw
from autowisp_xr import Camera, Linearity
from tests.steps.frames import frame_set, master

TRUTH = np.array([1.5e-6, 2e-11])
COVARIANCE = np.array([[4e-14, -9.6e-19], [-9.6e-19, 3.6e-23]])
GAIN, READ_NOISE, OF_BIAS = 2.0, 6.0, 4.0
FRAMES, TRIALS = 16, 160


def test_variances_are_those_of_frames_and_stacks_whose_curve_is_off_by_its_uncertainty():
    rng = np.random.default_rng(5)
    light = np.repeat([100.0, 3000.0, 35_000.0], 50)
    signals = np.linspace(-500, 66_000, 200_001)
    lights = np.polynomial.Polynomial([0, 1, *TRUTH])(signals)
    off, variances = ([], []), ([], [])
    for _ in range(TRIALS):
        measured = TRUTH + rng.multivariate_normal([0, 0], COVARIANCE, method="cholesky")
        curve = Linearity(coefficients=measured.tolist(), covariance=COVARIANCE.tolist())
        camera = Camera(gain=GAIN, read_noise=READ_NOISE, bias_level=100.0, linearity=curve)
        bias = master(rng.normal(0, OF_BIAS**0.5, light.size), np.full(light.size, OF_BIAS))
        charge = rng.poisson(light * GAIN, (FRAMES, light.size)) / GAIN
        noise = rng.normal(0, READ_NOISE / GAIN, charge.shape)
        raw = 100 + np.interp(charge, lights, signals) + noise
        ds = aw.calibrate(frame_set(raw[:, None, None], camera=camera), bias=bias)
        for number, one in enumerate((ds.isel(frame=0), aw.stack(ds, "mean"))):
            off[number].append(one["image"].values.ravel() - light)
            variances[number].append(one["variance"].values.ravel())
    for far, variance in zip(off, variances, strict=True):
        of_levels = np.array(far).reshape(TRIALS, 3, 50), np.array(variance).reshape(TRIALS, 3, 50)
        true, mean = (found.mean(axis=(0, 2)) for found in (of_levels[0] ** 2, of_levels[1]))
        # the curve is one in each trial, and rules bright stacks
        np.testing.assert_allclose(mean[:2], true[:2], rtol=0.07)
        np.testing.assert_allclose(mean[2], true[2], rtol=0.3)
    np.testing.assert_allclose(np.array(variances[1]).reshape(TRIALS, 3, 50)[0, 2] / 18e3, 1, 0.1)
