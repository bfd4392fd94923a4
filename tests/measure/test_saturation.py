import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera
from autowisp_xr.measure import gain_and_read_noise, saturation
from tests.steps.frames import TWO_CHANNELS, frame_set


def light(ceiling, level, number=4, seed=1, gain=0.5):
    """Flats of two channels, the second of half the light, that stop at a value."""
    rng = np.random.default_rng(seed)
    shape = np.array([1.0, 0.5])[:, None, None] * np.linspace(0.8, 1.0, 72)
    electrons = rng.poisson(np.broadcast_to(level * gain * shape, (number, 2, 64, 72)))
    noise = rng.normal(50, 4, electrons.shape)
    return np.clip(np.rint(electrons / gain + noise), 0, ceiling).astype("u2")


def frames(pixels, kind="flat", **known):
    return frame_set(pixels, camera=Camera(channels=TWO_CHANNELS, **known), kind=kind)


def test_each_channel_states_where_it_stops():
    found = saturation(frames(light(4095, 4600), bias_level=10.0))
    np.testing.assert_array_equal(found["saturation"], [4085, np.nan])
    assert found["frames"].values.tolist() == [4, 0]
    assert found["step"].values.tolist() == [1, 1]
    pixels = light(4095, 4600)
    assert found["share"].values.tolist() == [(pixels[:, 0] == 4095).mean(), 0]
    assert found["brightest"].values.tolist() == pixels.max(axis=(0, 2, 3)).tolist()


def test_a_frame_that_goes_beyond_contradicts_a_plateau():
    both = np.concatenate([light(4095, 4600), light(65535, 9000)])
    assert np.isnan(saturation(frames(both))["saturation"]).all()


def test_frames_are_spread_over_those_that_there_are():
    found = saturation(frames(light(4095, 4600)), max_frames=2)
    step = aw.provenance.history(found)[-1]["options"]
    assert step["looked_at"] == ["flat-0", "flat-3"]


def test_calibrated_frames_are_refused():
    calibrated = aw.calibrate(frames(light(4095, 300), gain=1, read_noise=1))
    with pytest.raises(aw.CalibrationError, match="calibrated"):
        saturation(calibrated)


def test_the_gain_is_not_measured_where_flats_are_cut_off():
    biases = frames(light(4095, 0), "bias")
    with (
        pytest.warns(
            aw.AutowispWarning, match=r"flats stop at 4095 ADU \(up to [\d.]+ % of their pixels"
        ),
        pytest.raises(aw.CalibrationError, match="saturated"),
    ):
        gain_and_read_noise(frames(light(4095, 9000)[:, [0, 0]]), biases)
    with pytest.warns(aw.AutowispWarning, match="stop at 4095 ADU"):
        found = gain_and_read_noise(frames(light(4095, 4100)), biases, tile=8)
    assert found["gain"].values == pytest.approx([0.5, 0.5], rel=0.1)


def test_biases_that_are_cut_off_are_reported_where_noise_is_measured():
    biases = np.clip(light(4095, 0).astype(int) - 48, 0, None).astype("u2")
    share = 100 * (biases == 0).mean(axis=(2, 3)).max()
    with pytest.warns(aw.AutowispWarning, match=rf"cut off at 0 ADU \(up to {share:.3g} %"):
        gain_and_read_noise(frames(light(65535, 4000)), frames(biases, "bias"), tile=8)


def test_copies_of_one_bias_give_no_read_noise():
    bias = light(65535, 0, number=1)
    copies = frames(np.concatenate([bias, bias]), "bias")
    with pytest.raises(aw.CalibrationError, match="bias-0: a copy of bias-1"):
        gain_and_read_noise(frames(light(65535, 4000)), copies, tile=8)
