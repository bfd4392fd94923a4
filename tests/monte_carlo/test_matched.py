"""Variances of stacks of frames that were brought to one level, against the scatter of pixels."""

import numpy as np
import pytest

import autowisp_xr as aw
from tests.monte_carlo.night import GAIN, Sensor

FRAMES = 8
TRANSPARENCY = np.linspace(0.5, 1.0, FRAMES)
SKY = np.geomspace(300, 3000, FRAMES)[::-1]
LIGHT, DARK = 1000.0, 30.0

AVERAGES = [("mean", None), ("mean", "noise"), ("mean", [1, 2, 3, 4, 4, 3, 2, 1]), ("sum", None)]
AVERAGES += [("median", None), (0.3, None)]
FAR = 0.04
"""A quantile off the middle moves with quiet values less than their noise alone shows."""


@pytest.fixture(scope="module", params=["none", "bias and dark", "all"])
def night(request):
    """Frames of one light seen through other air and other skies, and of what they are free."""
    sensor = Sensor(11, (200, 300))
    bias = aw.master_bias(sensor.frames(5, kind="bias"), average="mean")
    masters = {
        "bias": bias,
        "dark": aw.master_dark(sensor.frames(5, dark=DARK, kind="dark"), bias=bias),
    }
    if request.param == "all":
        masters["flat"] = aw.master_flat(
            sensor.frames(4, light=8000.0, kind="flat"), bias=bias
        ).high
    else:
        sensor.response[:] = 1.0
    raw = sensor.frames(FRAMES)
    for number, image in enumerate(raw["image"].values):
        light = LIGHT * TRANSPARENCY[number] + SKY[number]
        image[:] = sensor.frames(1, light=light, dark=DARK)["image"].values[0]
    if request.param != "none":
        return aw.calibrate(raw, **masters)
    image = raw["image"].values - sensor.bias - DARK / GAIN
    return aw.add_noise(raw.assign(image=(raw["image"].dims, image.astype("f4"))))


@pytest.mark.parametrize(("average", "weights"), AVERAGES)
def test_variances_of_matched_frames_are_true(night, average, weights):
    options = {"scale": 1 / TRANSPARENCY, "sky": SKY / GAIN, "weights": weights, "dtype": "float64"}
    found = aw.stack(night, average, **options)
    image = found["image"].values - float(found["image"].mean())
    allowed = FAR if average == 0.3 else 0.02
    assert abs((image / np.sqrt(found["variance"].values)).std() - 1) < allowed
    if isinstance(average, str):
        times = FRAMES if average == "sum" else 1
        assert float(found["image"].mean()) == pytest.approx(times * LIGHT / GAIN, rel=1e-3)
    scatter = aw.stack(night, average, error="scatter", **options)
    assert float(scatter["variance"].mean()) == pytest.approx(image.var(), rel=2 * allowed)


@pytest.mark.parametrize("scale", [None, "fit"])
def test_measured_levels_are_as_good_as_known_ones(night, scale):
    """Of a light that is everywhere the same, nothing shows the scale but the light itself."""
    options = {"scale": None, "sky": "median"} if scale is None else {"scale": scale, "sky": None}
    found = aw.stack(night, "mean", dtype="float64", **options)
    image = found["image"].values - float(found["image"].mean())
    assert abs((image / np.sqrt(found["variance"].values)).std() - 1) < 0.02
