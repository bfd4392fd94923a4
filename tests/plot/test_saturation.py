"""The picture of a saturation."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera
from autowisp_xr.measure import saturation
from tests.steps.frames import TWO_CHANNELS, frame_set

NOISY = Camera(channels=TWO_CHANNELS, gain=1.0, read_noise=1.0)


@pytest.fixture(scope="module")
def flats():
    """Flats of two channels, of which only the first reaches the end of 12 bits."""
    rng = np.random.default_rng(1)
    light = np.array([4600.0, 2000.0])[:, None, None] * np.linspace(0.8, 1.0, 72)
    pixels = np.minimum(rng.poisson(np.broadcast_to(light, (2, 2, 64, 72))), 4095)
    camera = Camera(channels=TWO_CHANNELS, bias_level=10.0)
    return frame_set(pixels.astype("u2"), camera=camera, kind="flat")


def test_the_picture_shows_where_pixels_stop_and_where_none_do(flats):
    figure = aw.plot.saturation(saturation(flats), flats.isel(frame=[0]))
    whole, near, _, blank = figure.axes
    assert [line.get_xdata()[0] for line in (*whole.lines, *near.lines)] == [4095, 4095]
    (label,) = (text.get_text() for text in whole.get_legend().get_texts())
    assert label.endswith("pixels stop at 4095 ADU")
    assert near.get_xlim()[0] < 4095 < near.get_xlim()[1]
    assert not blank.lines
    assert "no value at which pixels stop" in blank.texts[0].get_text()


def test_other_tables_and_frames_are_refused(flats):
    measured = saturation(flats)
    with pytest.raises(aw.SchemaError, match="saturation is missing among"):
        aw.plot.saturation(measured.drop_vars("saturation"), flats)
    with pytest.raises(aw.SchemaError, match="and the frames have"):
        aw.plot.saturation(measured, flats.isel(channel=[0]))
    with pytest.raises(aw.SchemaError, match="calibrated already"):
        aw.plot.saturation(measured, aw.calibrate(flats, camera=NOISY))


@pytest.mark.parametrize("left", [0.5, 0.0])
def test_pixels_without_a_value_are_not_counted(flats, left):
    image = flats["image"].astype("f4")
    some = flats.assign(image=image.where(np.arange(72) < left * 72))
    whole, *_ = aw.plot.saturation(saturation(flats), some).axes
    (outline,) = whole.patches
    assert outline.get_xy()[:, 1].sum() > 0 if left else not outline.get_xy()[:, 1].any()
