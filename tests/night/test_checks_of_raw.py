"""A look at the frames of a night finds saturation, gain, read noise, and faults of biases."""

import re

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from tests.night.reducing import reduce

SHAPE = (96, 128)
GAIN, NOISE = 1.5, 6.0


@pytest.fixture
def expose(tmp_path):
    """A function that writes frames of a kind, and gives their folder."""
    rng = np.random.default_rng(6)
    folder = tmp_path / "raw"
    folder.mkdir()

    def write(kind, number=3, level=0.0, offset=200.0, becomes=lambda pixels: pixels, **cards):
        light = level * np.linspace(0.85, 1.0, SHAPE[1])
        for index in range(number):
            electrons = rng.poisson(np.broadcast_to(light * GAIN, SHAPE)) + rng.normal(
                0, NOISE, SHAPE
            )
            pixels = becomes(np.clip(np.rint(electrons / GAIN + offset), 0, 65535))
            start = len(list(folder.iterdir()))
            header = fits.Header(
                {
                    "IMAGETYP": kind,
                    "EXPTIME": 0.0 if kind == "bias" else 2.0,
                    "DATE-OBS": f"2024-03-05T01:{start:02d}:00",
                    **({} if kind == "bias" else {"FILTER": "V"}),
                    **cards,
                }
            )
            fits.writeto(folder / f"{kind}-{index}.fits", pixels.astype("u2"), header)
        return folder

    return write


def notes(folder, tmp_path, **known):
    summary = reduce(folder, tmp_path / "out", **known)
    return summary, "\n".join(summary.notes)


def test_where_frames_saturate_is_seen_used_and_written_down(expose, tmp_path):
    def cut(pixels):
        pixels = np.minimum(pixels, 4095)
        pixels[40:44, 50:55] = 4095
        return pixels

    expose("bias", EGAIN=GAIN, RDNOISE=NOISE)
    folder = expose("object", 2, 300.0, becomes=cut, EGAIN=GAIN, RDNOISE=NOISE)
    summary, text = notes(folder, tmp_path)
    assert re.search(r"saturates at 4095 ADU, where 0.163 % of the pixels of 2 of 2 frames", text)
    assert aw.Camera.from_toml(tmp_path / "out" / "camera.toml").saturation == 4095
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group=summary.made[-1].group)
    flagged = made["mask"].values == aw.Flag.OVERSATURATED
    assert flagged[:, 0, 40:44, 50:55].all()
    assert flagged.sum() == 40


def test_a_level_of_the_header_above_what_frames_reach_is_a_doubt(expose, tmp_path):
    known = {"EGAIN": GAIN, "RDNOISE": NOISE, "SATURATE": 65535}
    folder = expose("object", 2, 4000.0, becomes=lambda p: np.minimum(p, 4095), **known)
    _, text = notes(folder, tmp_path)
    assert "DOUBT: by the headers the camera saturates at 65535 ADU, by its frames at 4095" in text
    assert aw.Camera.from_toml(tmp_path / "out" / "camera.toml").saturation == 4095
    _, text = notes(folder, tmp_path / "b", camera=aw.Camera(saturation=60000.0))
    assert "DOUBT: by the camera file the camera saturates at 60000 ADU" in text
    assert not (tmp_path / "b" / "out" / "camera.toml").exists()


def test_a_level_of_the_header_that_most_pixels_are_above_is_a_doubt(expose, tmp_path):
    known = {"EGAIN": GAIN, "RDNOISE": NOISE, "SATURATE": 4095}
    folder = expose("object", 1, 6000.0, becomes=lambda p: np.rint(p / 4) * 4, **known)
    _, text = notes(folder, tmp_path)
    assert "DOUBT: by the headers the camera saturates at 4095 ADU, but half of" in text
    assert "pixels are multiples of 4, which that number may not count" in text


@pytest.mark.parametrize(("stated", "described"), [({}, True), ({"SATURATE": 60000}, False)])
def test_one_plain_line_states_that_no_saturation_is_known(expose, tmp_path, stated, described):
    folder = expose("object", 1, 300.0, EGAIN=GAIN, RDNOISE=NOISE, **stated)
    _, text = notes(folder, tmp_path)
    line = r"; saturation not known \(no ceiling found in 1 frame, up to \d+ ADU"
    assert bool(re.search(line, text)) == described
    assert "DOUBT" not in text


def test_a_gain_of_the_header_is_held_against_the_flats(expose, tmp_path):
    def shifted(pixels):
        return np.rint(pixels / 16) * 16

    for kind, level in (("bias", 0.0), ("flat", 20000.0), ("object", 300.0)):
        folder = expose(kind, 4, level, becomes=shifted, EGAIN=16 * GAIN, RDNOISE=NOISE)
    summary, text = notes(folder, tmp_path)
    assert re.search(r"DOUBT: EGAIN = 24 in the headers differs from 1\.\d+ e/ADU", text)
    assert "values are multiples of 16" in text
    assert "--gain 24 keeps what the headers state" in text
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group=summary.made[-1].group)
    assert made.autowisp.camera.gain == pytest.approx(GAIN, rel=0.1)
    kept, text = notes(folder, tmp_path / "b", camera=aw.Camera(gain=24.0, read_noise=NOISE))
    assert "DOUBT" not in text
    made = aw.open_zarr(tmp_path / "b" / "out" / "night.zarr", group=kept.made[-1].group)
    assert made.autowisp.camera.gain == 24.0


def test_a_gain_of_the_header_that_fits_is_kept_without_a_word(expose, tmp_path):
    for kind, level in (("bias", 0.0), ("flat", 20000.0), ("object", 300.0)):
        folder = expose(kind, 3, level, EGAIN=1.1 * GAIN, RDNOISE=1.15 * NOISE, SATURATE=60000)
    summary, text = notes(folder, tmp_path)
    assert text.startswith("the camera: gain 1.65 e/ADU; read noise 6.9 e;")
    assert not (tmp_path / "out" / "camera.toml").exists()
    assert summary.failed == {}


def test_a_read_noise_of_zero_is_measured(expose, tmp_path):
    for kind, level in (("bias", 0.0), ("flat", 20000.0), ("object", 300.0)):
        folder = expose(kind, 3, level, EGAIN=GAIN, RDNOISE=0.0)
    summary, text = notes(folder, tmp_path)
    assert "measured from 3 flats and 3 biases" in text
    assert "RDNOISE = 0.0 cannot be, and is not believed" in str(summary)
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group=summary.made[-1].group)
    assert made.autowisp.camera.read_noise == pytest.approx(NOISE, rel=0.1)


def test_darks_that_are_cut_off_are_reported_where_there_are_no_biases(expose, tmp_path):
    _, text = notes(expose("dark", 3, offset=3.0), tmp_path)
    assert re.search(r"DOUBT: in 3 of 3 of the dark frames dark_\S+ pixels are cut off at 0 ", text)


def test_biases_that_are_cut_off_or_wander_are_reported(expose, tmp_path):
    expose("bias", 2, offset=3.0)
    folder = expose("bias", 0)
    _, text = notes(folder, tmp_path)
    cut = r"DOUBT: in 2 of 2 of the bias frames bias pixels are cut off at 0 ADU \(up to [\d.]+ %"
    assert re.search(cut, text)
    for path in folder.iterdir():
        path.unlink()
    for index, level in enumerate((200, 230, 215)):
        expose("bias", 1, offset=float(level))
        (folder / "bias-0.fits").rename(folder / f"level-{index}.fits")
    _, text = notes(folder, tmp_path / "b")
    assert re.search(
        r"DOUBT: the level of the bias frames bias drifts from (199|200)\.?\d* to (229|230)\.?\d* "
        r"ADU, by 15 ADU from frame to frame, where their noise is 4(\.\d)? ADU",
        text,
    )


@pytest.mark.parametrize("kind", ["bias", "object"])
def test_a_constant_that_was_added_to_some_frames_alone_is_a_doubt(expose, tmp_path, kind):
    for one, level in (("bias", 0.0), ("object", 300.0)):
        stated = {"PEDESTAL": -100} if one == kind else {}
        folder = expose(one, 3, level, EGAIN=GAIN, RDNOISE=NOISE, **stated)
    _, text = notes(folder, tmp_path)
    assert f"DOUBT: PEDESTAL = -100 in 3 of 6 frames ({kind}-0.fits, {kind}-1.fits" in text
    for path in folder.iterdir():
        fits.setval(path, "PEDESTAL", value=100 if "1" in path.name else -100)
    _, text = notes(folder, tmp_path / "b")
    assert "PEDESTAL" not in text
    for path in folder.glob(f"{kind}*"):
        fits.setval(path, "PEDESTAL", value=-50)
    _, text = notes(folder, tmp_path / "c")
    assert "-50" in text
    assert "in all 6 frames" in text


@pytest.mark.parametrize(("number", "named"), [(3, "odd.fits"), (6, "odd.fits")])
def test_one_frame_whose_level_is_off_is_named(expose, tmp_path, number, named):
    expose("bias", number, EGAIN=GAIN, RDNOISE=NOISE)
    folder = expose("dark", 1, offset=260.0, EGAIN=GAIN, RDNOISE=NOISE)
    fits.setval(folder / "dark-0.fits", "IMAGETYP", value="bias")
    fits.setval(folder / "dark-0.fits", "EXPTIME", value=0.0)
    (folder / "dark-0.fits").rename(folder / named)
    _, text = notes(folder, tmp_path)
    line = rf"DOUBT: the level of 1 of {number + 1} frames \({named}\) of the bias .* is 2(60|59)"
    assert re.search(line, text)
    assert f"--type '{named}=other' leaves it out" in text
    assert "drifts" not in text


def test_unsigned_pixels_without_bzero_are_reported(expose, tmp_path):
    def bright(pixels):
        pixels[20:24, 30:35] = 47000
        return pixels

    folder = expose("object", 1, 300.0, becomes=bright, EGAIN=GAIN, RDNOISE=NOISE)
    lose_bzero([folder / "object-0.fits"], taken_off=False)
    _, text = notes(folder, tmp_path)
    assert "DOUBT: 20 pixels of object-0.fits are far below zero, down to -18536 ADU" in text
    assert "BZERO = 32768" in text


def test_pixels_that_lost_bzero_as_it_was_taken_off_get_the_card_back(expose, tmp_path):
    expose("flat", 1, 20000.0, EGAIN=GAIN, RDNOISE=NOISE)
    folder = expose("object", 2, 300.0, EGAIN=GAIN, RDNOISE=NOISE)
    lose_bzero(folder.glob("object-*.fits"), taken_off=True)
    _, text = notes(folder, tmp_path)
    line = (
        r"DOUBT: the pixels of object-0.fits lie far below zero, about a median of -32\d\d\d: 32768"
    )
    assert re.search(line, text)
    assert "Add it to the header" in text
    assert "view(" not in text


def lose_bzero(paths, taken_off):
    for path in paths:
        pixels, header = fits.getdata(path).astype("u2"), fits.getheader(path)
        for card in ("BZERO", "BSCALE"):
            header.remove(card, ignore_missing=True)
        stored = (pixels.astype("i4") - 32768).astype("i2") if taken_off else pixels.view("i2")
        fits.writeto(path, stored, header, overwrite=True)


@pytest.mark.parametrize(
    ("level", "taken_off", "line"),
    [
        (
            20000.0,
            True,
            r"so that it was 18\d\d\d on .* add BZERO = 32768 to .* was 51\d\d\d, and is",
        ),
        (33000.0, True, r"about a median of -?\d+: 32768 was taken off.* Add it to the header"),
        (33000.0, False, r"down to -32\d\d\d ADU .* written without BZERO = 32768 .*view"),
        (
            50000.0,
            False,
            r"so that it was 13\d\d\d on .* add BZERO = 32768 to .* was 46\d\d\d, and is",
        ),
    ],
)
def test_flats_alone_that_lost_bzero_get_the_remedy_or_both(
    expose, tmp_path, level, taken_off, line
):
    folder = expose("flat", 3, level, EGAIN=GAIN, RDNOISE=NOISE)
    lose_bzero(folder.iterdir(), taken_off)
    _, text = notes(folder, tmp_path)
    (doubt,) = (one for one in text.splitlines() if "BZERO" in one)
    assert re.search(line, doubt)


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_frames_without_light_that_lost_bzero_are_named(expose, tmp_path, kind):
    expose("bias", 3, EGAIN=GAIN, RDNOISE=NOISE)
    folder = expose("dark", 3, EGAIN=GAIN, RDNOISE=NOISE)
    lose_bzero(folder.glob(f"{kind}*"), taken_off=True)
    _, text = notes(folder, tmp_path)
    (doubt,) = (one for one in text.splitlines() if "BZERO" in one)
    assert re.search(
        rf"the pixels of {kind}-\d.fits lie far below zero, about .* -3256\d: 32768", doubt
    )


def test_biases_alone_give_the_read_noise_where_the_gain_is_stated(expose, tmp_path):
    for kind, level in (("bias", 0.0), ("object", 300.0)):
        folder = expose(kind, 3, level, EGAIN=GAIN, RDNOISE=0.0)
    summary, text = notes(folder, tmp_path)
    assert re.search(r"from 3 biases: read noise 6\.\d\d e, by the stated gain of 1.5", text)
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group=summary.made[-1].group)
    assert made.autowisp.camera.read_noise == pytest.approx(NOISE, rel=0.1)
    assert made.autowisp.camera.gain == GAIN


def test_headers_that_disagree_are_named_with_files_and_remedy(expose, tmp_path):
    expose("bias", 2, GAIN=120, EGAIN=1.0022, RDNOISE=NOISE)
    folder = expose("object", 1, 300.0, GAIN=120, EGAIN=3.99, RDNOISE=NOISE)
    _, text = notes(folder, tmp_path)
    assert "3.99 (object-0.fits)" in text
    assert "1.0022 (bias-0.fits and 1 more)" in text
    assert "--gain" in text
