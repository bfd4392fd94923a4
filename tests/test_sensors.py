"""The sensor that measurements are held against does what it states of itself."""

import numpy as np
import pytest

import autowisp_xr as aw
from tests.sensors import Sensor, write

FAULTY = Sensor(
    shape=(60, 80), seed=3, cosmic_rays=0.0, hot=0.02, telegraph=0.03, jumping=0.03, noisy=0.03,
    dead=0.01, dim=0.01, nonlinear=0.01, columns=2, clusters=2,
)  # fmt: skip


def test_every_fault_is_there_as_often_as_was_asked_for():
    names, counts = np.unique(FAULTY.kinds, return_counts=True)
    assert set(names) == {"", "column", "cluster", *Sensor.KINDS}
    found = dict(zip(names.tolist(), counts.tolist(), strict=True))
    assert found["column"] == 2 * 60
    assert found["telegraph"] == pytest.approx(0.03 * 60 * 80, rel=0.1)


def test_frames_scatter_as_its_error_ratio_states():
    darks = FAULTY.darks(300, exposure=60)
    scatter = FAULTY.gain * darks.image.values[:, 0].std(axis=0, ddof=1)
    normal = np.sqrt(FAULTY.rate() * 60 + FAULTY.read_noise**2 + FAULTY.gain**2 / 12)
    expected = FAULTY.error_ratio(exposure=60) * normal
    ratio = scatter / expected
    for kind in ("", "hot", "telegraph", "jumping", "noisy"):
        some = ratio[(FAULTY.kinds == kind) & (FAULTY.rate() * 60 < 20_000)]
        assert np.median(some) == pytest.approx(1, abs=0.02), kind
        assert np.abs(some - 1).max() < 0.3, kind


def test_its_dark_current_doubles():
    sensor = Sensor(shape=(40, 50), dark_rate=5.0, cosmic_rays=0, doubling=7.0)
    levels = [
        float(sensor.darks(4, exposure=100, temperature=warm).image.mean()) - sensor.offset
        for warm in (-10, -3)
    ]
    assert levels[1] / levels[0] == pytest.approx(2, rel=0.01)


def test_its_response_bends_and_its_well_is_full():
    sensor = Sensor(shape=(40, 50), bend=0.1, uneven=0, cosmic_rays=0)
    flats = sensor.flats(3, level=[8_000, 40_000, 200_000])
    electrons = (flats.image.mean(("channel", "y", "x")) - sensor.offset) * sensor.gain
    assert electrons.values == pytest.approx([8_000 * 0.99, 40_000 * 0.95, 80_000], rel=2e-3)


def test_the_verbs_take_its_frames_and_pixels_without_fault_have_their_light(tmp_path):
    sensor = Sensor(shape=(40, 50), uneven=0, cosmic_rays=0.02, hot=0.01)
    bias = aw.master_bias(sensor.biases(10))
    dark = aw.master_dark(sensor.darks(10, exposure=60), bias=bias)
    lights = sensor.lights(5, sky=20, stars=sensor.stars(5))
    light = aw.calibrate(lights, bias=bias, dark=dark)
    truth = (20 + sensor.stars(5)) * 60 / sensor.gain
    good = (light["mask"].values == 0) & ~sensor.hits(lights)
    pulls = ((light["image"].values - truth) / np.sqrt(light["variance"].values))[good]
    assert pulls.std() == pytest.approx(1, abs=0.03)
    assert 0 < sensor.hits(lights).mean() < 0.05
    files = write(lights, tmp_path)
    read = aw.open_fits(files, camera=sensor.camera())
    np.testing.assert_array_equal(read["image"], lights["image"])
    assert read["exposure"].values.tolist() == [60.0] * 5
