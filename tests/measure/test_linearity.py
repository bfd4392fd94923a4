"""``aw.measure.linearity``: against known curves, on hard flats, on a real ladder."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import AutowispWarning, Camera, Flag
from autowisp_xr.measure import linearity, with_linearity
from autowisp_xr.testing import assert_frames_equal
from tests.measure.bent_sensor import LADDER, BentSensor
from tests.measure.flats_and_biases import alike
from tests.sensors import Sensor
from tests.steps.frames import frame_set, text

TRUTH = (1.5e-6, 2e-11)


def quiet(*arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutowispWarning)
        return linearity(*arguments, **options)


def curve(measured):
    return with_linearity(Camera(), measured).linearity


def off(found, sensor, top):
    """By how much signals made linear differ from their light, up to one factor."""
    signal = np.linspace(1000, top, 50)
    ratio = found.linear(signal) / sensor.polynomial(signal)
    return np.ptp(ratio) / np.median(ratio)


def pull(measured, truth=TRUTH):
    """The distance of the coefficients from the truth, in their uncertainties, all together."""
    far = measured["coefficients"].values[0] - truth
    return far @ np.linalg.solve(measured["covariance"].values[0], far)


# ---------------------------------------------------------------------- against known curves


def test_levels_without_noise_give_the_curve_to_the_last_digits():
    exposures = np.array([5.0, 1, 2, 5, 10, 20, 5, 30])
    signal = np.linspace(0, 60_000, 100_001)
    light = np.polynomial.Polynomial([0, 1, *TRUTH])(signal)
    levels = np.interp(1000 * (exposures + 0.1), light, signal)
    flats = frame_set(
        np.broadcast_to(levels[:, None, None, None] + 100, (8, 1, 16, 24)),
        kind="flat",
        exposure=exposures,
        camera=Camera(bias_level=100.0),
    )
    measured = linearity(flats)
    np.testing.assert_allclose(measured["coefficients"].values[0], TRUTH, rtol=1e-3)
    assert measured["exposure_offset"].item() == pytest.approx(0.1, rel=1e-4)
    assert measured["limit"].item() == pytest.approx(levels.max())
    assert abs(measured["residual"].values).max() < 1e-6
    bend = TRUTH[0] * levels.max() + TRUTH[1] * levels.max() ** 2
    assert measured["bend"].item() == pytest.approx(bend, rel=1e-3)
    assert np.isnan(measured["full_well"].item())


def test_coefficients_lie_within_their_uncertainties_and_frames_are_corrected_to_a_thousandth():
    chi2 = []
    for seed in range(12):
        sensor = BentSensor(seed)
        flicker = 1 + 3e-4 * sensor.rng.normal(size=len(LADDER))
        measured = linearity(sensor.flats(shutter=0.02, lamp=flicker), lamp="steady")
        chi2.append(pull(measured))
        assert off(curve(measured), sensor, 36_000) < 2e-3
    # twelve times two degrees of freedom
    assert 8 < np.sum(chi2) < 48
    sensor = BentSensor(99, (256, 256))
    measured = linearity(sensor.flats(shutter=0.02), lamp="steady")
    assert off(curve(measured), sensor, 36_000) < 5e-4


def test_a_lamp_that_drifts_is_followed_by_an_exposure_that_is_repeated():
    sensor = BentSensor(3)
    drift = 1 + 0.05 * np.linspace(0, 1, len(LADDER))
    measured = linearity(sensor.flats(lamp=drift))
    assert aw.provenance.history(measured)[-1]["options"]["lamp"] == "bracketed"
    assert off(curve(measured), sensor, 36_000) < 1e-3
    with pytest.raises(aw.CalibrationError, match=r"off what is expected of it by 1\.. %"):
        linearity(sensor.flats(lamp=drift), lamp="steady")


def test_pairs_of_two_exposures_have_one_lamp_each():
    sensor = BentSensor(4)
    exposures = np.tile([1.0, 2.0], 8)
    lamp = np.repeat([1, 2, 4, 8, 12, 15, 18, 6], 2)
    measured = linearity(sensor.flats(exposures, lamp=lamp), lamp="pairs")
    assert off(curve(measured), sensor, 34_000) < 2e-3
    with pytest.raises(aw.CalibrationError, match="they are no pairs of two exposures each"):
        linearity(sensor.flats(exposures[:-1], lamp=lamp[:-1]), lamp="pairs")


def test_flats_lit_unevenly_need_no_lamp():
    sensor = BentSensor(5, (96, 128), uneven=0.7)
    lamp = sensor.rng.uniform(0.8, 1.2, len(LADDER))
    measured = linearity(sensor.flats(lamp=lamp))
    assert aw.provenance.history(measured)[-1]["options"]["lamp"] == "unknown"
    assert off(curve(measured), sensor, 34_000) < 3e-3
    assert pull(measured) < 12


@pytest.mark.parametrize("bend", [0.03, -0.02])
def test_signals_that_bend_otherwise_are_made_linear_to_a_thousandth(bend):
    sensor = Sensor(shape=(120, 160), bend=bend, hot=0.001, seed=3)
    exposures = np.array([10.0, 1, 2, 5, 10, 20, 30, 40, 10, 50, 60, 10])
    flats = sensor.flats(12, level=1000 * exposures, exposure=exposures)
    known = curve(linearity(flats, bias=sensor.biases(5), lamp="steady"))
    electrons = np.linspace(2000, 58_000, 40)
    collected = electrons - bend * electrons**2 / sensor.full_well
    ratio = known.linear(collected / sensor.gain) / electrons
    assert np.ptp(ratio) / np.median(ratio) < 1e-3


# ---------------------------------------------------------------------- hard flats


def test_the_range_ends_where_pixels_stop_and_the_full_well_is_found():
    sensor = BentSensor(6, full_well=33_000)
    measured = linearity(sensor.flats((*LADDER, 50.0)), lamp="steady")
    assert 28_000 < measured["limit"].item() < 33_000
    assert measured["full_well"].item() == pytest.approx(33_000, rel=0.01)
    assert off(curve(measured), sensor, 30_000) < 1e-3
    used = measured["used"].values[0]
    assert set(measured["exposure"].values[~used]) == {35.0, 40.0, 50.0}
    assert set(measured["reason"].values[~used]) == {"not on the curve"}


def test_the_saturation_of_the_camera_takes_no_part():
    sensor = BentSensor(6)
    flats = sensor.flats()
    camera = replace(aw.schema.camera_of(flats), saturation=30_000)
    measured = linearity(flats, camera=camera)
    assert measured["limit"].item() < 30_000
    assert set(measured["reason"].values) == {"", "saturated"}


@pytest.mark.parametrize("lamp", ["steady", "bracketed"])
def test_one_bad_flat_is_left_out_and_named(lamp):
    sensor = BentSensor(7)
    light = np.ones(len(LADDER))
    light[6] = 0.9
    with pytest.warns(AutowispWarning, match="flat-6 is off the curve .* was left out"):
        measured = linearity(sensor.flats(lamp=light), lamp=lamp)
    assert off(curve(measured), sensor, 36_000) < 1e-3
    assert set(measured["flat"].values[~measured["used"].values[0]]) == {"flat-6"}


def test_masked_and_lost_pixels_and_cosmic_rays_take_no_part():
    sensor = BentSensor(8)
    flats = sensor.flats()
    image = flats["image"].values.astype(np.float64)
    clean = linearity(flats.assign(image=flats["image"].astype(np.float64)))
    mask = np.zeros(image.shape, np.uint8)
    spots = sensor.rng.random(image.shape[2:]) < 0.02
    mask[:, :, spots] = Flag.HOT
    image[:, :, spots] = 60_000
    image[:, :, 5, 7] = np.nan
    rays = sensor.rng.random(image.shape) < 0.002
    image[rays] += 20_000
    hurt = flats.assign(image=(flats["image"].dims, image, flats["image"].attrs))
    measured = linearity(hurt.assign(mask=(flats["image"].dims, mask)))
    far = np.sqrt(np.diagonal(clean["covariance"].values[0]))
    moved = measured["coefficients"].values[0] - clean["coefficients"].values[0]
    assert (abs(moved) < 2 * far).all()


def test_channels_have_their_own_curves():
    one, other = BentSensor(9), BentSensor(10, coefficients=(4e-6, 0.0))
    raws = [sensor.flats()["image"].values for sensor in (one, other)]
    names = {"A": (slice(0, None), slice(0, None, 2)), "B": (slice(0, None), slice(1, None, 2))}
    camera = Camera(channels=names, bias_level=500.0)
    flats = frame_set(np.concatenate(raws, axis=1), camera=camera, kind="flat", exposure=LADDER)
    known = with_linearity(camera, linearity(flats, lamp="steady"))
    assert off(known.linearity["A"], one, 36_000) < 1e-3
    assert off(known.linearity["B"], other, 34_000) < 1e-3
    assert Camera.from_json(known.to_json()) == known


def test_amplifiers_are_measured_one_by_one():
    one, other = BentSensor(9), BentSensor(10, coefficients=(4e-6, 0.0))
    raws = [sensor.flats()["image"].values for sensor in (one, other)]
    camera = Camera(amplifiers=["[1:96,1:64]", "[97:192,1:64]"], bias_level=500.0)
    flats = frame_set(np.concatenate(raws, axis=3), camera=camera, kind="flat", exposure=LADDER)
    measured = [linearity(flats, camera=camera.of_amplifier(n), lamp="steady") for n in (0, 1)]
    known = with_linearity(camera, measured)
    assert off(known.amplifiers[0].linearity, one, 36_000) < 1e-3
    assert off(known.amplifiers[1].linearity, other, 34_000) < 1e-3
    assert known.bends
    with pytest.raises(aw.CalibrationError, match="has 2 amplifiers, and 1 were measured"):
        with_linearity(camera, measured[:1])


# ---------------------------------------------------------------------- lazy, untouched


def test_lazy_flats_in_chunks_give_the_same_bits_and_stay_as_they_are():
    sensor = BentSensor(11)
    flats = sensor.flats()
    before = flats.copy(deep=True)
    measured = linearity(flats)
    assert_frames_equal(flats, before)
    alike(linearity(flats.chunk(frame=1, y=13, x=40)), measured)


def test_biases_give_the_level_as_master_or_raw():
    sensor = BentSensor(12)
    camera = Camera()
    flats = sensor.flats().assign_attrs(camera=camera.to_json())
    raw = np.stack([sensor.raw(np.zeros(sensor.response.shape)) for _ in range(5)])[:, None]
    biases = frame_set(raw, kind="bias", exposure=0.0, filter="", camera=camera)
    by_raw = linearity(flats, bias=biases, lamp="steady")
    by_master = linearity(flats, bias=aw.master_bias(biases, noise="if known"), lamp="steady")
    for measured in (by_raw, by_master):
        assert off(curve(measured), sensor, 36_000) < 1e-3
        assert "bias" in aw.provenance.history(measured)[-1]["masters"]


# ---------------------------------------------------------------------- refusals


def test_flats_of_which_nobody_knows_the_light_are_refused_with_the_remedy():
    sensor = BentSensor(13)
    lamp = sensor.rng.uniform(0.7, 1.3, len(LADDER))
    with pytest.raises(aw.CalibrationError) as caught:
        linearity(sensor.flats(lamp=lamp))
    message = str(caught.value)
    assert "steady lamp: " in message
    assert "unknown lamp: the flats are lit too evenly" in message
    assert "take flats of one lamp and filter at 7 levels and more" in message
    alone = sensor.flats(np.full(8, 5.0))
    with pytest.raises(aw.CalibrationError, match="are 1 in number, and 5 are needed"):
        linearity(alone)
    with pytest.raises(aw.CalibrationError, match="a factor of 4 is needed"):
        linearity(sensor.flats(np.linspace(10, 30, 8)), lamp="steady")
    nameless = sensor.flats().drop_vars("exposure")
    with pytest.raises(aw.CalibrationError, match="their exposures are not known"):
        linearity(nameless, lamp="steady")


def test_a_lamp_that_nobody_followed_is_a_warning():
    sensor = BentSensor(14)
    with pytest.warns(AutowispWarning, match="no exposure is repeated among the flats"):
        linearity(sensor.flats((1, 2, 4, 8, 12, 16, 24, 32)))


@pytest.mark.parametrize(("fades", "lamp"), [(0.0, "steady"), (0.03, "steady"), (0.1, "unknown")])
def test_zones_count_more_than_a_lamp_that_fades_in_step_with_the_exposures(fades, lamp):
    sensor = BentSensor(16, (96, 128), uneven=0.8)
    exposures = np.array([1.0, 2, 4, 8, 12, 16, 24, 32, 36])
    measured = linearity(sensor.flats(exposures, lamp=1 - fades * exposures / 36))
    assert aw.provenance.history(measured)[-1]["options"]["lamp"] == lamp
    assert off(curve(measured), sensor, 34_000) < 6e-3
    assert pull(measured) < 14


def test_frames_that_cannot_be_meant_are_refused():
    flats = BentSensor(15).flats()
    with pytest.raises(aw.CalibrationError, match="whose level is not known; give bias="):
        linearity(flats, camera=Camera())
    filters = text(*["V"] * 7, *["B"] * 7)
    with pytest.raises(aw.ImageMismatchError, match=r"several filters cannot make one curve"):
        linearity(flats.assign_coords(filter=("frame", filters)))
    gains = np.repeat([0.0, 100.0], 7)
    with pytest.raises(aw.ImageMismatchError, match="gain setting"):
        linearity(flats.assign_coords(gain_setting=("frame", gains)))
    kinds = text("bias", *["flat"] * 13)
    with pytest.raises(aw.ImageMismatchError, match="frames of the type bias"):
        linearity(flats.assign_coords(image_type=("frame", kinds)))
    with pytest.raises(aw.CalibrationError, match="have a variance, so they have been calibrated"):
        linearity(aw.calibrate(flats))
    with pytest.raises(ValueError, match="lamp is one of steady, bracketed, pairs, unknown"):
        linearity(flats, lamp="bright")
    with pytest.raises(ValueError, match="degree is a whole number from 2 on"):
        linearity(flats, degree=1)


# ---------------------------------------------------------------------- a real ladder


def test_on_a_real_ladder_of_a_lamp_that_flickers_the_zones_show_the_curve(real):
    files = real / "uw_st7_flat_ladder"
    flats = aw.open_fits(str(files / "Pencil*.FIT"))
    biases = aw.open_fits(str(files / "*BIAS.FIT"))
    measured = quiet(flats, bias=biases)
    assert aw.provenance.history(measured)[-1]["options"]["lamp"] == "unknown"
    assert abs(measured["bend"].item()) < 0.03
    assert 33_000 < measured["limit"].item() < 40_000
    assert measured["full_well"].item() == pytest.approx(49_000, rel=0.03)
    with pytest.raises(aw.CalibrationError, match=r"is off what is expected of it by .* %"):
        quiet(flats, bias=biases, lamp="steady")
