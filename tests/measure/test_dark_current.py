"""``dark_current``: by hand, against sensors of plain NumPy, on real darks, and what it refuses."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import CalibrationError, Camera, Flag, ImageMismatchError, provenance
from autowisp_xr.measure import dark_current
from autowisp_xr.measure.dark_levels import errors_of, line_of
from autowisp_xr.measure.tile_scatter import size_of_sorted, typical_size
from autowisp_xr.testing import chunkings
from tests.measure.flats_and_biases import Sensor, alike
from tests.stats.test_doubling_temperature import rates_at
from tests.steps.frames import frame_set, text


def darks_of(sensor, rate, seconds, degrees=(np.nan,)):
    """Darks of a sensor at some temperatures, of a rate in e/s, a plane or number, at -10 C."""
    images, rows = [], [(t, s) for t in degrees for s in seconds]
    for t, s in rows:
        images.append(sensor.frame(dark=rate * s * (1.0 if np.isnan(t) else rates_at(t, rate=1.0))))
    exposure = [float(s) for _, s in rows]
    ds = frame_set(
        np.stack(images), camera=sensor.camera, kind="dark", filter="", exposure=exposure
    )
    if np.isnan(degrees).any():
        return ds
    return ds.assign_coords(temperature=("frame", [float(t) for t, _ in rows]))


def known(sensor):
    """The camera of a sensor of one channel, with its noise."""
    gain = float(sensor.gain.flat[0])
    noise = gain * float(np.hypot(sensor.read_noise / gain, 12**-0.5))
    return Camera(gain=gain, read_noise=noise)


def of_frames(images, seconds, kind="dark", **coords):
    """Frames of three pixels of one row each."""
    image = np.array(images, np.float64)[:, None, None, :]
    ds = frame_set(image, kind=kind, filter="", exposure=[float(s) for s in seconds])
    return ds.assign_coords({name: ("frame", values) for name, values in coords.items()})


# ---------------------------------------------------------------------- by hand


def test_three_pixels_by_hand():
    darks = of_frames([[103.0, 104, 111], [113.0, 115, 141], [115.0, 115, 141]], [10, 40, 40])
    found = dark_current(darks)
    # of the means of each exposure: (114 - 103) / 30, (115 - 104) / 30, (141 - 111) / 30
    assert found["image"].values.ravel() == pytest.approx([11 / 30, 11 / 30, 1.0])
    # of the means of the three pixels
    seconds, levels = np.array([10, 40, 40]), np.array([318, 369, 371]) / 3
    slope, zero = np.polyfit(seconds, levels, 1)
    assert found["current"].values.ravel() == pytest.approx([slope])
    assert found["current"].attrs["units"] == "adu/s"
    assert found["level"].values.ravel() == pytest.approx(levels - zero)
    # one degree of freedom; both exposures are where the line is
    variance = ((levels - zero - slope * seconds) ** 2).sum()
    moment = ((seconds - 30) ** 2).sum()
    assert found["current_error"].values.ravel() == pytest.approx([(variance / moment) ** 0.5])
    assert found["darks"].values.tolist() == [3]
    assert np.isnan(found["temperature"].values).all()
    assert np.isnan(found["doubling"].values).all()


def test_with_biases_one_exposure_is_enough_and_a_gain_makes_electrons():
    darks = of_frames([[103.0, 104, 111], [105.0, 106, 113]], [10, 10])
    biases = of_frames([[100.0, 100, 101], [100.0, 101, 101]], [0, 0], "bias")
    found = dark_current(darks, biases, camera=Camera(gain=2.0, read_noise=4.0))
    assert found["image"].values.ravel() == pytest.approx([0.8, 0.9, 2.2])
    assert found["current"].values.ravel() == pytest.approx([1.3])
    assert found["current"].attrs["units"] == found["image"].attrs["units"] == "electron/s"
    # of the mean of two darks of 8 e, and of two biases
    reading = 2 * 4.0**2 / 2
    assert found["variance"].values.ravel() == pytest.approx(
        [(reading + rate * 10 / 2) / 10**2 for rate in (0.8, 0.9, 2.2)], rel=1e-5
    )


def test_biases_join_a_ladder_as_frames_of_no_exposure():
    darks = of_frames([[110.0, 110, 110], [120.0, 120, 120]], [10, 20])
    biases = of_frames([[101.0, 101, 101], [101.0, 101, 101]], [0, 0], "bias")
    slope = np.polyfit([10, 20, 0, 0], [110, 120, 101, 101], 1)[0]
    found = dark_current(darks, biases)
    assert found["current"].values.ravel() == pytest.approx([slope])
    assert found["image"].values.ravel() == pytest.approx([slope] * 3)


# ---------------------------------------------------------------------- truth


def test_a_ladder_finds_rate_and_doubling_beside_hot_pixels():
    sensor = Sensor(seed=3, shape=(96, 96))
    rate = 0.5 * np.exp(sensor.rng.normal(0, 0.1, (1, 96, 96)))
    hot = sensor.rng.random(rate.shape) < 0.02
    rate[hot] += sensor.rng.exponential(40, hot.sum())
    darks = darks_of(sensor, rate, [30, 60, 120, 240, 300], (-20, -10, 0))
    found = dark_current(darks, camera=known(sensor))
    truth = 0.5 * rates_at([-20, -10, 0], rate=1.0)
    pulls = (found["current"].values[:, 0] - truth) / found["current_error"].values[:, 0]
    assert np.abs(pulls).max() < 3
    doubling, error = float(found["doubling"][0]), float(found["doubling_error"][0])
    assert 0 < error < 0.5
    assert doubling == pytest.approx(7.0824, abs=3 * error)
    assert float(found["energy"][0]) == pytest.approx(1.1, abs=3 * float(found["energy_error"][0]))
    brightest = rate == rate.max()
    assert found["image"].values[1][brightest] == pytest.approx(rate[brightest], rel=0.05)


def test_the_uncertainty_of_a_rate_is_true_on_average():
    """Levels of frames wander by 2, far more than the noise of their means."""
    rng = np.random.default_rng(5)
    seconds = np.array([0.0] * 4 + [60] * 4 + [200] * 2)
    rates, variances = [], []
    for _ in range(4000):
        levels = 0.3 * seconds + rng.normal(0, 2, seconds.size)
        line = line_of(seconds, levels[:, None, None] + rng.normal(0, 0.1, (10, 1, 5)))
        rates.append(line.rate[0])
        variances.append(errors_of([line])[0][0] ** 2)
    assert np.mean(rates) == pytest.approx(0.3, abs=0.001)
    assert np.mean(variances) / np.var(rates) == pytest.approx(1, abs=0.06)


def test_exposures_that_wander_together_make_a_rate_uncertain():
    """As where biases are taken an hour before the darks: ten of them are no ten measurements."""
    seconds = np.array([0.0] * 10 + [60] * 10 + [300])
    rng = np.random.default_rng(1)
    alike = 0.3 * seconds + rng.normal(0, 0.1, seconds.size)
    apart = alike + 3.0 * (seconds == 60)
    errors = [errors_of([line_of(seconds, one[:, None, None])])[0][0] for one in (alike, apart)]
    assert errors[1] > 8 * errors[0]


def test_pulls_of_whole_measurements_are_about_one():
    pulls = []
    for seed in range(2):
        sensor = Sensor(seed=seed, shape=(24, 24))
        darks = darks_of(sensor, 0.3, [30, 120, 240], (-20, -15, -10, -5))
        found = dark_current(darks, camera=known(sensor))
        truth = 0.3 * rates_at(found["temperature"].values, rate=1.0)
        pulls += ((found["current"][:, 0] - truth) / found["current_error"][:, 0]).values.tolist()
    assert 0.5 < np.sqrt(np.mean(np.square(pulls))) < 1.8


@pytest.mark.parametrize("stated", [True, False], ids=["by the camera", "by the scatter"])
def test_the_variance_of_the_map_is_true(stated):
    sensor = Sensor(seed=8, shape=(160, 160))
    sensor.rng = np.random.default_rng(9)
    rate = np.full((1, 160, 160), 2.0)
    darks = darks_of(sensor, rate, [30] * 6 + [200] * 6)
    # without the wandering of whole frames, which is no noise of pixels
    levels = darks["image"].mean(("y", "x")) - 1000 - 2 * darks["exposure"] / 1.5
    darks = darks.assign(image=(darks["image"] - levels).transpose(*darks["image"].dims))
    found = dark_current(darks, camera=known(sensor) if stated else None)
    gain = 1.0 if stated else 1.5
    off = found["image"].values * gain - rate
    assert np.mean(off) == pytest.approx(0, abs=0.01)
    assert np.mean(found["variance"].values) * gain**2 / np.var(off) == pytest.approx(1, abs=0.03)


def test_glow_of_a_corner_is_found_and_no_part_of_the_rate():
    sensor = Sensor(seed=4, shape=(192, 192))
    rate = np.full((1, 192, 192), 0.2)
    rate[0, :32, 160:] += 0.3
    found = dark_current(darks_of(sensor, rate, [60, 120, 300]), camera=known(sensor))
    assert float(found["glow"][0, 0]) == pytest.approx(0.3, abs=0.03)
    assert found["glow_y"].values.tolist() == [[16]]
    assert found["glow_x"].values.tolist() == [[176]]
    assert float(found["current"][0, 0]) == pytest.approx(
        0.2, abs=4 * float(found["current_error"][0, 0])
    )


# ---------------------------------------------------------------------- pixels that are no pixels


def test_a_pixel_that_saturates_has_the_rate_of_the_short_darks():
    image = np.full((4, 1, 4, 4), 100.0) + np.array([1, 2, 4, 8])[:, None, None, None]
    image[:, 0, 1, 1] = 100 + 100 * np.array([1, 2, 4, 8])
    image[:, 0, 2, 2] = 5000
    darks = frame_set(image, kind="dark", filter="", exposure=[10.0, 20, 40, 80])
    found = dark_current(darks, camera=Camera(saturation=450))
    plane, mask = found["image"].values[0, 0], found["mask"].values[0, 0]
    assert plane[1, 1] == pytest.approx(10)
    assert mask[1, 1] == 0
    assert np.isnan(plane[2, 2])
    assert mask[2, 2] & Flag.OVERSATURATED
    assert plane[0, 0] == pytest.approx(0.1)


def test_darks_without_a_good_pixel_are_refused():
    darks = darks_of(Sensor(seed=1, shape=(64, 64)), 0.5, [60, 60, 120])
    masked = darks.assign(mask=(darks["image"].dims, np.ones(darks["image"].shape, np.uint8)))
    with pytest.raises(CalibrationError, match="no part of the darks has good pixels"):
        dark_current(masked)


def test_flagged_and_lost_pixels_take_no_part():
    sensor = Sensor(seed=1, shape=(64, 64))
    darks = darks_of(sensor, 0.5, [60, 60, 120, 120, 300])
    mask = np.zeros(darks["image"].shape, np.uint8)
    mask[..., 3, 4] = Flag.FAULT
    spoilt = darks["image"].values.astype(np.float64)
    spoilt[..., 3, 4], spoilt[..., 9, 9] = 1e6, np.nan
    marked = darks.assign(image=(darks["image"].dims, spoilt), mask=(darks["image"].dims, mask))
    found = dark_current(marked)
    assert np.isnan(found["image"].values[0, 0, [3, 9], [4, 9]]).all()
    assert found["mask"].values[0, 0, [3, 9], [4, 9]].tolist() == [1, 1]
    rates = [float(one["current"][0, 0]) for one in (found, dark_current(darks))]
    assert rates[0] == pytest.approx(rates[1], abs=1e-3)


# ---------------------------------------------------------------------- chunks and inputs


@given(data=st.data())
@settings(max_examples=2)
def test_chunks_change_no_bit_and_inputs_stay_as_they_are(data):
    sensor = Sensor(seed=2, shape=(5, 7))
    darks, biases = darks_of(sensor, 0.5, [60, 60, 300]), sensor.biases(2)
    before = darks.copy(deep=True)
    eager = dark_current(darks, biases, camera=known(sensor))
    chunked = darks.chunk(data.draw(chunkings(darks)))
    alike(dark_current(chunked, biases.chunk({"y": 2}), camera=known(sensor)), eager)
    xr.testing.assert_identical(darks, before)
    assert chunked["image"].chunks is not None


def test_the_map_is_a_master_and_the_history_states_what_was_left_out(tmp_path):
    sensor = Sensor(seed=2, shape=(40, 48))
    darks = darks_of(sensor, 0.5, [60, 60, 300], (-10,))
    alone = darks_of(sensor, 0.5, [60], (5,)).assign_coords(frame=("frame", ["warm"]))
    found = dark_current(xr.concat([darks, alone], "frame"))
    assert found["temperature"].values.tolist() == [-10.0]
    left_out = provenance.history(found)[-1]["options"]["left_out"]
    assert left_out["warm"].startswith("is of the only exposure at 5.0 C, 60 s, and there are no")
    written = aw.to_fits(found.isel(temperature=0), tmp_path / "rate.fits")
    assert aw.open_fits(written)["image"].attrs["units"] == "adu/s"


# ---------------------------------------------------------------------- refusals


def test_one_exposure_without_biases_is_refused_with_a_remedy():
    darks = of_frames([[103.0, 104, 111]] * 2, [10, 10])
    with pytest.raises(CalibrationError, match="dark-0 is of the only exposure, 10 s, and there"):
        dark_current(darks)
    cold = of_frames([[103.0, 104, 111]] * 2, [10, 10], temperature=[-20.0, -20.0])
    biases = of_frames([[100.0, 100, 101]], [0], "bias", temperature=[-5.0])
    with pytest.raises(CalibrationError, match=r"at -20.0 C, 10 s, and the biases are at -5.0 to"):
        dark_current(cold, biases)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"gain_setting": [100.0, 200.0]},
            "frames of several gain settings .*1 of 100.0, 1 of 200.0",
        ),
        ({"exposure": [np.nan, 20.0]}, r"exposure of darks is not known.*\(dark-0: EXPTIME"),
        ({"temperature": [np.nan, 20.0]}, r"do not state their temperature \(dark-0: CCD-TEMP"),
        ({"image_type": ["dark", "flat"]}, r"frames of another type \(dark-1\); select them"),
    ],
)
def test_darks_that_do_not_go_together_are_refused(changed, message):
    darks = of_frames([[103.0, 104, 111]] * 2, [10, 20])
    if "image_type" in changed:
        changed = {"image_type": text(*changed["image_type"])}
    coords = {name: ("frame", values) for name, values in changed.items()}
    with pytest.raises((CalibrationError, ImageMismatchError), match=message):
        dark_current(darks.assign_coords(coords))


def test_biases_of_another_setting_or_size_are_refused():
    darks = of_frames([[103.0, 104, 111]] * 2, [10, 20], offset=[10.0, 10.0])
    biases = of_frames([[100.0, 100, 101]], [0], "bias", offset=[50.0])
    with pytest.raises(ImageMismatchError, match="one is of the offset 50, not 10"):
        dark_current(darks, biases)
    with pytest.raises(ImageMismatchError, match=r"the biases 1 along 'y' .* and 2 along"):
        dark_current(darks, biases.isel(x=slice(2)).assign_coords(offset=("frame", [10.0])))


def test_calibrated_frames_are_refused():
    darks = of_frames([[103.0, 104, 111]] * 2, [10, 20])
    with pytest.raises(CalibrationError, match="have been calibrated"):
        dark_current(darks.assign(variance=darks["image"]))


# ---------------------------------------------------------------------- real darks


def test_a_real_ladder_has_the_rate_of_its_description(real):
    folder = real / "stonybrook_stl1001"
    camera = Camera(gain=1.93, read_noise=13)
    darks = aw.open_fits(sorted(folder.glob("darks-*s-Neg5*")), camera=camera)
    found = dark_current(darks)
    assert found["darks"].values.tolist() == [4]
    # medians of 300 s and of biases in its SOURCE.txt: 1099 - 993 ADU; a mean is a bit higher
    rate = float(found["current"][0, 0]) / 1.93
    assert rate == pytest.approx((1099 - 993) / 300, rel=0.04)
    assert float(found["current_error"][0, 0]) < 0.02
    assert float(found["glow"][0, 0]) < 0.2


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=40), st.floats(-25, 25))
def test_sorted_values_show_the_size_of_their_distances(values, middle):
    values = np.sort(np.array(values, np.float32))
    assert size_of_sorted(values, middle) == typical_size(np.abs(values - np.float64(middle)))
