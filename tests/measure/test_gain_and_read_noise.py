"""``gain_and_read_noise``: by hand, on hard frames, on real ones, and what it refuses."""

import tracemalloc
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from xarray.backends import BackendArray
from xarray.core import indexing

import autowisp_xr as aw
from autowisp_xr import AutowispWarning, Camera, Flag, provenance, schema
from autowisp_xr.measure import completed_camera, gain_and_read_noise
from autowisp_xr.testing import chunkings
from tests.measure.bent_sensor import BentSensor
from tests.measure.flats_and_biases import Sensor, alike, digitised, timed, with_filters
from tests.steps.frames import frame_set, text


def numbers(measured, name):
    return measured[name].values.tolist()


def step(measured):
    return provenance.history(measured)[-1]


def quiet(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutowispWarning)
        return gain_and_read_noise(*arguments, **options)


def named(ds, word):
    names = ds["frame"].values.tolist()
    return ds.isel(frame=[i for i, name in enumerate(names) if word in name])


def scaled(ds, factor, **options):
    image = ds["image"].values * np.asarray(factor, ds["image"].dtype)
    return frame_set(image, kind=str(ds["image_type"].values[0]), **options)


# ---------------------------------------------------------------------- by hand


def test_one_tile_by_hand(rng):
    """Noise without outliers: nothing is clipped, and every sum is a plain one."""
    f1, f2 = 9000 + rng.uniform(-200, 200, (8, 8)), 6000 + rng.uniform(-160, 160, (8, 8))
    b1, b2 = rng.uniform(-20, 20, (2, 8, 8))
    flats = frame_set(np.stack([f1, f2])[:, None], kind="flat")
    found = quiet(flats, frame_set(np.stack([b1, b2])[:, None], kind="bias"))
    mean = (b1 + b2) / 2
    f1, f2 = f1 - mean, f2 - mean
    s, r = f1.mean(), f1.mean() / f2.mean()
    read = (b1 - b2).var(ddof=1) / 2
    light = (f1 - r * f2).var(ddof=1) - read * (1 + r**2 + (1 - r) ** 2 / 2)
    gain = s * (1 + r) / light
    close = {"rel": 1e-4}
    assert numbers(found, "gain") == [pytest.approx(gain, **close)]
    assert numbers(found, "read_noise_adu") == [pytest.approx(np.sqrt(read), **close)]
    assert numbers(found, "read_noise") == [pytest.approx(gain * np.sqrt(read), **close)]
    # of a single tile, the error is what is expected of 63 degrees of freedom
    expected = np.sqrt(2 / 63)
    assert numbers(found, "read_noise_adu_error") == [
        pytest.approx(np.sqrt(read) * expected / 2, **close)
    ]
    of_light = gain * expected * (f1 - r * f2).var(ddof=1) / light
    of_noise = gain * expected * read * (1 + r**2 + (1 - r) ** 2 / 2) / light
    assert numbers(found, "gain_error") == [pytest.approx(np.hypot(of_light, of_noise), **close)]
    assert found["signal"].values[0] == pytest.approx([s], **close)
    assert found["signal_variance"].values[0] == pytest.approx([read + s / gain], **close)
    assert found["signal_variance_error"].values[0] == pytest.approx(
        [of_light * s / gain**2], **close
    )


def test_the_table_has_units_counts_points_and_names():
    sensor = Sensor(gain=(1.0, 1.5, 2.0, 2.5))
    found = gain_and_read_noise(sensor.flats(*[30e3] * 5), sensor.biases(4))
    assert found["channel"].values.tolist() == ["R", "G1", "G2", "B"]
    of_channel = [name for name in found.data_vars if found[name].dims == ("channel",)]
    units = {name: found[name].attrs["units"] for name in of_channel}
    assert units == {
        "gain": "electron / adu",
        "gain_error": "electron / adu",
        "read_noise": "electron",
        "read_noise_error": "electron",
        "read_noise_adu": "adu",
        "read_noise_adu_error": "adu",
        **dict.fromkeys(("flat_pairs", "flat_tiles", "bias_pairs", "bias_tiles"), "1"),
    }
    assert numbers(found, "flat_pairs") == numbers(found, "bias_pairs") == [2] * 4
    assert all(120 <= n <= 128 for n in numbers(found, "flat_tiles"))
    assert found["signal"].dims == found["signal_variance"].dims == ("channel", "point")
    assert found["signal_variance_error"].attrs["units"] == "adu2"
    assert found.sizes["point"] == 12
    assert found["pair"].values.tolist() == ["flat-0, flat-1"] * 6 + ["flat-3, flat-4"] * 6
    # the corners get half the light
    signal = found["signal"].values[:, :6]
    assert (np.diff(signal) > 0).all()
    assert (signal[:, 0] < 0.75 * signal[:, -1]).all()


def test_points_lie_on_the_line_that_is_found():
    sensor = Sensor(gain=2.0)
    found = gain_and_read_noise(sensor.flats(300, 300, 3e3, 3e3, 30e3, 30e3), sensor.biases())
    gain, floor = found["gain"].item(), found["read_noise_adu"].item() ** 2
    fit = floor + found["signal"] / gain
    pulls = ((found["signal_variance"] - fit) / found["signal_variance_error"]).values
    assert pulls.size == 18
    assert np.abs(pulls).max() < 4
    assert 0.6 < pulls.std() < 1.5
    assert found["signal"].values.max() > 50 * found["signal"].values.min()


def test_the_history_states_what_was_done(rng):
    sensor = Sensor(shape=(64, 64), bias_level=10.0)
    flats, biases = sensor.flats(30e3, 30e3, 9e3, 90e3), sensor.biases(4)
    found = quiet(flats, biases, tile=16, max_pairs=3)
    made = step(found)
    assert made["verb"] == "gain_and_read_noise"
    assert list(made["frames"]) == ["flat-0", "flat-1", "flat-2", "flat-3"]
    assert made["masters"] == {"biases": provenance.identity(biases)}
    options = made["options"]
    assert options["flat_pairs"] == ["flat-0, flat-1"]
    assert options["bias_pairs"] == ["bias-0, bias-1", "bias-2, bias-3"]
    assert list(options["left_out"]) == ["flat-2", "flat-3"]
    assert options["left_out"]["flat-3"] == "without a partner"
    assert (options["tile"], options["max_pairs"], options["bias_level"]) == (16, 3, 10.0)
    assert provenance.identity(found) == provenance.identity(
        quiet(flats, biases, tile=16, max_pairs=3)
    )


# ---------------------------------------------------------------------- on hard frames


def test_each_channel_has_its_own_gain_and_read_noise():
    gains = (0.8, 1.5, 1.6, 4.0)
    sensor = Sensor(seed=1, shape=(512, 512), gain=gains)
    found = gain_and_read_noise(sensor.flats(*[40e3] * 4), sensor.biases())
    np.testing.assert_allclose(found["gain"], gains, rtol=0.01)
    noise = [digitised(8.0, gain) for gain in gains]
    np.testing.assert_allclose(found["read_noise_adu"], noise, rtol=0.01)
    np.testing.assert_allclose(found["read_noise"], np.multiply(noise, gains), rtol=0.015)


@pytest.mark.parametrize("read_noise", [0.4, 0.8, 1.5, 3.0, 12.0])
def test_a_read_noise_of_a_few_digits_or_less_is_right(read_noise):
    sensor = Sensor(seed=2, shape=(512, 512), gain=1.0, read_noise=read_noise)
    found = gain_and_read_noise(sensor.flats(30e3, 30e3, 30e3, 30e3), sensor.biases())
    noise = digitised(read_noise)
    assert found["read_noise_adu"].item() == pytest.approx(noise, rel=0.01)
    assert found["gain"].item() == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("step_of_digits", [4, 16])
def test_so_it_is_where_digits_are_more_than_one_adu(step_of_digits):
    """Cameras of 12 bits often write numbers of 16."""
    sensor = Sensor(seed=3, shape=(256, 256), gain=1.0, read_noise=0.8)
    flats, biases = sensor.flats(*[2e3] * 6), sensor.biases(6)
    found = gain_and_read_noise(scaled(flats, step_of_digits), scaled(biases, step_of_digits))
    assert found["read_noise_adu"].item() == pytest.approx(
        step_of_digits * digitised(0.8), rel=0.01
    )
    assert found["gain"].item() == pytest.approx(1 / step_of_digits, rel=0.02)


def test_a_camera_without_noise_of_its_own_has_none():
    sensor = Sensor(shape=(128, 128), gain=0.5)
    flats, biases = sensor.flats(4e3, 4e3), sensor.biases(2)
    biases["image"].values[:] = 1000
    found = quiet(flats, biases)
    assert numbers(found, "read_noise") == numbers(found, "read_noise_error") == [0.0]
    # the read noise of the flats is taken for light then
    assert found["gain"].item() == pytest.approx(0.5, rel=0.1)


def test_where_hardly_a_digit_changes_what_does_is_noise():
    sensor = Sensor(shape=(256, 256), gain=1.0, read_noise=0.1)
    flats, biases = sensor.flats(*[9e3] * 4), sensor.biases()
    found = gain_and_read_noise(flats, biases)
    parts = biases["image"].values.astype(int)
    plain = np.mean([(parts[i + 1] - parts[i]).var() / 2 for i in (0, 2)])
    assert found["read_noise_adu"].item() == pytest.approx(np.sqrt(plain), rel=0.05)
    assert found["gain"].item() == pytest.approx(1.0, rel=0.02)


def test_a_lamp_that_drifts_changes_nothing():
    sensor = Sensor(seed=4, shape=(512, 512))
    levels = 30e3 * 1.05 ** np.arange(6)
    found = gain_and_read_noise(sensor.flats(*levels), sensor.biases(6))
    assert found["gain"].item() == pytest.approx(1.5, rel=0.01)
    assert found["read_noise_adu"].item() == pytest.approx(digitised(8.0, 1.5), rel=0.01)


def test_a_gradient_that_turns_is_no_noise():
    sensor = Sensor(seed=5, shape=(512, 512))
    slope = np.linspace(-0.05, 0.05, 512)
    levels = [30e3 * (1 + plane) for plane in (slope, slope[:, None], -slope, -slope[:, None])]
    found = gain_and_read_noise(sensor.flats(*levels), sensor.biases())
    assert found["gain"].item() == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize("level", [0.0, 500.0])
def test_the_response_of_a_camera_that_bends_is_made_linear_whatever_states_the_bias(level):
    sensor = BentSensor(seed=4)
    flats = sensor.flats([5.0, 5.0, 20.0, 20.0, 40.0, 40.0])
    biases = sensor.flats([0.0] * 6).assign_coords(image_type=("frame", text(*["bias"] * 6)))
    bent = aw.Camera(bias_level=level, linearity=aw.Linearity(coefficients=[1.5e-6, 2e-11]))
    measured = aw.measure.gain_and_read_noise(flats, biases, camera=bent)
    for name, truth in (("gain", 2.0), ("read_noise", np.hypot(6.0, 2 / 12**0.5))):
        off = float(measured[name][0]) - truth
        assert abs(off) < 4 * float(measured[f"{name}_error"][0])
        assert abs(off) < 0.02 * truth


def test_hot_and_dead_pixels_are_left_out():
    sensor = Sensor(seed=6, shape=(512, 512))
    rng = np.random.default_rng(7)
    hot = np.where(rng.random(sensor.shape) < 0.01, 10 ** rng.uniform(1, 5, sensor.shape), 0.0)
    sensor.response *= np.where(rng.random(sensor.shape) < 0.005, rng.random(sensor.shape), 1.0)
    flats = sensor.flats(*(30e3 * 0.9 ** np.arange(4)), dark=hot)
    found = gain_and_read_noise(flats, sensor.biases())
    assert found["gain"].item() == pytest.approx(1.5, rel=0.01)
    assert found["read_noise_adu"].item() == pytest.approx(digitised(8.0, 1.5), rel=0.01)


def test_stars_of_twilight_are_left_out():
    """They stand elsewhere in each frame, and many are too faint to be told from noise."""
    sensor = Sensor(seed=8, shape=(512, 512))
    rng = np.random.default_rng(9)
    levels = []
    for level in 25e3 * 1.2 ** np.arange(6):
        field = aw.simulate.scene.stars((512, 512), 100, 3.0, rng)
        levels.append(level + 5 * field)
    found = gain_and_read_noise(sensor.flats(*levels), sensor.biases())
    assert found["gain"].item() == pytest.approx(1.5, rel=0.02)


def test_a_saturated_flat_among_the_good_ones_is_left_out():
    sensor = Sensor(seed=10, shape=(512, 512), saturation=50e3)
    flats = sensor.flats(30e3, 200e3, 30e3, 28e3, 28e3)
    found = gain_and_read_noise(flats, sensor.biases())
    assert found["gain"].item() == pytest.approx(1.5, rel=0.01)
    assert step(found)["options"]["left_out"] == {"flat-1": "saturated"}
    assert step(found)["options"]["flat_pairs"] == ["flat-0, flat-2", "flat-3, flat-4"]


def test_the_part_of_a_frame_that_saturates_is_left_out():
    """The middle does; the corners, with half the light, do not."""
    sensor = Sensor(seed=11, shape=(512, 512), saturation=42e3)
    found = gain_and_read_noise(sensor.flats(*[67e3] * 4), sensor.biases())
    assert 200 < found["flat_tiles"].item() < 700
    assert found["gain"].item() == pytest.approx(1.5, rel=0.02)


def test_a_few_saturated_pixels_do_not_cost_their_tiles():
    sensor = Sensor(seed=12)
    hot = np.zeros(sensor.shape)
    hot[:, 16::32, 16::32] = 1e6
    found = gain_and_read_noise(sensor.flats(30e3, 30e3, dark=hot), sensor.biases())
    assert found["flat_tiles"].item() >= 62


def test_pixels_that_are_flagged_or_lost_take_no_part():
    sensor = Sensor(seed=13)
    flats, biases = sensor.flats(30e3, 30e3), sensor.biases(2)
    expected = gain_and_read_noise(flats, biases)
    spoilt = flats.astype(np.float32)
    mask = np.zeros(flats["image"].shape, np.uint8)
    mask[0, :, ::9, ::7] = Flag.HOT
    spoilt["image"].values[0, :, ::9, ::7] = 7e4
    spoilt["image"].values[1, :, 4::11, 5::13] = np.nan
    spoilt = spoilt.assign(mask=(schema.DIMS, mask))
    lost = biases.astype(np.float32)
    lost["image"].values[1, :, 3::12, 2::5] = np.inf
    found = gain_and_read_noise(spoilt, lost)
    for name in ("gain", "read_noise_adu"):
        assert found[name].item() == pytest.approx(
            expected[name].item(), abs=expected[f"{name}_error"].item()
        )
    assert found["flat_tiles"].item() >= 60


def test_overscan_takes_the_place_of_a_level_that_wanders():
    sensor = Sensor(
        seed=14, shape=(256, 288), overscan="[257:288,1:256]", image_area="[1:256,1:256]"
    )
    sensor.response[..., 256:] = 0
    flats, biases = sensor.flats(*[300] * 4), sensor.biases()
    wandering = np.array([50, 90, 80, 60], np.int32)[:, None, None, None]
    flats["image"] = (flats["image"] + wandering).astype(np.uint16)
    found = gain_and_read_noise(flats, biases)
    assert found["gain"].item() == pytest.approx(1.5, rel=0.02)
    assert step(found)["options"]["overscan_areas"] == ["256 < x < 288, 0 < y < 256"]
    without = quiet(flats, biases, overscan=False)
    assert abs(without["gain"].item() / 1.5 - 1) > 0.05


def test_a_frame_smaller_than_a_tile_is_a_tile():
    sensor = Sensor(seed=15, shape=(20, 26))
    found = quiet(sensor.flats(30e3, 30e3), sensor.biases(2))
    assert (found["flat_tiles"].item(), found["bias_tiles"].item()) == (1, 1)
    pull = (found["gain"].item() - 1.5) / found["gain_error"].item()
    assert abs(pull) < 3


def test_no_more_than_some_tiles_are_looked_at_and_they_are_spread_over_the_frame():
    from autowisp_xr.measure.tile_scatter import MOST_TILES, Tiles

    for shape in ((6000, 9000), (10_000, 80), (33, 100_000), (1024, 1024), (40, 70), (5, 7)):
        tiles = Tiles.over(shape, 32)
        number = len(tiles.rows) // tiles.height * (len(tiles.columns) // tiles.width)
        assert 1 <= number <= MOST_TILES
        if shape[0] * shape[1] > 2 * MOST_TILES * 32**2:
            assert number > 0.9 * MOST_TILES
        for chosen, size in ((tiles.rows, shape[0]), (tiles.columns, shape[1])):
            assert np.unique(chosen).size == chosen.size
            assert 0 <= chosen[0] <= size / 4 + 32
            assert size - size / 4 - 33 <= chosen[-1] < size


# ---------------------------------------------------------------------- pairs


def pairs_of(flats, biases, **options):
    return step(quiet(flats, biases, **options))["options"]["flat_pairs"]


def test_pairs_are_neighbours_in_time():
    sensor = Sensor(shape=(64, 64))
    flats = timed(sensor.flats(*[30e3] * 4), [9, 2, 7, 3])
    assert pairs_of(flats, sensor.biases()) == ["flat-1, flat-3", "flat-2, flat-0"]


def test_pairs_are_of_one_filter():
    sensor = Sensor(shape=(64, 64))
    flats = with_filters(sensor.flats(*[30e3] * 5), "V", "B", "V", "B", "R")
    assert pairs_of(flats, sensor.biases()) == ["flat-1, flat-3", "flat-0, flat-2"]


def test_levels_of_a_pair_differ_by_less_than_a_factor_of_two():
    sensor = Sensor(shape=(64, 64))
    found = quiet(sensor.flats(40e3, 15e3, 14e3, 3e3, 2e3), sensor.biases())
    options = step(found)["options"]
    assert options["flat_pairs"] == ["flat-1, flat-2", "flat-3, flat-4"]
    assert "its level is 2" in options["left_out"]["flat-0"]
    assert "that of the next one 8" in options["left_out"]["flat-0"]


def test_pairs_are_spread_over_all_frames_and_no_more_than_wanted():
    sensor = Sensor(shape=(64, 64))
    flats, biases = sensor.flats(*[30e3] * 21), sensor.biases(9)
    found = quiet(flats, biases, max_pairs=3)
    options = step(found)["options"]
    assert options["flat_pairs"] == ["flat-0, flat-1", "flat-7, flat-8", "flat-14, flat-15"]
    assert options["bias_pairs"] == ["bias-0, bias-1", "bias-3, bias-4", "bias-6, bias-7"]
    assert numbers(found, "flat_pairs") == [3]


def test_a_channel_may_saturate_where_others_do_not():
    sensor = Sensor(shape=(64, 64), gain=(1.5, 1.5, 1.5, 1.5), saturation=40e3)
    sensor.response[1] *= 3
    found = quiet(sensor.flats(40e3, 40e3, 15e3, 15e3), sensor.biases())
    assert numbers(found, "flat_pairs") == [2, 1, 2, 2]
    assert np.isnan(found["signal"].values[1]).sum() == found.sizes["point"] // 2
    np.testing.assert_allclose(found["gain"], 1.5, rtol=0.2)


# ---------------------------------------------------------------------- contracts


@pytest.mark.parametrize(
    "chunks", [{"frame": 1}, {"frame": 3, "y": 50}, {"x": 33, "channel": 1}, {}], ids=str
)
def test_chunks_change_no_bit(chunks):
    sensor = Sensor(shape=(128, 96), gain=(1.0, 1.5, 2.0, 2.5), leak_directions=[(0, 1)])
    flats, biases = sensor.flats(*[30e3] * 4), sensor.biases()
    expected = gain_and_read_noise(flats, biases)
    alike(gain_and_read_noise(flats.chunk(chunks), biases.chunk(chunks)), expected)


def test_frames_on_disk_give_the_same_bits(tmp_path):
    sensor = Sensor(shape=(128, 96), overscan="[1:10,1:96]", image_area="[11:96,1:128]")
    sensor.camera = Camera(overscan="[1:10,1:128]", image_area="[11:96,1:128]")
    sensor.response[..., :10] = 0
    flats, biases = sensor.flats(*[30e3] * 4), sensor.biases()
    for ds in (flats, biases):
        aw.to_fits(ds, tmp_path / "{RAWFNAME}.fits")
    opened = aw.open_fits(tmp_path / "*.fits", camera=sensor.camera)
    assert not opened["image"].variable._in_memory
    found = gain_and_read_noise(named(opened, "flat"), named(opened, "bias"))
    alike(found, gain_and_read_noise(flats, biases))


class Watched(BackendArray):
    """Frames that state what was read of them."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.seen = []

    def __getitem__(self, key):
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key):
        self.seen.append(np.atleast_1d(np.arange(self.shape[0])[key[0]]).tolist())
        values = self.values
        for axis in reversed(range(4)):
            values = values[(slice(None),) * axis + (key[axis],)]
        return values


def watched(ds):
    array = Watched(ds["image"].values)
    lazy = xr.Variable(schema.DIMS, indexing.LazilyIndexedArray(array), ds["image"].attrs)
    return ds.assign(image=lazy), array.seen


def test_what_is_lazy_is_read_frame_by_frame_and_each_once():
    sensor = Sensor(shape=(64, 64))
    flats, of_flats = watched(sensor.flats(*[30e3] * 12))
    biases, of_biases = watched(sensor.biases(6))
    gain_and_read_noise(flats, biases, max_pairs=2, tile=16)
    assert of_biases == [[0], [1], [3], [4]]
    assert of_flats == [[0], [1], [6], [7]]


def test_no_more_than_a_few_frames_are_in_memory():
    sensor = Sensor(shape=(512, 512))
    flats, biases = sensor.flats(*[30e3] * 12), sensor.biases(12)
    few = {"frame": slice(4)}
    gain_and_read_noise(flats.isel(few), biases.isel(few))
    peaks = []
    for one, other in ((flats.isel(few), biases.isel(few)), (flats, biases)):
        tracemalloc.start()
        try:
            gain_and_read_noise(one, other)
            peaks.append(tracemalloc.get_traced_memory()[1] / 512**2)
        finally:
            tracemalloc.stop()
    # bytes a pixel; tiles cover nearly all of so small a frame
    assert peaks[1] < 1.1 * peaks[0] < 80


def test_the_input_is_untouched():
    sensor = Sensor(shape=(64, 64), gain=(1.0, 1.5, 2.0, 2.5))
    flats, biases = sensor.flats(*[30e3] * 3), sensor.biases()
    before = [ds.copy(deep=True) for ds in (flats, biases)]
    quiet(flats, biases)
    for ds, kept in zip((flats, biases), before, strict=True):
        xr.testing.assert_identical(ds, kept)


def test_channels_in_another_order_are_the_same_channels():
    sensor = Sensor(shape=(64, 64), gain=(1.0, 1.5, 2.0, 2.5))
    flats, biases = sensor.flats(*[30e3] * 4), sensor.biases()
    expected = quiet(flats, biases)
    alike(quiet(flats, biases.isel(channel=[3, 1, 0, 2])), expected)


def test_the_camera_that_is_given_goes_before_the_one_that_travels():
    sensor = Sensor(shape=(64, 64), image_area="[1:999,1:999]")
    flats, biases = sensor.flats(30e3, 30e3), sensor.biases()
    assert quiet(flats, biases, camera=Camera())["gain"].item() == pytest.approx(1.5, rel=0.2)
    with pytest.raises(aw.OutsideImageError, match="reaches outside the frames"):
        gain_and_read_noise(flats, biases)


def test_a_gain_that_is_poorly_known_warns_once_and_names_the_channels():
    sensor = Sensor(shape=(24, 24), gain=(1.5, 1.5, 1.5, 1.5))
    flats, biases = sensor.flats(30e3, 30e3), sensor.biases()
    with pytest.warns(AutowispWarning) as caught:
        found = gain_and_read_noise(flats, biases)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    stated = str(caught[0].message)
    assert stated.startswith("the gain is known to ")
    assert all(f"% in the channel {name!r}" in stated for name in ("R", "G1", "G2", "B"))
    assert (found["gain_error"] > 0.05 * found["gain"]).all()


# ---------------------------------------------------------------------- what is refused


@pytest.fixture
def good():
    sensor = Sensor(shape=(64, 64), saturation=50e3)
    return sensor.flats(30e3, 30e3, 30e3), sensor.biases()


@pytest.mark.parametrize("which", [0, 1])
def test_calibrated_frames_are_refused(good, which):
    frames = list(good)
    frames[which] = aw.calibrate(frames[which], camera=Camera(gain=1, read_noise=1))
    with pytest.raises(aw.CalibrationError, match=r"(flats|biases) have a variance.*give raw"):
        gain_and_read_noise(*frames)


def test_a_single_frame_is_refused(good):
    flats, biases = good
    with pytest.raises(aw.CalibrationError, match=r"one frame among the flats \(flat-0\)"):
        gain_and_read_noise(flats.isel(frame=[0]), biases)
    with pytest.raises(aw.CalibrationError, match=r"one frame among the biases \(bias-0\).*two"):
        gain_and_read_noise(flats, biases.isel(frame=[0]))


def test_what_are_no_frames_is_refused(good):
    flats, biases = good
    with pytest.raises(aw.SchemaError, match="the set of flats is not a frame set"):
        gain_and_read_noise(flats.isel(frame=0), biases)
    with pytest.raises(aw.SchemaError, match="the set of biases is not a frame set"):
        gain_and_read_noise(flats, biases["image"])


def test_frames_in_electrons_are_refused(good):
    flats, biases = good
    flats["image"].attrs["units"] = "electron"
    with pytest.raises(aw.CalibrationError, match=r"flats are in units of 'electron'.*'adu'"):
        gain_and_read_noise(flats, biases)


def test_other_types_of_frames_are_refused(good):
    flats, biases = good
    with pytest.raises(aw.ImageMismatchError, match=r"flats are .* bias; .*where_type\('flat'\)"):
        gain_and_read_noise(biases, biases)
    with pytest.raises(aw.ImageMismatchError, match=r"biases are .* flat; .*where_type\('bias'\)"):
        gain_and_read_noise(flats, flats)


def test_biases_of_another_size_place_or_channel_are_refused(good):
    flats, biases = good
    with pytest.raises(
        aw.ImageMismatchError, match=r"flats cover 64 along 'y' .* biases 60 along 'y' .*give"
    ):
        gain_and_read_noise(flats, biases.isel(y=slice(2, 62)))
    moved = biases.assign_coords(x=biases.x + 5)
    with pytest.raises(aw.ImageMismatchError, match=r"raw pixels 0 to 63\), the .* 5 to 68\)"):
        gain_and_read_noise(flats, moved)
    other = biases.assign_coords(channel=text("R"))
    with pytest.raises(
        aw.ImageMismatchError, match=r"channels \['mono'\], the biases have \['R'\]"
    ):
        gain_and_read_noise(flats, other)


def test_several_settings_of_the_gain_are_refused(good):
    flats, biases = good
    biases = biases.assign_coords(gain_setting=("frame", [0.0, np.nan, 0.0, 0.0]))
    assert quiet(flats, biases)["gain"].item() > 0
    flats = flats.assign_coords(gain_setting=("frame", [100.0] * 3))
    with pytest.raises(
        aw.ImageMismatchError, match="the biases are of the gain setting 0, not 100"
    ):
        gain_and_read_noise(flats, biases)


def test_flats_that_are_all_saturated_are_refused():
    sensor = Sensor(shape=(64, 64), saturation=20e3)
    flats, biases = sensor.flats(*[60e3] * 8), sensor.biases()
    with pytest.raises(
        aw.CalibrationError,
        match=r"no pair of flats can be used in the channel 'mono': flat-0: saturated; .*"
        r"flat-5: saturated; and 2 more; give two flats of one filter",
    ):
        gain_and_read_noise(flats, biases)


def test_flats_without_a_partner_are_refused():
    sensor = Sensor(shape=(64, 64))
    biases = sensor.biases()
    with pytest.raises(
        aw.CalibrationError,
        match=r"flat-0: its level is 2.*e\+04 ADU, that of the next one 6.* ADU; "
        r"flat-1: without a partner; .*factor of 2",
    ):
        gain_and_read_noise(sensor.flats(40e3, 11e3), biases)
    of_filters = with_filters(sensor.flats(30e3, 30e3), "B", "V")
    with pytest.raises(aw.CalibrationError, match="flat-0: the next one has the filter 'V'"):
        gain_and_read_noise(of_filters, biases)


def test_frames_without_a_good_pixel_are_refused(good):
    flats, biases = good
    dark = flats.astype(np.float32)
    dark["image"].values[:] = np.nan
    with pytest.raises(aw.CalibrationError, match="flat-0: without good pixels"):
        gain_and_read_noise(dark, biases)
    mask = np.full(biases["image"].shape, Flag.FAULT, np.uint8)
    with pytest.raises(
        aw.CalibrationError, match=r"no pair of biases .* bias-0: without good pixels.*; give two"
    ):
        gain_and_read_noise(flats, biases.assign(mask=(schema.DIMS, mask)))


def test_frames_that_share_no_good_pixel_are_refused(good):
    flats, biases = good
    mask = np.zeros(flats["image"].shape, np.uint8)
    mask[0, ..., :32] = mask[1, ..., 32:] = mask[2, ..., :32] = Flag.FAULT
    with pytest.raises(aw.CalibrationError, match="no tile has good pixels in both frames"):
        gain_and_read_noise(flats.assign(mask=(schema.DIMS, mask)), biases)


def test_flats_without_light_are_refused(rng):
    flats, biases = (
        frame_set(rng.normal(level, 5, (4, 1, 128, 128)), kind=kind)
        for level, kind in ((101, "flat"), (100, "bias"))
    )
    with pytest.raises(
        aw.CalibrationError,
        match=r"no light in the flats to measure the gain of the channel 'mono' by: they are "
        r"[01]\.\d+ ADU above the biases.*give flats of a thousand electrons",
    ):
        gain_and_read_noise(flats, biases)


def test_flats_without_noise_are_refused():
    flats, biases = (
        frame_set(np.full((2, 1, 40, 40), level, "u2"), kind=kind)
        for level, kind in ((900, "flat"), (100, "bias"))
    )
    with pytest.raises(aw.CalibrationError, match=r"they are 800 ADU above .* is 0 \+- 0 ADU"):
        gain_and_read_noise(flats, biases)


def test_a_frame_of_a_pixel_is_refused():
    flats, biases = (
        frame_set([[[[level]]]] * 2, kind=kind) for level, kind in ((900, "flat"), (100, "bias"))
    )
    with pytest.raises(aw.CalibrationError, match=r"no pair of biases can be used.*no tile has"):
        gain_and_read_noise(flats, biases)


@pytest.mark.parametrize("electrons", [0.0, 1.0, 3.0])
def test_flats_of_hardly_any_light_are_refused(electrons):
    sensor = Sensor(shape=(128, 128))
    biases = sensor.biases()
    with pytest.raises(aw.CalibrationError, match=r"no light in the flats|its level is"):
        gain_and_read_noise(sensor.flats(*[electrons] * 4), biases)


def test_a_channel_that_cannot_be_measured_is_named():
    sensor = Sensor(shape=(64, 64), gain=(1.5, 1.5, 1.5, 1.5), saturation=40e3)
    sensor.response[1] *= 9
    with pytest.raises(
        aw.CalibrationError, match="can be used in the channel 'G1': no tile has good"
    ):
        gain_and_read_noise(sensor.flats(30e3, 30e3), sensor.biases())


@pytest.mark.parametrize("option", [{"tile": 7}, {"tile": 32.0}, {"max_pairs": 0}], ids=str)
def test_options_that_cannot_be_are_refused(good, option):
    ((name, value),) = option.items()
    with pytest.raises(ValueError, match=rf"{name} is a whole number from \d on, not {value}"):
        gain_and_read_noise(*good, **option)


# ---------------------------------------------------------------------- as a camera


def measured_of(**channels):
    names = list(channels)
    columns = {
        name: ("channel", [values[i] for values in channels.values()])
        for i, name in enumerate(("gain", "read_noise", "read_noise_adu"))
    }
    return xr.Dataset(columns, {"channel": ("channel", text(*names))})


def test_a_camera_is_completed_where_it_does_not_state():
    measured = measured_of(mono=(1.5, 9.0, 6.0))
    camera = completed_camera(Camera(saturation=50e3), measured)
    assert (camera.gain, camera.read_noise, camera.saturation) == (1.5, 9.0, 50e3)
    assert completed_camera(Camera(gain=2.0, read_noise=7.0), measured) == Camera(
        gain=2.0, read_noise=7.0
    )
    assert completed_camera(Camera(read_noise=7.0), measured).gain == 1.5
    assert completed_camera(Camera(read_noise=7.0), measured).read_noise == 7.0


def test_with_another_gain_the_read_noise_is_what_it_was_in_adu():
    measured = measured_of(mono=(1.5, 9.0, 6.0))
    assert completed_camera(Camera(gain=2.0), measured).read_noise == 12.0


def test_a_camera_of_several_channels_gets_a_number_for_each():
    measured = measured_of(R=(1, 8, 8), G1=(2, 9, 4.5), G2=(2, 9, 4.5), B=(4, 10, 2.5))
    camera = completed_camera(Camera(channels="RGGB"), measured)
    assert camera.gain == {"R": 1, "G1": 2, "G2": 2, "B": 4}
    assert camera.read_noise == {"R": 8, "G1": 9, "G2": 9, "B": 10}
    known = Camera(channels="RGGB", gain={"R": 2, "G1": 2, "G2": 2, "B": 2})
    assert completed_camera(known, measured).read_noise == {"R": 16, "G1": 9, "G2": 9, "B": 5}
    with pytest.raises(aw.CalibrationError, match="the camera has"):
        completed_camera(Camera(), measured)


def test_a_completed_camera_calibrates():
    sensor = Sensor(shape=(64, 64))
    flats, biases = sensor.flats(*[30e3] * 4), sensor.biases()
    with pytest.raises(aw.CalibrationError, match=r"aw\.measure\.gain_and_read_noise"):
        aw.calibrate(flats, bias=aw.master_bias(biases))
    camera = completed_camera(Camera(), quiet(flats, biases))
    ds = aw.calibrate(flats, bias=aw.master_bias(biases), camera=camera)
    difference = ds["image"].diff("frame").isel(frame=0)
    variance = ds["variance"].isel(frame=[0, 1]).sum("frame")
    assert float((difference**2).mean() / variance.mean()) == pytest.approx(1.0, abs=0.2)


# ---------------------------------------------------------------------- real frames


@pytest.mark.real
def test_dome_flats_of_a_cooled_ccd(real):
    raw = aw.open_fits(real / "arcsat_flarecam_xo1_2025")
    found = gain_and_read_noise(raw.autowisp.where_type("flat"), raw.autowisp.where_type("bias"))
    assert found["gain"].item() == pytest.approx(1.36, rel=0.05)
    assert found["read_noise_adu"].item() == pytest.approx(11.8, rel=0.05)
    assert found["gain_error"].item() < 0.005
    assert (found["flat_pairs"].item(), found["bias_pairs"].item()) == (2, 2)


@pytest.mark.real
def test_dome_flats_of_another_ccd_agree_with_its_header(real):
    raw = aw.open_fits(real / "stonybrook_stl1001")
    flats, biases = named(raw, "flat-expos23s"), named(raw, "biases-Neg5")
    found = gain_and_read_noise(flats, biases)
    assert found["gain"].item() == pytest.approx(1.93, rel=0.05)
    assert found["read_noise_adu"].item() == pytest.approx(6.7, rel=0.05)
    parts = [
        gain_and_read_noise(flats.isel(frame=part), biases) for part in (slice(4), slice(4, 8))
    ]
    assert parts[0]["gain"].item() == pytest.approx(parts[1]["gain"].item(), rel=0.01)


@pytest.mark.real
def test_a_ladder_of_exposures_gives_what_its_header_does(real):
    """Steep light of a slit viewer, one frame of each exposure, the longest saturated at 49000."""
    raw = aw.open_fits(real / "uw_st7_flat_ladder")
    biases = named(raw, "BIAS")
    camera = Camera(saturation=44e3)
    with pytest.warns(AutowispWarning, match="no line: its points are off by"):
        ladder = gain_and_read_noise(named(raw, "Pencil"), biases, camera=camera)
    assert abs(ladder["gain"].item() - 0.46) < 3 * ladder["gain_error"].item()
    assert ladder["gain"].item() == pytest.approx(0.46, rel=0.06)
    assert set(step(ladder)["options"]["left_out"]) >= {
        f"Pencil{seconds}.FLAT" for seconds in (75, 85, 90, 95, 105)
    }
    alike_in_time = named(raw, "slitview.0000035").isel(frame=slice(5, 8))
    with pytest.warns(AutowispWarning, match="no line"):
        # the spectrum of a slit is steep inside a tile
        pair = gain_and_read_noise(alike_in_time, biases, camera=camera)
    assert pair["gain"].item() == pytest.approx(0.46, rel=0.04)


# ---------------------------------------------------------------------- what always holds

FEW = settings(max_examples=8, deadline=None)


@FEW
@given(seed=st.integers(0, 2**16), power=st.integers(0, 2))
def test_numbers_twice_as_large_are_electrons_half_as_large(seed, power):
    sensor = Sensor(seed=seed, shape=(64, 64), gain=3.0, saturation=9e3)
    flats, biases = sensor.flats(20e3, 21e3, 19e3), sensor.biases(3)
    expected = quiet(flats, biases)
    factor = 2**power
    camera = Camera(saturation=9e3 * factor)
    found = quiet(*(scaled(ds, factor, camera=camera) for ds in (flats, biases)))
    for name, of_factor in (
        *(("gain", -1), ("gain_error", -1), ("read_noise", 0), ("read_noise_error", 0)),
        *(("read_noise_adu", 1), ("read_noise_adu_error", 1), ("flat_tiles", 0)),
        *(("signal", 1), ("signal_variance", 2), ("signal_variance_error", 2)),
    ):
        np.testing.assert_allclose(found[name], expected[name] * factor**of_factor, rtol=1e-6)


@FEW
@given(order=st.permutations(range(6)), seed=st.integers(0, 2**16))
def test_the_order_of_frames_changes_little(order, seed):
    sensor = Sensor(seed=seed, shape=(96, 96))
    flats, biases = sensor.flats(*np.linspace(20e3, 30e3, 6)), sensor.biases(6)
    one, other = quiet(flats, biases), quiet(flats.isel(frame=order), biases.isel(frame=order))
    for name in ("gain", "read_noise_adu"):
        error = np.hypot(one[f"{name}_error"], other[f"{name}_error"]).item()
        assert abs(one[name].item() - other[name].item()) < 5 * error
    in_time = timed(flats, range(6)).isel(frame=order)
    again = quiet(in_time, timed(biases, range(6)).isel(frame=order))
    alike(again, one)


@FEW
@given(level=st.integers(-900, 20_000), seed=st.integers(0, 2**16))
def test_a_level_that_is_in_all_frames_changes_nothing(level, seed):
    sensor = Sensor(seed=seed, shape=(64, 64), bias_level=float(level), saturation=60e3)
    flats, biases = sensor.flats(30e3, 30e3), sensor.biases(2)
    camera = Camera(saturation=60e3)
    expected = quiet(flats, biases, camera=camera)
    # float32 planes keep seven digits
    for ds in (flats, biases):
        ds["image"] = (ds["image"].astype(np.int32) + level).astype(np.int32)
    found = quiet(flats, biases)
    for name in ("gain", "read_noise_adu", "signal_variance"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


@FEW
@given(data=st.data(), seed=st.integers(0, 2**16))
def test_any_chunks_give_the_same_bits(data, seed):
    sensor = Sensor(seed=seed, shape=(40, 36), gain=(1.0, 1.5, 2.0, 2.5))
    flats, biases = sensor.flats(30e3, 28e3, 33e3), sensor.biases(3)
    parts = [ds.chunk(data.draw(chunkings(ds))) for ds in (flats, biases)]
    alike(quiet(*parts), quiet(flats, biases))


def test_a_curve_that_is_no_line_has_a_larger_error_and_a_warning():
    """As of flats that pile up below the ceiling of the converter."""
    night = aw.simulate.Night(shape=(256, 256), seed=3, overscan=0, vignetting=0.0)
    flats = night.flat(8, level=np.linspace(4000, 40_000, 8))
    good = aw.measure.gain_and_read_noise(flats, night.bias(4))
    piled = flats.copy()
    level = flats["image"].values.astype(float)
    # what is brighter counts for less, noise and all
    bent = np.where(level > 20_000, 20_000 + 0.6 * (level - 20_000), level)
    piled["image"] = flats["image"].copy(data=np.round(bent).astype(flats["image"].dtype))
    with pytest.warns(aw.AutowispWarning, match="no line: its points are off by"):
        measured = aw.measure.gain_and_read_noise(piled, night.bias(4))
    assert float(measured["gain_error"][0]) > 2 * float(good["gain_error"][0])


def test_biases_that_do_not_differ_in_any_pixel_measure_no_read_noise():
    sensor = Sensor(shape=(64, 96))
    biases = sensor.biases(4)
    biases = biases.assign(image=xr.zeros_like(biases["image"]))
    with pytest.warns(aw.AutowispWarning, match="do not differ in any pixel.*'mono'.*offset"):
        aw.measure.gain_and_read_noise(sensor.flats(*[20000] * 4), biases)
