import inspect

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from autowisp_xr import provenance, schema
from autowisp_xr.errors import CalibrationError
from autowisp_xr.flags import Flag
from autowisp_xr.headers import cards
from autowisp_xr.regions import Region
from autowisp_xr.simulate import KINDS, Night, shots
from autowisp_xr.testing import assert_frames_equal

SMALL = {"shape": (40, 60), "overscan": 8}


def method(night, kind):
    return getattr(night, "objects" if kind == "object" else kind)


def trimmed(night, raw):
    """Image area with the pedestal of its overscan subtracted, in ADU."""
    width = night.shape[1]
    pedestal = raw["image"].sel(x=slice(width, None)).mean(("channel", "y", "x"))
    return raw["image"].sel(x=slice(None, width - 1)) - pedestal


@pytest.mark.parametrize("channels", [None, "GRBG"])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_follow_the_data_model(kind, channels):
    night = Night(**SMALL, channels=channels)
    raw = method(night, kind)(3)
    schema.check(raw)
    assert schema.is_raw(raw)
    assert raw["image"].dtype == np.uint16
    assert schema.camera_of(raw) == night.camera
    assert raw["frame"].values.tolist() == [f"{kind}-000{k}" for k in (1, 2, 3)]
    assert raw["image_type"].values.tolist() == [kind] * 3
    assert raw["time"].dtype == "datetime64[ns]"
    assert (np.diff(raw["time"].values) > np.timedelta64(0, "ns")).all()
    for name in ("filter", "object", "path", "header"):
        assert raw[name].dtype == np.dtypes.StringDType()
    columns = 68 if channels is None else 34
    assert raw.sizes["x"] == columns
    assert raw["x"].values[-1] == (67 if channels is None else 66)


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_states_what_the_coordinates_state(kind):
    raw = method(Night(**SMALL, gain_setting=120.0, channels="RGGB"), kind)(2)
    for k in range(2):
        header = cards.parse_header(str(raw["header"].values[k]))
        start = np.datetime64(header["DATE-OBS"], "ns")
        half = np.timedelta64(round(header["EXPTIME"] * 5e8), "ns")
        assert start + half == raw["time"].values[k]
        assert header["EXPTIME"] == raw["exposure"].values[k]
        assert header["CCD-TEMP"] == raw["temperature"].values[k]
        assert header["GAIN"] == raw["gain_setting"].values[k] == 120
        assert header["BAYERPAT"] == "RGGB"
        assert header.get("FILTER", "") == raw["filter"].values[k]
        assert header.get("OBJECT", "") == raw["object"].values[k]
        np.testing.assert_equal(header.get("RA", np.nan), raw["ra"].values[k])
        np.testing.assert_equal(header.get("DEC", np.nan), raw["dec"].values[k])
        assert "EGAIN" not in header


def test_the_camera_knows_the_digitisation_but_not_the_pedestal():
    camera = Night(**SMALL, gain=3.0, read_noise=4.0).camera
    assert camera.read_noise == pytest.approx(np.sqrt(16 + 9 / 12))
    assert camera.bias_level == 0
    assert camera.image_area == Region(xmin=0, xmax=60, ymin=0, ymax=40)
    assert camera.overscan == (Region(xmin=60, xmax=68, ymin=0, ymax=40),)
    assert Night(shape=(40, 60), overscan=0).camera.overscan == ()


@pytest.mark.parametrize("kind", KINDS)
def test_frames_depend_on_their_number_and_options_alone(kind):
    many, few = method(Night(**SMALL), kind)(4), method(Night(**SMALL), kind)(2, start=2)
    np.testing.assert_array_equal(many["image"][1:3], few["image"])
    assert not np.array_equal(many["image"][0], many["image"][1])
    assert not np.array_equal(many["image"], method(Night(**SMALL, seed=2), kind)(4)["image"])
    again = method(Night(**SMALL), kind)(4)
    assert_frames_equal(again, many)
    assert provenance.identity(again) == provenance.identity(many)


def test_other_options_are_other_noise():
    night = Night(**SMALL)
    first, second = (night.objects(1, filter=name)["image"].values.ravel() for name in "VR")
    ideal = night.truth("object", 1)
    good = (ideal["mask"].values == 0).ravel()
    light = (ideal["electrons"] / night.gain).values.ravel()[good]
    inside = np.tile(np.arange(68) < 60, 40)
    r = np.corrcoef(first[inside][good] - light, second[inside][good] - light)[0, 1]
    # the bias structure, 2 ADU of 45, is what they share
    assert abs(r) < 0.08


def test_identities_distinguish_kinds_and_options():
    night = Night(**SMALL)
    sets = [
        night.bias(2),
        night.dark(2),
        night.dark(2, exposure=30),
        night.flat(2),
        night.flat(2, clouds={1: 0.2}),
        night.objects(2),
        night.objects(2, start=3),
        Night(**SMALL, seed=2).bias(2),
    ]
    assert len({provenance.identity(ds) for ds in sets}) == len(sets)


def test_the_methods_and_the_truth_have_the_same_defaults():
    for kind in KINDS:
        ours = inspect.signature(method(Night(**SMALL), kind)).parameters
        theirs = inspect.signature(shots._TAKERS[kind]).parameters
        assert {n: p.default for n, p in ours.items() if n != "split"} == {
            n: p.default for n, p in theirs.items()
        }


def test_bias_frames_have_the_structure_the_jitter_and_the_read_noise():
    night = Night(shape=(64, 96), read_noise=6.0, bias_jitter=3.0, bias_structure_rms=4.0)
    raw = night.bias(200)
    area = trimmed(night, raw)
    noise = night.camera.read_noise / night.gain
    residual = area.mean("frame") - night.bias_structure
    error = noise / np.sqrt(200) * np.sqrt(1 + 96 / 32 / 96)
    assert float(residual.std()) == pytest.approx(error, rel=0.05)
    assert abs(float(residual.mean())) < 0.05
    assert float(area.std("frame", ddof=1).mean()) == pytest.approx(noise, rel=0.01)
    pedestal = raw["image"].sel(x=slice(96, None)).mean(("channel", "y", "x"))
    assert float(pedestal.std(ddof=1)) == pytest.approx(3.0, rel=0.2)
    assert float(pedestal.mean()) == pytest.approx(1000, abs=4 * 3 / np.sqrt(200))
    assert abs(float(night.bias_structure.mean())) < 1e-9
    assert float(night.bias_structure.std()) > 4
    np.testing.assert_array_equal(night.truth("bias", 1)["image"][0], night.bias_structure)


def test_darks_grow_with_exposure_and_hot_pixels_are_known():
    night = Night(shape=(64, 96), cosmic_rays=0, hot_pixels=0.02)
    assert float(night.hot.mean()) == pytest.approx(0.02, abs=0.006)
    assert float(night.dark_rate.where(night.hot).min()) >= 10
    assert float(night.dark_rate.where(~night.hot).mean()) == pytest.approx(0.5, rel=0.01)
    for exposure in (30.0, 120.0):
        truth = night.truth("dark", 40, exposure=exposure)
        area = trimmed(night, night.dark(40, exposure=exposure)) - night.bias_structure
        residual = (area - truth["image"]).mean("frame")
        variance = (truth["electrons"][0] + night.camera.read_noise**2) / night.gain**2 / 40
        pulls = residual / np.sqrt(variance)
        assert float(pulls.std()) == pytest.approx(1, abs=0.04)
        assert abs(float(pulls.mean())) < 0.1
        np.testing.assert_allclose(truth["image"][0], night.dark_rate * exposure / night.gain)


@pytest.mark.parametrize("channels", [None, "RGGB"])
@pytest.mark.parametrize("kind", ["flat", "object"])
def test_light_follows_the_photon_transfer(kind, channels):
    night = Night(shape=(80, 120), channels=channels, gain=2.2, full_well=120_000.0)
    truth = night.truth(kind, 6)
    area = trimmed(night, method(night, kind)(6)) - night.bias_structure
    expected = truth["electrons"] / night.gain
    variance = (truth["electrons"] + night.camera.read_noise**2) / night.gain**2
    good = truth["mask"] == 0
    assert 0.95 < float(good.mean()) < 1
    pulls = ((area - expected) / np.sqrt(variance)).values[good.values]
    assert pulls.std() == pytest.approx(1, abs=0.015)
    assert abs(pulls.mean()) < 0.02
    assert stats.kstest(pulls[::7], "norm").pvalue > 1e-3


def test_object_truth_is_what_a_perfect_calibration_gives():
    night = Night(shape=(40, 60), channels="RGGB")
    truth = night.truth("object", 1, exposure=30.0, stars=5)
    light = 30.0 * night.scene(stars=5)
    flat = night.response / night.mean_response
    charge = truth["electrons"][0] - 30.0 * night.dark_rate
    np.testing.assert_allclose(charge / night.gain / flat, truth["image"][0])
    np.testing.assert_allclose(light * night.mean_response / night.gain, truth["image"][0])
    assert list(night.mean_response["channel"].values) == ["R", "G1", "G2", "B"]
    assert float(night.mean_response.max() - night.mean_response.min()) > 0.1


def test_flat_levels_clouds_gradient_and_pointings():
    night = Night(**SMALL)
    levels = [5000.0, 20_000.0, 30_000.0]
    truth = night.truth("flat", 3, level=levels, clouds={1: 0.4})
    means = truth["image"].mean(("channel", "y", "x")).values
    np.testing.assert_allclose(means[[0, 2]], [5000, 30_000])
    attenuation = truth["image"][1] / truth["image"][0] / 4
    assert float(attenuation.min()) == pytest.approx(0.6)
    assert float(attenuation.max()) == pytest.approx(1)
    raw = night.flat(3, level=levels, clouds={1: 0.4})
    assert float(trimmed(night, raw)[2].mean()) == pytest.approx(30_000, rel=0.01)
    sloped = night.truth("flat", 1, gradient=0.1)["image"] / night.truth("flat", 1)["image"]
    np.testing.assert_allclose([sloped[0, 0, 0, 0], sloped[0, 0, -1, 0]], [0.95, 1.05])
    assert (np.diff(night.flat(3)["ra"].values) > 0.05).all()
    placed = night.flat(2, pointings=[(10.0, 1.0), (10.0, 2.0)])
    assert placed["dec"].values.tolist() == [1, 2]


def test_unstable_pixels_jump_from_frame_to_frame_and_are_known():
    night = Night(**SMALL, unstable_pixels=0.05, hot_pixels=0, dark_current=0, cosmic_rays=0)
    darks = trimmed(night, night.dark(40, exposure=100)) * night.gain
    spread = (darks - night.bias_structure * night.gain).std("frame")
    assert night.unstable.mean() == pytest.approx(0.05, abs=0.01)
    # half of at least a hundred electrons
    assert (spread.where(night.unstable) > 40).sum() == night.unstable.sum()
    assert float(spread.where(~night.unstable).max()) < 20
    quiet = Night(**SMALL, hot_pixels=0, dark_current=0, cosmic_rays=0)
    calm = trimmed(quiet, quiet.dark(40, exposure=100)) * night.gain
    xr.testing.assert_equal(calm.where(~night.unstable), darks.where(~night.unstable))


def test_dead_pixels_and_bad_columns_have_less_response():
    night = Night(**SMALL, dead_pixels=0.02, bad_columns=2, vignetting=0)
    assert night.response.where(night.dead).max() < 0.06
    assert night.response.where(~night.dead).min() > 0.9
    assert int(night.dead.all("y").sum()) == 2
    alone = Night(**SMALL, dead_pixels=0.02).dead
    assert float(alone.mean()) == pytest.approx(0.02, abs=0.01)


def test_the_response_bends_so_that_a_full_pixel_shows_less():
    night = Night(**SMALL, bend=0.1, cosmic_rays=0, vignetting=0, full_well=60_000.0)
    flats = trimmed(night, night.flat(1, level=20_000, exposure=0)).mean() * night.gain
    assert float(flats) == pytest.approx(30_000 * (1 - 0.1 * 30_000 / 60_000), rel=2e-3)
    full = trimmed(night, night.flat(1, level=100_000, exposure=0)) * night.gain
    assert float(full.median()) == pytest.approx(54_000, rel=1e-3)
    assert night.camera.saturation == 1000 + 0.95 * 54_000 / 1.5


def test_the_dark_current_doubles_where_it_knows_the_temperature():
    rates = [
        float(Night(**SMALL, doubling=doubling, temperature=-4.0).dark_rate.mean())
        for doubling in (None, 6.0, 3.0)
    ]
    assert rates[1:] == [2 * rates[0], 4 * rates[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_mosaic_holds_the_same_pixels_as_the_planes(kind):
    night = Night(**SMALL, channels="GRBG")
    planes, mosaic = method(night, kind)(2), method(night, kind)(2, split=False)
    schema.check(mosaic)
    assert mosaic["channel"].values.tolist() == ["mono"]
    for channel, c in zip(planes["channel"].values, schema.channel_slices(planes), strict=True):
        rows, columns = planes["y"] + c.y_offset, planes["x"] + c.x_offset
        expected = mosaic["image"].sel(channel="mono", y=rows.values, x=columns.values)
        np.testing.assert_array_equal(planes["image"].sel(channel=channel), expected)
    truth = night.truth(kind, 2, split=False)
    g1 = night.truth(kind, 2)["mask"].sel(channel="G1")
    np.testing.assert_array_equal(g1, truth["mask"][:, 0, ::2, ::2])


def test_default_scenes_are_bright_and_a_few_stars_saturate():
    for channels in (None, "RGGB"):
        truth = Night(channels=channels, shape=(256, 256)).truth("object", 1)
        assert float((truth["electrons"] > 1000).mean()) > 0.95
        saturated = (truth["mask"] & Flag.OVERSATURATED) > 0
        assert 5 < int(saturated.sum()) < 400


@pytest.mark.parametrize("directions", [((0, 1), (0, -1)), ((1, 0),), ((2, -1), (-1, 0))])
def test_full_pixels_leak_into_flagged_neighbours(directions):
    night = Night(shape=(60, 90), leak_directions=directions, cosmic_rays=0, hot_pixels=0)
    mask = night.truth("object", 2)["mask"].values[:, 0]
    full, leaked = (mask & Flag.OVERSATURATED) > 0, (mask & Flag.LEAKED) > 0
    assert full.any()
    assert leaked.any()
    near = np.zeros_like(full)
    height, width = night.shape
    for dx, dy in directions:
        for frame, y, x in np.argwhere(full):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                near[frame, y + dy, x + dx] = True
    assert (near | ~leaked).all()
    # what calibration may know finds all of them
    raw = night.objects(2)["image"].values[:, 0, :, :width]
    assert (raw[full] > night.camera.saturation).all()


def test_charge_that_spills_is_not_lost():
    night = Night(shape=(100, 60), cosmic_rays=0, hot_pixels=0, vignetting=0, seed=5)
    truth = night.truth("object", 1, stars=3)
    total = trimmed(night, night.objects(1, stars=3))
    mask = truth["mask"].values
    edge = np.zeros_like(mask)
    edge[..., [0, -1], :] = 1
    assert not (mask * edge).any()
    excess = float(total.sum() - (truth["electrons"] / night.gain).sum())
    noise = np.sqrt(float(truth["electrons"].sum())) / night.gain
    shared = night.camera.read_noise / night.gain / np.sqrt(3200) * 6000
    assert abs(excess) < 5 * np.hypot(noise, shared)


def test_without_directions_the_excess_is_drained():
    night = Night(**SMALL, leak_directions=(), cosmic_rays=0)
    mask = night.truth("object", 1)["mask"]
    assert ((mask & Flag.OVERSATURATED) > 0).any()
    assert not ((mask & Flag.LEAKED) > 0).any()


def test_cosmic_rays_are_where_the_truth_states():
    night = Night(shape=(80, 120), cosmic_rays=30, hot_pixels=0)
    truth = night.truth("dark", 4)
    area = trimmed(night, night.dark(4)) - night.bias_structure - truth["image"]
    hit = (truth["mask"] & Flag.COSMIC) > 0
    assert float(area.where(hit).min()) > 250
    assert float(area.where(~hit).max()) < 60
    assert all(int(n) > 0 for n in hit.sum(("channel", "y", "x")))
    assert not night.truth("bias", 2)["mask"].any()


def test_the_converter_saturates_too():
    night = Night(**SMALL, gain=1.0, full_well=200_000.0, cosmic_rays=0)
    truth, raw = night.truth("flat", 1, level=70_000), night.flat(1, level=70_000)
    full = raw["image"][0, 0, :, :60].values == 65535
    assert full.any()
    np.testing.assert_array_equal((truth["mask"][0, 0].values & 16) > 0, full)
    assert night.camera.saturation < 65535


def test_truth_aligns_with_the_image_area():
    night = Night(**SMALL, channels="RGGB")
    raw, truth = night.objects(2), night.truth("object", 2)
    cut = raw.sel(x=slice(0, 59))
    for name in ("frame", "channel", "y", "x", "time", "header"):
        assert cut[name].equals(truth[name])
    assert night.response.sizes == {"channel": 4, "y": 20, "x": 30}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Night(shape=(41, 60), channels="RGGB"), "even numbers"),
        (lambda: Night(shape=(0, 60)), "cannot be"),
        (lambda: Night(gain=0), "gain must be"),
        (lambda: Night(full_well=0), "full_well"),
        (lambda: Night().bias(0), "0 frames"),
        (lambda: Night().truth("light", 1), "the kinds are bias, dark, flat, object"),
        (lambda: Night().dark(2, exposure=[1, 2, 3]), "exposure is one number"),
        (lambda: Night().flat(2, clouds={2: 0.1}), "from 0 to 1"),
        (lambda: Night().flat(2, pointings=[(0, 0)]), "1 pointings"),
    ],
)
def test_what_cannot_be_is_refused(call, text):
    with pytest.raises(CalibrationError, match=text):
        call()
