import re

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from tests.night.reducing import reduce


@pytest.fixture(scope="module")
def sky():
    return simulate.Night(shape=(128, 192), seed=5, gain=0.6, full_well=30_000)


@pytest.fixture
def silent(sky, tmp_path):
    """A night whose headers state nothing of gain and read noise."""
    for frames in (sky.bias(4), sky.dark(3), sky.flat(4), sky.objects(2)):
        for path in aw.to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits"):
            with fits.open(path, mode="update") as hdus:
                for card in ("EGAIN", "GAIN", "RDNOISE"):
                    hdus[0].header.remove(card, ignore_missing=True)
    return tmp_path / "raw"


def areas(sky, **known):
    camera = sky.camera
    return aw.Camera(
        image_area=camera.image_area,
        overscan=camera.overscan,
        saturation=camera.saturation,
        **known,
    )


def test_gain_and_read_noise_are_measured_where_nobody_states_them(silent, sky, tmp_path):
    summary = reduce(silent, tmp_path / "out", camera=areas(sky))
    assert summary.failed == {}
    note, line = summary.notes
    assert line.startswith("the camera: gain ")
    assert note.startswith("measured from 4 flats and 4 biases: gain 0.")
    science = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    camera = science.autowisp.camera
    assert abs(camera.gain / sky.camera.gain - 1) < 0.03
    assert abs(camera.read_noise / sky.camera.read_noise - 1) < 0.05
    written = tmp_path / "out" / "camera.toml"
    assert written.read_text().startswith("# measured from 4 flats")
    assert aw.Camera.from_toml(written).gain == camera.gain
    again = reduce(silent, tmp_path / "again", camera=aw.Camera.from_toml(written))
    assert not any("measured" in note for note in again.notes)
    same = aw.open_zarr(tmp_path / "again" / "night.zarr", group="calibrated/V_60s")
    np.testing.assert_array_equal(same["variance"].values, science["variance"].values)


@pytest.mark.parametrize(
    ("kind", "seconds", "measured"),
    [("DARKFLAT", 5.0, True), ("dark", 1.0, True), ("dark", 20.0, False)],
)
def test_dark_flats_and_short_darks_show_the_read_noise_where_there_are_no_biases(
    silent, sky, tmp_path, kind, seconds, measured
):
    for path in silent.glob("bias*"):
        path.unlink()
    for path in aw.to_fits(sky.dark(4, exposure=seconds, start=21), silent / "{RAWFNAME}.fits"):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["IMAGETYP"] = kind
            for card in ("EGAIN", "GAIN", "RDNOISE"):
                hdus[0].header.remove(card, ignore_missing=True)
    summary = reduce(silent, tmp_path / "out", camera=areas(sky))
    note = next(one for one in summary.notes if "measured" in one)
    if not measured:
        assert "could not be measured" in note
        return
    words = f"measured from 4 flats and 4 darks of {seconds:g} s for want of biases (their dark"
    assert note.startswith(words)
    camera = aw.Camera.from_toml(tmp_path / "out" / "camera.toml")
    assert abs(camera.gain / sky.camera.gain - 1) < 0.03
    assert abs(camera.read_noise / sky.camera.read_noise - 1) < 0.05
    assert f"reduce measures from 4 flats and 4 darks of {seconds:g} s" in str(
        aw.open_night(silent, camera=areas(sky)).attrs
    )


def test_what_the_user_states_is_not_overruled(silent, sky, tmp_path):
    summary = reduce(silent, tmp_path / "out", camera=areas(sky, gain=0.7))
    note, line = summary.notes
    assert line.startswith("the camera: gain ")
    assert "the gain 0.7 that is given is used" in note
    science = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    assert science.autowisp.camera.gain == 0.7
    read_noise_adu = sky.camera.read_noise / sky.camera.gain
    assert abs(science.autowisp.camera.read_noise / 0.7 / read_noise_adu - 1) < 0.05


@pytest.mark.parametrize(("gain", "doubtful"), [(0.4, True), (0.6, False)])
def test_what_the_user_states_is_doubted_where_frames_show_another(
    silent, sky, tmp_path, gain, doubtful
):
    known = areas(sky, gain=gain, read_noise=sky.camera.read_noise * gain / sky.camera.gain)
    summary = reduce(silent, tmp_path / "out", camera=known)
    doubts = [note for note in summary.notes if note.startswith("DOUBT")]
    assert bool(doubts) == doubtful
    if doubtful:
        assert "the gain of 0.4 e/ADU that is given differs from 0.6" in doubts[0]
        assert "without --gain" in doubts[0]
    science = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    assert science.autowisp.camera.gain == gain
    quiet = reduce(silent, tmp_path / "quiet", camera=known, checks=False)
    assert not any(note.startswith("DOUBT") for note in quiet.notes)


def test_a_gain_in_the_headers_is_reported_beside_the_measured_one(silent, sky, tmp_path):
    for path in silent.iterdir():
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["EGAIN"] = 0.9
    summary = reduce(silent, tmp_path / "out", camera=areas(sky))
    assert summary.notes[0].endswith("the header states EGAIN = 0.9")
    science = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    assert abs(science.autowisp.camera.gain / sky.camera.gain - 1) < 0.03


def test_where_it_cannot_be_measured_uncertainties_are_not_known_and_a_line_states_so(
    silent, sky, tmp_path
):
    for path in silent.glob("flat*"):
        path.unlink()
    summary = reduce(silent, tmp_path / "out", camera=areas(sky))
    assert [made.what for made in summary.made] == [
        "master bias",
        "master dark_60s",
        "calibrated V_60s",
    ]
    assert summary.failed == {}
    assert re.search("as short as the flats; there are 0 flats and 4 biases", summary.notes[0])
    assert "uncertainties of calibrated frames are not known (give --gain and" in summary.notes[0]
    science = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    assert np.isnan(science["variance"]).all()
    assert ((science["mask"].values & int(aw.Flag.FAULT)) == 0).all()
    camera = areas(sky, gain=0.6, read_noise=8.0)
    known = reduce(silent, tmp_path / "b", camera=camera)
    same = aw.open_zarr(tmp_path / "b" / "night.zarr", group=known.made[-1].group)
    np.testing.assert_array_equal(science["image"], same["image"])
    np.testing.assert_array_equal(science["mask"], same["mask"])
    bias = aw.open_zarr(tmp_path / "out" / "night.zarr", group="masters/bias")
    expected = (sky.camera.read_noise / sky.camera.gain) ** 2 / 4 * np.pi / 2
    assert 0.3 < float(bias["variance"].median()) / expected < 1.5


def test_each_colour_has_its_own(tmp_path):
    sky = simulate.Night(shape=(128, 192), channels="RGGB", seed=7, gain=0.8)
    for frames in (sky.bias(3, split=False), sky.flat(3, split=False), sky.objects(1, split=False)):
        for path in aw.to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits"):
            with fits.open(path, mode="update") as hdus:
                for card in ("EGAIN", "RDNOISE"):
                    hdus[0].header.remove(card, ignore_missing=True)
    summary = reduce(tmp_path / "raw", tmp_path / "out", camera=areas(sky, channels="RGGB"))
    assert summary.failed == {}
    science = aw.open_zarr(tmp_path / "out" / "night.zarr", group=summary.made[-1].group)
    gains = science.autowisp.camera.gain
    assert sorted(gains) == ["B", "G1", "G2", "R"]
    assert all(abs(gain / 0.8 - 1) < 0.1 for gain in gains.values())


def test_what_nobody_states_or_measures_is_that_of_the_model_and_the_header_states_so(tmp_path):
    rng = np.random.default_rng(5)
    for kind, light, seconds in (("bias", 0, 0.0), ("object", 400, 30.0)):
        for number in range(2):
            pixels = rng.poisson(light, (40, 50)) / 0.39 + rng.normal(1024, 20, (40, 50))
            cards = {"IMAGETYP": kind, "EXPTIME": seconds, "INSTRUME": "Canon EOS 40D"}
            cards |= {"ISOSPEED": 800, "DATE-OBS": f"2025-01-01T00:0{number}:00"}
            hdu = fits.PrimaryHDU(pixels.round().astype(np.uint16), fits.Header(cards))
            hdu.writeto(tmp_path / f"{kind}{number}.fits")
    summary = aw.night.reduce(tmp_path, tmp_path / "out")
    (line,) = (note for note in summary.notes if "camera library" in note)
    assert line.startswith("gain 0.39 e/ADU: nominal values of Canon EOS 40D")
    path = next((tmp_path / "out" / "calibrated").rglob("*.fits"))
    header = fits.getheader(path)
    assert header["EGAIN"] == 0.39
    assert "DOUBT: gain 0.39" in str(header["COMMENT"])
    # two biases measure the read noise by that gain
    camera = aw.Camera.from_json(
        aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/30s").attrs["camera"]
    )
    assert abs(camera.read_noise - 20 * 0.39) < 0.3
