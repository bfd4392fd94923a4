"""Defective pixels: found where they matter, and good ones spared."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Camera, Flag
from autowisp_xr.measure import Defect, defects
from autowisp_xr.measure.defective_pixels import CHANCE, late_defects
from autowisp_xr.measure.pixel_scatter import found_factor
from tests.measure.defects_found import FACTORS, look
from tests.sensors import Sensor
from tests.steps.frames import TWO_CHANNELS, frame_set


def bits(found, name="reason"):
    return found[name].values[0]


def quiet(number=6, level=100.0, seed=1, shape=(20, 24)):
    """Frames of whole numbers with a noise of 3 ADU, (frame, y, x)."""
    rng = np.random.default_rng(seed)
    return np.rint(rng.normal(level, 3.0, (number, *shape))).astype("u2")


def unlit(pixels, kind="dark", **known):
    camera = Camera(**{"gain": 1.0, "read_noise": 3.0, **known})
    return frame_set(pixels[:, None], kind=kind, exposure=60.0, camera=camera)


@pytest.fixture(scope="module")
def sensor():
    return Sensor(
        shape=(120, 160), hot=0.01, telegraph=0.01, noisy=0.01, dead=0.002, nonlinear=0.004,
        columns=2, clusters=3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(sensor):
    flats = sensor.flats(12, level=np.repeat([8e3, 4e4], 6))
    return defects(
        darks=sensor.darks(20, exposure=60.0),
        biases=sensor.biases(20),
        flats=flats,
        camera=sensor.camera(saturation=None),
    )


def test_three_pixels_by_hand():
    darks = quiet()
    darks[:, 3, 4] += 500
    darks[::2, 5, 6] += 40
    biases = quiet(seed=2)
    biases[::2, 7, 8] += 40
    found = defects(darks=unlit(darks), biases=unlit(biases, "bias"))
    assert {(int(y), int(x)): int(bits(found)[y, x]) for y, x in np.argwhere(bits(found))} == {
        (3, 4): 1,
        (5, 6): 2,
        (7, 8): 4,
    }
    assert bits(found, "mask")[[3, 5, 7], [4, 6, 8]].tolist() == [Flag.HOT, Flag.FAULT, Flag.FAULT]
    assert bits(found, "rate")[3, 4] == pytest.approx(500 / 60, rel=0.02)
    own = darks[:, 5, 6] - (darks - darks.mean(axis=0)).mean(axis=(1, 2))
    expected = np.sqrt(9 + max(own.mean() - biases[:, 5, 6].mean(), 0))
    assert bits(found, "scatter")[5, 6] == pytest.approx(own.std(ddof=1) / expected, rel=0.05)


@pytest.mark.parametrize(("number", "factor"), FACTORS.items())
def test_of_wrong_uncertainties_99_percent_are_found_and_good_pixels_are_spared(number, factor):
    assert found_factor(number, CHANCE) <= factor
    seen = look(number, shape=(150, 200))
    assert seen.flagged[seen.factor >= factor].mean() >= 0.99
    # 15 expected of 28,000, and 24 are allowed
    assert seen.flagged[seen.good].mean() < 8e-4


def test_each_kind_of_defect_has_its_reason(sensor, found):
    reason = bits(found)

    def share(kind, which):
        return ((reason & which) != 0)[sensor.kinds == kind].mean()

    assert share("hot", Defect.HOT) == 1
    assert share("hot", 255 & ~Defect.HOT) < 0.02
    assert share("dead", Defect.DEAD | Defect.CLUSTER) == 1
    assert share("cluster", 255) == 1
    assert share("nonlinear", Defect.NONLINEAR) > 0.8
    large = sensor.error_ratio(exposure=60.0) > 4
    noisy = (sensor.kinds == "noisy") & large
    assert ((reason & Defect.NOISY) != 0)[noisy].mean() > 0.98
    assert ((reason & Defect.UNSTABLE) != 0)[(sensor.kinds == "telegraph") & large].mean() > 0.95
    assert share("", 255) < 1e-3
    hot_columns = reason[:, sensor.bad_columns[::2]]
    assert ((hot_columns & Defect.HOT) != 0).mean() > 0.9


def test_the_response_and_the_rate_are_those_of_the_sensor(sensor, found):
    good = sensor.kinds == ""
    pull = bits(found, "response")[good] / sensor.response[good]
    assert abs(np.median(pull) - 1) < 2e-3
    hot = sensor.kinds == "hot"
    rate = sensor.rate()[hot] / sensor.gain
    kept = rate * 60 < 2e4
    np.testing.assert_allclose(bits(found, "rate")[hot][kept], rate[kept], rtol=0.1, atol=0.05)


def test_a_hot_pixel_with_a_stable_dark_is_flagged_and_usable(sensor, found):
    darks, biases = sensor.darks(20, exposure=60.0), sensor.biases(20)
    camera = sensor.camera()
    bias = aw.master_bias(biases, camera=camera)
    dark = aw.master_dark(darks, bias=bias, camera=camera)
    lights = sensor.lights(3, exposure=60.0, sky=30.0)
    frames = aw.calibrate(lights, bias=bias, dark=dark, masks=found, camera=camera)
    hot = (sensor.kinds == "hot") & (bits(found) == Defect.HOT) & (sensor.rate() * 60 < 5e4)
    assert (frames["mask"].values[:, 0, hot] == Flag.HOT).all()
    stack = aw.stack(frames, "mean")
    assert (stack["count"].values[0, hot] == 3).all()
    assert (stack["mask"].values[0, hot] == Flag.HOT).all()
    truth = 1800.0 * sensor.response / sensor.gain
    pulls = (stack["image"].values[0] - truth)[hot] / np.sqrt(stack["variance"].values[0][hot])
    assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * pulls.size)


def test_a_hot_pixel_responds_to_all_flats_of_a_ladder_of_exposures_alike():
    sensor = Sensor(shape=(60, 80), hot=0.02)
    exposures = np.repeat([1.0, 8.0, 2.0, 5.0], 2)
    flats = sensor.flats(8, level=5_000 * exposures, exposure=exposures)
    darks, biases = sensor.darks(6, exposure=30), sensor.biases(6)
    found = aw.measure.defects(darks=darks, biases=biases, flats=flats)
    hot = sensor.kinds == "hot"
    assert ((bits(found) & Defect.HOT) != 0)[hot].mean() > 0.9
    assert not (bits(found) & Defect.NONLINEAR).any()


def test_what_a_cosmic_ray_hits_once_is_not_unstable():
    darks = quiet(number=8)
    darks[3, 4, 5:8] += 200
    assert not bits(defects(darks=unlit(darks))).any()
    alone = quiet(number=8)
    alone[3, 4, 5] += 200
    assert bits(defects(darks=unlit(alone)))[4, 5] & Defect.UNSTABLE


def test_what_a_cosmic_ray_hits_in_a_mosaic_is_beside_pixels_of_other_colours():
    rng = np.random.default_rng(1)
    darks = np.rint(rng.normal(100, 3, (6, 2, 20, 24)))
    darks[2, 0, 4, 5] += 200
    darks[2, 1, 4, 5] += 300
    camera = Camera(channels=TWO_CHANNELS, gain=1.0, read_noise=3.0)
    found = defects(darks=frame_set(darks, kind="dark", camera=camera))
    assert found["reason"].values[:, 4, 5].tolist() == [0, 0]
    darks[3, 0, 8, 9] += 200
    found = defects(darks=frame_set(darks, kind="dark", camera=camera))
    assert found["reason"].values[0, 8, 9] & Defect.UNSTABLE


def test_of_two_frames_a_hit_leaves_one_and_no_doubt():
    darks = quiet(number=2)
    darks[1, 4, 5:8] += 200
    assert not (bits(defects(darks=unlit(darks))) & ~np.uint8(Defect.HOT)).any()


def test_without_gain_and_read_noise_most_pixels_are_the_measure():
    darks = quiet(shape=(64, 64))
    darks[::2, 5, 6] += 60
    camera = Camera()
    found = defects(darks=frame_set(darks[:, None], kind="dark", camera=camera))
    assert bits(found)[5, 6] & Defect.UNSTABLE
    assert np.count_nonzero(bits(found)) < 5


def test_a_read_noise_that_is_stated_too_low_flags_no_good_pixel():
    darks = quiet(number=30, shape=(64, 64))
    assert np.count_nonzero(bits(defects(darks=unlit(darks, read_noise=1.0)))) < 5


def test_darks_of_several_exposures_are_looked_at_apart(sensor):
    exposures = np.repeat([10.0, 60.0], 5)
    one = defects(darks=sensor.darks(10, exposure=exposures), camera=sensor.camera())
    assert one.attrs["found_from"].count("5 darks") == 2
    darks = sensor.darks(10, exposure=exposures)
    both = defects(
        darks=[darks.isel(frame=slice(5)), darks.isel(frame=slice(5, None))],
        camera=sensor.camera(),
    )
    np.testing.assert_array_equal(one["mask"], both["mask"])


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 7, "x": 11}, {"frame": 3, "y": 13}])
def test_chunks_change_no_bit(chunks):
    darks, biases, flats = quiet(), quiet(seed=2), quiet(seed=3, level=2000.0)
    darks[:, 3, 4] += 500
    darks[::2, 5, 6] += 40
    flats[:, 8, 9] = 110
    flats[3:] += 2000
    parts = {
        "darks": unlit(darks),
        "biases": unlit(biases, "bias"),
        "flats": unlit(flats, "flat"),
    }
    before = {name: one.copy(deep=True) for name, one in parts.items()}
    found = defects(**parts)
    again = defects(**{name: one.chunk(chunks) for name, one in parts.items()})
    xr.testing.assert_identical(found.drop_attrs(), again.drop_attrs())
    assert bits(found)[8, 9] & (Defect.DEAD | Defect.NONLINEAR)
    for name, one in parts.items():
        xr.testing.assert_identical(one, before[name])


def test_raw_integers_are_taken_as_if_they_had_been_calibrated():
    darks = quiet()
    darks[:, 3, 4] = 65535
    darks[0, 5, 6] = 65535
    plain = defects(darks=unlit(darks))
    assert bits(plain)[3, 4] == Defect.SATURATED
    no_flags = np.zeros((6, 1, 20, 24), np.uint8)
    flagged = unlit(darks).assign(mask=(("frame", "channel", "y", "x"), no_flags))
    for again in (flagged, unlit(darks.astype(">u2"))):
        xr.testing.assert_identical(defects(darks=again).drop_attrs(), plain.drop_attrs())


def test_bands_of_rows_are_found_as_if_they_were_one(monkeypatch):
    sensor = Sensor(shape=(330, 40), telegraph=0.01, noisy=0.02, hot=0.01, dead=0.02)
    parts = {
        "darks": sensor.darks(6, exposure=60.0),
        "biases": sensor.biases(6),
        "flats": sensor.flats(6, level=np.repeat([8e3, 4e4], 3)),
        "camera": sensor.camera(),
    }
    whole = defects(**parts)
    monkeypatch.setattr("autowisp_xr.measure.defective_pixels._BAND", 1)
    xr.testing.assert_identical(defects(**parts).drop_attrs(), whole.drop_attrs())


def test_threads_that_ask_for_rows_at_a_time_get_their_own(monkeypatch):
    monkeypatch.setattr("autowisp_xr.measure.defective_pixels._BAND", 1)
    frames = unlit(quiet(shape=(200, 24)))
    whole = defects(darks=frames)
    late = late_defects(darks=frames, biases=None, flats=None, camera=None)
    asked = [(name, start) for start in range(0, 200, 20) for name in ("scatter", "mask")]

    def read(name, start):
        return late[name].variable[:, start : start + 20].values

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda one: read(*one), asked))
    for (name, start), part in zip(asked, parts, strict=True):
        np.testing.assert_array_equal(part, whole[name].values[:, start : start + 20])


def test_flagged_pixels_take_no_part():
    darks = quiet()
    darks[0, 5, 6] += 2000
    mask = np.zeros((6, 1, 20, 24), np.uint8)
    mask[0, 0, 5, 6] = Flag.FAULT
    mask[:, 0, 9, 9] = Flag.OVERSATURATED
    found = defects(darks=unlit(darks).assign(mask=(("frame", "channel", "y", "x"), mask)))
    assert bits(found)[5, 6] == 0
    assert bits(found)[9, 9] == Defect.SATURATED


def test_a_single_frame_shows_hot_pixels_alone():
    darks = quiet(number=1)
    darks[0, 5, 6] += 500
    found = defects(darks=unlit(darks))
    assert bits(found)[5, 6] == Defect.HOT
    assert np.isnan(bits(found, "scatter")).all()


def test_what_is_found_rests_in_fits_and_zarr(sensor, found, tmp_path):
    lights = sensor.lights(1)
    (path,) = aw.to_fits(found, tmp_path / "defects.fits")
    stored = aw.to_zarr(found, tmp_path / "n.zarr", group="masters/defects")
    xr.testing.assert_identical(stored.compute(), found)
    frames = [
        aw.calibrate(lights, masks=masks, camera=sensor.camera())["mask"]
        for masks in (found, aw.open_fits(path), stored)
    ]
    np.testing.assert_array_equal(frames[0], frames[1])
    np.testing.assert_array_equal(frames[0], frames[2])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({}, aw.CalibrationError, "there are no frames; give darks"),
        ({"flats": unlit(quiet(), "flat")}, aw.CalibrationError, "hold the bias.*give biases"),
        (
            {"darks": unlit(quiet()), "biases": unlit(quiet(shape=(20, 22)), "bias")},
            aw.ImageMismatchError,
            "the dark frames are of 20 along 'y'.*24 along 'x'.*22 along 'x'.*one area",
        ),
    ],
)
def test_what_does_not_go_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        defects(**given)


def test_frames_of_two_gain_settings_are_refused():
    darks = unlit(quiet()).assign_coords(gain_setting=("frame", [0.0, 0, 0, 1, 1, 1]))
    with pytest.raises(aw.ImageMismatchError, match="several gain settings"):
        defects(darks=darks)
