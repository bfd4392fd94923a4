"""Masters of other programs come to the scale of the frames where their headers state how."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.errors import AutowispWarning
from tests.steps.frames import frame_set

RNG = np.random.default_rng(5)
NOISE = RNG.normal(0, 2, (20, 28))
CAMERA = aw.Camera(gain=2.0, read_noise=6.0)


@pytest.fixture
def opened(tmp_path):
    def open_one(kind, image, **cards):
        header = fits.Header({"IMAGETYP": f"Master {kind}", "EXPTIME": 60.0} | cards)
        path = tmp_path / f"{kind}.fits"
        fits.PrimaryHDU(np.asarray(image), header).writeto(path, overwrite=True)
        return aw.open_fits(path)

    return open_one


def frames(**cards):
    ds = frame_set(np.full((1, 1, 20, 28), 1600, "u2"), camera=CAMERA)
    text = "\n".join(str(card) for card in fits.Header(cards).cards)
    return ds.assign_coords(header=("frame", np.array([text], dtype=np.dtypes.StringDType())))


@pytest.mark.parametrize("level", [0.35, 25_000.0])
@pytest.mark.parametrize("unit", [{}, {"BUNIT": "adu"}])
def test_a_flat_of_any_level_is_brought_to_a_mean_of_one(opened, level, unit):
    response = 1 + NOISE / 100
    flat = opened("flat", (level * response).astype("f4"), **unit)
    with pytest.warns(AutowispWarning, match=r"flat\.fits: it is divided by its mean"):
        result = aw.divide_flat(frames(), flat)
    np.testing.assert_allclose(result["image"][0, 0], 1600 * response.mean() / response, rtol=1e-5)


@pytest.mark.parametrize(
    ("cards", "stated"),
    [({}, False), ({"CALSTAT": "BD"}, True), ({"HISTORY": "Bias subtraction was made"}, True)],
)
def test_a_flat_that_may_hold_its_bias_as_a_raw_frame_does_is_warned_of(opened, cards, stated):
    flat = opened("flat", (26_000 + NOISE).astype("u2"), **cards)
    with pytest.warns(AutowispWarning, match="it is divided by its mean") as caught:
        aw.divide_flat(frames(), flat)
    line = str(caught[0].message)
    assert ("nobody states whether the bias was subtracted from it" in line) != stated


@pytest.mark.parametrize(
    ("image", "cards", "reason"),
    [
        (NOISE, {}, "that is no flat"),
        (25_000 + NOISE, {"CALSTAT": "D"}, r"holds the bias \(CALSTAT = 'D'\)"),
    ],
)
def test_what_is_plainly_no_flat_is_refused(opened, image, cards, reason):
    with pytest.raises(aw.MasterMismatchError, match=reason):
        aw.divide_flat(frames(), opened("flat", image, **cards))


@pytest.mark.parametrize("pedestal", [-100, 100.0])
def test_the_pedestal_of_a_master_is_taken_off(opened, pedestal):
    bias = opened("bias", 1100 + NOISE, PEDESTAL=pedestal)
    dark = opened("dark", 200 - NOISE, CALSTAT="BM", PEDESTAL=pedestal)
    with pytest.warns(AutowispWarning, match=r"-100 is added to it, as PEDESTAL = -?100 states"):
        result = aw.calibrate(frames(), bias=bias, dark=dark)
    np.testing.assert_allclose(result["image"], 500.0, rtol=1e-6)


def test_frames_of_the_same_pedestal_have_it_in_their_bias(opened):
    raw = frames(PEDESTAL=-100)
    bias = opened("bias", 1100 + NOISE, PEDESTAL=-100)
    np.testing.assert_allclose(aw.calibrate(raw, bias=bias)["image"], 500 - NOISE[None, None])
    dark = opened("dark", 1200 + NOISE, ZEROCOR="no", PEDESTAL=-100)
    result = aw.calibrate(raw, bias=bias, dark=dark)
    np.testing.assert_allclose(result["image"], 400 - NOISE[None, None], rtol=1e-6)


def test_electrons_become_adu_by_the_gain_that_the_master_states(opened):
    image = 1000.0 + NOISE
    bias = opened("bias", 2 * image, BUNIT="electron", EGAIN=2.0)
    with pytest.warns(AutowispWarning, match="electron become adu by the gain of its header, 2 e"):
        result = aw.subtract_bias(frames(), bias)
    np.testing.assert_allclose(result["image"][0, 0], 600 - NOISE, rtol=1e-6)
    with pytest.warns(AutowispWarning, match="by the gain of the camera, 2 e/ADU"):
        aw.subtract_bias(frames(), opened("bias", 2 * image, BUNIT="e-"))
    with pytest.raises(aw.MasterMismatchError, match=r"gain of 1\.5 e/ADU.*one of 2 e/ADU"):
        aw.subtract_bias(frames(), opened("bias", image, BUNIT="electron", EGAIN=1.5))
    unknown = frames().assign_attrs(camera=aw.Camera().to_json())
    with pytest.raises(aw.MasterMismatchError, match="the gain is not known: give EGAIN"):
        aw.subtract_bias(unknown, opened("bias", image, BUNIT="electron"))


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_floats_from_0_to_1_are_refused_beside_counts(opened, kind):
    given = {kind: opened(kind, (1000 + NOISE) / 65535, ZEROCOR="no")}
    with pytest.raises(aw.MasterMismatchError, match=r"fits is in floats from 0 to 1.*65535"):
        aw.calibrate(frames(), **given)


def test_a_rate_is_no_dark(opened):
    dark = opened("dark", 2 + NOISE, BUNIT="adu/s", CALSTAT="B")
    with pytest.raises(aw.MasterMismatchError, match="in units of 'adu/s'"):
        aw.calibrate(frames(), bias=opened("bias", 1000 + NOISE), dark=dark)


def test_masters_of_this_package_are_left_as_they_are(tmp_path):
    flats = frame_set(RNG.normal(20_000, 50, (3, 1, 20, 28)), camera=CAMERA, kind="flat")
    flat = aw.master_flat(flats.drop_vars("filter"), camera=CAMERA).high
    back = aw.open_fits(aw.to_fits(flat, tmp_path / "flat.fits"))
    aw.divide_flat(frames(), back.assign(image=back["image"] * 3))


@pytest.mark.parametrize(
    ("kind", "written", "stated"),
    [("bias", "Dark", "dark"), ("dark", "Flat", "flat"), ("flat", "Light", "object")],
)
def test_a_master_of_another_type_is_refused_with_its_file_and_card(opened, kind, written, stated):
    other = opened(written, 500 + NOISE)
    name = rf"master {kind} \S+{written}.fits"
    reason = rf"{name} is of the type '{stated}' \(IMAGETYP = 'Master {written}'\); give the master"
    with pytest.raises(aw.MasterMismatchError, match=reason):
        aw.calibrate(frames(), **{kind: other})
    allowed = aw.calibrate(frames(), bias=opened("Dark", 500 + NOISE), allow_mismatch="image_type")
    np.testing.assert_allclose(allowed["image"].values[0, 0], 1100 - NOISE, rtol=1e-5)


def test_what_states_no_type_or_that_of_darks_of_flats_is_taken(opened):
    for written in ("Dark Flat", "thing"):
        with pytest.warns(AutowispWarning, match="nobody states"):
            aw.calibrate(frames(), dark=opened(written, 500 + NOISE))
