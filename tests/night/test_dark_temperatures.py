"""By how much a dark of another temperature is off, by the camera, by the night, or as usual."""

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr import Camera, Matching
from autowisp_xr.night.checks_of_masters import KnownDark
from autowisp_xr.night.dark_temperatures import Doubles, doubles_by, doubt_on_temperature
from tests.night.reducing import reduce
from tests.sensors import Sensor, write


def dark(degrees=-10.0, level=60.0, seconds=60.0, name="dark_60s"):
    return KnownDark(name=name, seconds=seconds, level=level, temperature=degrees)


SIX = Doubles(6.0, 6.0, "it does")


@pytest.mark.parametrize(
    ("degrees", "seconds", "text"),
    [
        (-4.0, 60.0, "frames are of -4.0 C: it takes off too little dark current, by about 60 ADU"),
        (-4.0, 30.0, "by about 30 ADU, 100 % of it, and by more in hot pixels (it does)"),
        (-16.0, 60.0, "too much dark current, by about 30 ADU, 50 % of it"),
    ],
)
def test_a_dark_of_another_temperature_is_off_by_what_it_doubles(degrees, seconds, text):
    doubt = doubt_on_temperature(dark(), np.array([-10.0, degrees]), seconds, np.nan, SIX)
    assert doubt.startswith("DOUBT: the dark dark_60s is of -10.0 C, and frames are of ")
    assert text in doubt


def test_where_the_bias_in_it_is_not_known_the_share_is():
    doubt = doubt_on_temperature(dark(level=np.nan), np.array([-13.0]), 60.0, np.nan, SIX)
    assert "too much dark current, by 29 % of it, and" in doubt


@pytest.mark.parametrize(
    ("level", "degrees", "noise", "doubted"),
    [(60.0, -8.5, 4.0, True), (60.0, -8.5, 60.0, False), (60.0, -8.5, np.nan, False),
     (60.0, np.nan, 4.0, False), (0.0, -8.5, 4.0, False), (0.0, 0.0, 4.0, True)],
)  # fmt: skip
def test_within_the_tolerance_it_counts_beside_the_noise(level, degrees, noise, doubted):
    doubt = doubt_on_temperature(dark(level=level), np.array([degrees]), 60.0, noise, SIX)
    assert bool(doubt) == doubted


def test_the_camera_states_how_it_doubles_else_the_darks_of_the_night_else_it_is_as_usual():
    darks = [dark(-10.0, 60.0), dark(-5.0, 120.0, name="warm"), dark(0.0, np.nan, name="held")]
    assert doubles_by(Camera(dark_doubling=5.5), darks)[:2] == (5.5, 5.5)
    least, most, why = doubles_by(Camera(), darks)
    assert least == most == pytest.approx(5.0, abs=0.05)
    assert why == "it doubles every 5 C, by dark_60s, warm"
    # too faint, of one temperature, or none
    for few in ([dark(-10.0, 2.0), dark(-5.0, 4.0)], [dark(), dark(-10.2)], []):
        least, most, why = doubles_by(None, few)
        assert (least, most) == (5.0, 7.0)
        assert why.startswith("if it doubles every 5 to 7 C, as in most cameras")


def test_reduce_gives_by_how_much_its_dark_is_off(tmp_path):
    sensor = Sensor(shape=(48, 64), dark_rate=8.0, cosmic_rays=0.0)
    for degrees in (-10.0, -16.0):
        write(sensor.biases(3, first=int(-degrees) * 9, temperature=degrees), tmp_path / "raw")
        some = sensor.darks(3, exposure=60, first=int(-degrees) * 9, temperature=degrees)
        write(some, tmp_path / "raw")
    write(sensor.lights(2, temperature=-7.0), tmp_path / "raw")
    given = {"camera": sensor.camera(), "matching": Matching(temperature=4)}
    summary = reduce(tmp_path / "raw", tmp_path / "out", **given)
    (doubt,) = [line for line in str(summary).splitlines() if "too little dark current" in line]
    # 240 ADU, which grow by a half of themselves within 3.5 degrees
    truth = 240 * (2 ** (3 / 6) - 1)
    assert float(doubt.split("by about ")[1].split(" ADU")[0]) == pytest.approx(truth, rel=0.03)
    assert "it doubles every 6 C, by dark_60s_-10C, dark_60s_-16C" in doubt
    made = [one for one in summary.made if not one.is_master]
    assert "dark current" in " ".join(fits.getheader(made[0].files[0])["COMMENT"])


def test_reduce_gives_by_how_much_a_dark_would_be_off_that_it_did_not_take(tmp_path):
    sensor = Sensor(shape=(48, 64), dark_rate=8.0, cosmic_rays=0.0)
    write(sensor.biases(3), tmp_path / "raw")
    write(sensor.darks(3, exposure=60), tmp_path / "raw")
    write(sensor.lights(2, temperature=-4.0), tmp_path / "raw")
    summary = reduce(tmp_path / "raw", tmp_path / "out", camera=sensor.camera())
    (why,) = set(summary.left_out.values())
    assert "--temperature-tolerance allows for more; dark_60s, the nearest, would take off" in why
    # 240 ADU, which double within 6 degrees
    assert "too little dark current, by about 190 to 310 ADU, 81 to 130 % of it (if it" in why


def test_reduce_is_quiet_where_temperatures_agree(tmp_path):
    sensor = Sensor(shape=(48, 64), dark_rate=0.1, cosmic_rays=0.0)
    write(sensor.biases(3), tmp_path / "raw")
    write(sensor.darks(3, exposure=60), tmp_path / "raw")
    write(sensor.lights(2, temperature=-9.0), tmp_path / "raw")
    summary = reduce(tmp_path / "raw", tmp_path / "out", camera=sensor.camera())
    assert "dark current" not in str(summary)
