"""Errors of master flats, against a response that is known."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import FlatSelection
from tests.monte_carlo.night import Sensor, pulls

SHAPE = (300, 400)
HOW = {"dim": "frame", "data_vars": "minimal", "coords": "minimal", "compat": "override"}


def ladder(sensor, lights):
    """One frame of each light in electrons, under names of their own."""
    ds = xr.concat([sensor.frames(1, light=light, kind="flat") for light in lights], **HOW)
    names = np.array([f"flat-{i}" for i in range(len(lights))], np.dtypes.StringDType())
    return ds.assign_coords(frame=("frame", names)).assign_attrs(camera=sensor.camera.to_json())


@pytest.fixture(scope="module")
def night():
    sensor = Sensor(11, shape=SHAPE)
    bias = aw.master_bias(sensor.frames(25, kind="bias"), average="mean")
    lights = [*np.linspace(15e3, 45e3, 14), *np.linspace(2e3, 4e3, 6)]
    return sensor, bias, ladder(sensor, lights)


SELECTIONS = {
    "none": None,
    "default": FlatSelection(min_pointing_separation=None),
    "no shapes": FlatSelection(min_pointing_separation=None, large_scale_smoother=None),
}


@pytest.mark.parametrize("select", SELECTIONS)
def test_pulls_of_master_flats_are_standard_normal(night, select):
    sensor, bias, raw = night
    result = aw.master_flat(raw, bias=bias, select=SELECTIONS[select])
    counts = {"none": (20, 0), "default": (14, 6), "no shapes": (14, 6)}[select]
    for one, number in zip((result.high, result.low), counts, strict=True):
        if number == 0:
            assert one is None
            continue
        assert int(one["count"].max()) == number
        found = pulls(one, sensor.response.ravel())
        assert found.size == one["image"].size
        assert abs(found.mean()) < 0.02
        assert abs(found.std() - 1) < 0.02


@pytest.mark.parametrize("select", [None, FlatSelection.dome()], ids=["all", "selected"])
def test_what_frames_share_of_few_bias_and_dark_frames_is_in_the_error(select):
    """Faint flats of a noisy camera: what bias and dark leave in each does not average down."""
    sensor = Sensor(12, shape=SHAPE, read_noise=15.0)
    bias = aw.master_bias(sensor.frames(3, kind="bias"), average="mean")
    dark = aw.master_dark(sensor.frames(3, dark=200.0, kind="dark"), bias=bias, average="mean")
    raw = sensor.frames(12, light=2000.0, dark=200.0, kind="flat")
    high = aw.master_flat(raw, bias=bias, dark=dark, select=select).high
    share = float((high["shared_variance"] / high["variance"]).mean())
    assert share > 0.2
    found = pulls(high, sensor.response.ravel())
    assert abs(found.std() - 1) < 0.02
    # forgotten, the errors would be too small by what is shared
    assert found.std() / np.sqrt(1 - share) > 1.1
