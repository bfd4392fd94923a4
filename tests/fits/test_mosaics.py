"""Frames whose amplifiers are images of their own, against the same frames in one image."""

import pickle

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import BadImageError, Overscan
from autowisp_xr.fits import lazy_pixels, pixels
from autowisp_xr.frames import scan
from tests.fits.mosaics import STRIP, STYLES
from tests.steps.frames import frame_set

FEW = Overscan(min_pixels=20)


@pytest.fixture
def rng():
    return np.random.default_rng(13)


@pytest.fixture(params=STYLES.values(), ids=STYLES)
def style(request):
    return request.param


@pytest.fixture
def written(style, tmp_path, rng):
    """A frame of a star field in the manner of an observatory, and in one image."""
    electrons = rng.uniform(200, 4000, style.shape)
    stored, frame, camera = style.read(rng, electrons)
    path = tmp_path / f"a{style.suffix}"
    cards = {"OBSTYPE": "OBJECT", "EXPTIME": 30.0, "DATE-OBS": "2024-03-05T01:02:03", "FILTER": "V"}
    style.write(path, stored, **cards)
    return path, frame, camera, electrons


def test_pixels_are_those_of_the_one_image(written, style):
    path, frame, camera, _ = written
    ds = aw.open_fits(path)
    assert ds["image"].dtype == np.uint16
    found = ds["image"].values[0, 0]
    height, width = style.shape
    np.testing.assert_array_equal(found[:height, :width], frame[:height, :width])
    known = ds.autowisp.camera
    assert known.image_area == camera.image_area
    regions = {one.region: one for one in known.amplifiers}
    for expected in camera.amplifiers:
        amplifier = regions[expected.region]
        assert (amplifier.gain, amplifier.read_noise) == (expected.gain, expected.read_noise)
        for own, other in zip(amplifier.overscan, expected.overscan, strict=True):
            np.testing.assert_array_equal(
                found[own.ymin : own.ymax, own.xmin : own.xmax],
                frame[other.ymin : other.ymax, other.xmin : other.xmax],
            )


def test_calibrated_they_are_the_one_image_too(written):
    path, frame, camera, electrons = written
    for overscan in (FEW, Overscan(per="row", min_pixels=20)):
        done = aw.calibrate(aw.open_fits(path), overscan=overscan)
        twin = aw.calibrate(frame_set(frame, camera=camera), overscan=overscan)
        for name in ("image", "variance", "mask"):
            np.testing.assert_array_equal(done[name].values, twin[name].values)
    gain = np.ones_like(electrons)
    for one in camera.amplifiers:
        region = one.region
        gain[region.ymin : region.ymax, region.xmin : region.xmax] = one.gain
    image, variance = (done[name].values[0, 0] for name in ("image", "variance"))
    pulls = (image - electrons / gain) / np.sqrt(variance)
    assert abs(pulls.std() - 1) < 0.15
    assert abs(pulls.mean()) < 0.15


@pytest.mark.parametrize(
    "index",
    [
        {"y": slice(3, 9)},
        {"x": slice(7, 16), "y": slice(5, 12)},
        {"y": [0, 2, 11], "x": [1, 12, 13]},
        {"y": slice(None, None, 3), "x": slice(2, None, 4)},
        {"x": slice(-9, None)},
        {"y": 4},
    ],
)
def test_any_part_is_read_as_the_part_of_all(written, index):
    ds = aw.open_fits(written[0])
    whole = ds["image"].compute()
    lazy = pickle.loads(pickle.dumps(ds["image"]))
    np.testing.assert_array_equal(lazy.isel(index).values, whole.isel(index).values)


def test_chunks_change_nothing(written):
    ds = aw.open_fits(written[0])
    lazy = aw.calibrate(ds.chunk(y=5), overscan=FEW)
    done = aw.calibrate(ds.compute(), overscan=FEW)
    assert lazy["image"].chunks is not None
    np.testing.assert_array_equal(lazy["image"].values, done["image"].values)
    np.testing.assert_array_equal(lazy["variance"].values, done["variance"].values)


def test_the_header_states_what_all_images_state_and_what_is_true_of_the_frame(written, style):
    path, *_ = written
    ds = aw.open_fits(path)
    header = fits.Header.fromstring(str(ds["header"].values[0]), sep="\n")
    for card in ("DATASEC", "BIASSEC", "BIASSEC2", "CRPIX1", "CTYPE1", "LTV1", "EXTNAME", "GAIN"):
        assert card not in header
    assert (header["NAXIS2"], header["NAXIS1"]) == ds["image"].shape[2:]
    height, width = style.shape
    assert header["TRIMSEC"] == f"[1:{width},1:{height}]"
    system = "CCDSEC" if style.name == "wht" else "DETSEC"
    x, y = style.corner
    step = style.binning
    assert header[system] == (
        f"[{x * step + 1}:{(x + width) * step},{y * step + 1}:{(y + height) * step}]"
    )
    assert float(ds["exposure"].values[0]) == 30.0
    assert ds["image_type"].values[0] == "object"


def test_bands_touch_only_the_images_that_they_lie_in(tmp_path, rng, monkeypatch):
    style = STYLES["lco"]
    stored, *_ = style.read(rng, rng.uniform(0, 100, style.shape))
    path = tmp_path / "a.fits"
    style.write(path, stored)
    ds = aw.open_fits(path)
    read = []
    original = lazy_pixels.stored_pieces
    monkeypatch.setattr(
        lazy_pixels,
        "stored_pieces",
        lambda plane, *rows: (read.append((plane.index, *rows)), original(plane, *rows))[1],
    )
    ds["image"].isel(y=slice(2, 5), x=slice(0, 11)).values  # noqa: B018
    assert read == [(1, 2, 5)]
    read.clear()
    # the third and fourth are read from the far end
    ds["image"].isel(y=slice(9, 11), x=slice(0, 22)).values  # noqa: B018
    assert read == [(3, 7, 9), (4, 7, 9)]


def test_a_packed_file_is_inflated_once_for_all_of_its_images(tmp_path, rng, monkeypatch):
    style = STYLES["noirlab"]
    stored, *_ = style.read(rng, rng.uniform(0, 100, style.shape))
    path = tmp_path / "a.fits.gz"
    style.write(path, stored)
    ds = aw.open_fits(path)
    packed = []
    original = pixels.unpacked
    monkeypatch.setattr(
        pixels, "unpacked", lambda file: (packed.append(file.name), original(file))[1]
    )
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    whole = ds["image"].values
    assert len(packed) == 1
    assert not list(tmp_path.glob("autowisp-xr-*"))
    for row in (2, 5, 11):
        np.testing.assert_array_equal(ds["image"][..., row, :].values, whole[..., row, :])
    assert len(packed) == 2
    assert not list(tmp_path.glob("autowisp-xr-*"))
    del ds


def test_what_a_camera_states_counts_before_the_headers(written):
    path, *_ = written
    known = aw.open_fits(path, camera=aw.Camera(gain=3.0)).autowisp.camera
    assert known.gain == 3.0
    assert all(one.gain is None for one in known.amplifiers)
    assert all(one.overscan for one in known.amplifiers)


@pytest.mark.parametrize(
    ("gains", "comment", "guessed"),
    [
        ((1.5, 1.6), "", False),
        ((1.5, 1.5), "", True),
        ((1.5, 1.5), "[e-/ADU] of the amplifier", False),
        ((100, 100), "", None),
    ],
)
def test_gain_beside_a_read_noise_is_electrons_and_a_guess_where_it_may_be_a_setting(
    tmp_path, gains, comment, guessed
):
    path = several(tmp_path / "a.fits", [(5, 7), (5, 7)])
    with fits.open(path, mode="update") as hdus:
        for number, gain in enumerate(gains):
            header = hdus[number + 1].header
            header["DETSEC"] = f"[{7 * number + 1}:{7 * number + 7},1:5]"
            header["GAIN"], header["RDNOISE"] = (gain, comment), 5.0
    (record,) = scan(path)
    assert bool([guess for guess in record.guesses if "GAIN of its amplifiers" in guess]) == (
        guessed is True
    )
    known = aw.open_fits(path).autowisp.camera
    if guessed is None:
        assert known.unknown_noise == ["gain"]
    else:
        assert next(known.gain or one.gain for one in known.amplifiers or [known]) == 1.5
        assert known.unknown_noise == []


def test_the_lowest_saturation_is_that_of_the_frame(tmp_path, rng):
    style = STYLES["lco"]
    stored, *_ = style.read(rng, np.zeros(style.shape))
    style.write(tmp_path / "a.fits.fz", stored)
    assert aw.open_fits(tmp_path / "a.fits.fz").autowisp.camera.saturation == 50000


def test_a_chosen_image_is_read_alone(written, style):
    path, *_ = written
    ds = aw.open_fits(path, hdu=1)
    height, width = style.amps[0].shape
    assert ds["image"].shape[2:] == (height + style.amps[0].above, width + STRIP)


def test_a_night_of_files_reduces_without_an_option(tmp_path, rng):
    style = STYLES["noirlab"]
    night = tmp_path / "night"
    night.mkdir()
    sky = rng.uniform(500, 900, style.shape)
    response = rng.uniform(0.8, 1.2, style.shape)
    numbers = {"ZERO": 0.0, "FLAT": 20000.0, "OBJECT": 1.0}
    for kind, level in numbers.items():
        for i in range(3):
            light = sky * response if kind == "OBJECT" else level * response
            stored, *_ = style.read(rng, light)
            cards = {"OBSTYPE": kind, "EXPTIME": 10.0 if level else 0.0, "INSTRUME": "mosaic"}
            if level:
                cards["FILTER"] = "r"
            date = f"2024-03-05T0{i}:{list(numbers).index(kind)}0:00"
            style.write(
                night / f"{kind.lower()}{i}{style.suffix}", stored, **cards, **{"DATE-OBS": date}
            )
    result = aw.reduce(night, tmp_path / "out")
    (path,) = (tmp_path / "out").glob("calibrated/**/object0*.fits*")
    with fits.open(path) as hdus:
        image, header = hdus[0].data, hdus[0].header
    assert image.shape == style.shape
    gain = np.ones(style.shape)
    for amp in style.amps:
        gain[amp.ymin : amp.ymax, amp.xmin : amp.xmax] = amp.gain
    # flats of amplifiers differ in ADU: in the calibrated sky, their gains do not show
    assert (image / sky).std() / (image / sky).mean() < 0.1
    assert "CALBGAIN" not in header
    assert "4 amplifiers" in (tmp_path / "out" / "summary.txt").read_text()
    assert result is not None


def several(path, shapes, *, names=None, primary=None, **cards):
    hdus = [fits.PrimaryHDU(primary)]
    for number, shape in enumerate(shapes):
        hdu = fits.ImageHDU(np.full(shape, number, np.int16), name=names[number] if names else None)
        hdu.header.update(cards)
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize("names", [None, ["AMP1", "AMP2"], ["SCI", "SCI"]])
def test_images_alike_without_sections_are_refused_with_the_remedy(tmp_path, names):
    path = several(tmp_path / "a.fits", [(5, 7), (5, 7)], names=names)
    with pytest.raises(
        BadImageError, match=r"do not fit together to one frame: not all .* hdu="
    ) as e:
        aw.open_fits(path)
    assert "HDU 1 (" in str(e.value)
    assert "HDU 2 (" in str(e.value)
    assert aw.open_fits(path, hdu=2)["image"].values.max() == 1
    assert aw.open_fits(path, hdu={"a": 1, "b": 2}).sizes["channel"] == 2


@pytest.mark.parametrize(
    "given",
    [
        {"shapes": [(5, 7), (2, 3)]},
        {"shapes": [(5, 7), (5, 7)], "names": ["SCI", "MODEL"]},
        {"shapes": [(5, 7)], "primary": np.zeros((5, 7), np.int16)},
    ],
)
def test_of_an_image_and_what_is_beside_it_the_image_is_read_and_the_rest_reported(tmp_path, given):
    path = several(tmp_path / "a.fits", **given)
    with pytest.warns(aw.AutowispWarning, match="only HDU"):
        assert aw.open_fits(path)["image"].shape[2:] == (5, 7)


def test_overlapping_sections_are_refused_with_all_of_them(tmp_path):
    path = several(tmp_path / "a.fits", [(5, 7), (5, 7)], DETSEC="[1:7,1:5]")
    with pytest.raises(BadImageError, match=r"lie on the same pixels by their DETSEC") as e:
        aw.open_fits(path)
    assert str(path) in str(e.value)
    assert "HDU 2 (5 x 7): DETSEC = '[1:7,1:5]'" in str(e.value)


def test_halves_of_one_gain_need_no_amplifiers(tmp_path):
    hdus = [fits.PrimaryHDU()]
    for number, x in enumerate((1, 8)):
        hdu = fits.ImageHDU(np.full((5, 7), number, np.int16))
        hdu.header["DETSEC"] = f"[{x}:{x + 6},1:5]"
        hdu.header["EGAIN"], hdu.header["RDNOISE"] = 2.0, 5.0
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(tmp_path / "a.fits")
    ds = aw.open_fits(tmp_path / "a.fits")
    assert ds["image"].values[0, 0, 0].tolist() == [0] * 7 + [1] * 7
    camera = ds.autowisp.camera
    assert (camera.gain, camera.read_noise, camera.amplifiers) == (2.0, 5.0, ())


@pytest.mark.parametrize(
    ("cards", "gain"),
    [
        (({"EGAIN": 2.0}, {"EGAIN": 0.5}), {"left": 2.0, "right": 0.5}),
        (({"EGAIN": 2.0}, {"EGAIN": 2.0}), 2.0),
        (({"EGAIN": 2.0}, {}), None),
    ],
)
def test_channels_have_the_gain_of_their_own_image(tmp_path, cards, gain):
    path = several(tmp_path / "a.fits", [(5, 7), (5, 7)], RDNOISE=4.0, SATURATE=900)
    with fits.open(path, mode="update") as hdus:
        for number, more in enumerate(cards, start=1):
            hdus[number].data += 100
            hdus[number].header.update(more)
    ds = aw.open_fits(path, hdu={"left": 1, "right": 2})
    camera = ds.autowisp.camera
    assert (camera.gain, camera.read_noise, camera.saturation) == (gain, 4.0, 900)
    if isinstance(gain, dict):
        variance = aw.calibrate(ds)["variance"].values[0, :, 0, 0]
        assert variance.tolist() == [100 / 2.0 + 4.0, 101 / 0.5 + 64.0]


def lettered(path, light, **changed):
    """Write an image that two amplifiers of other levels have read, with sections by letters."""
    left, right = np.full((64, 4), 500), np.full((64, 4), 700)
    raw = np.hstack([left, light[:, :40] + 500, light[:, 40:] + 700, right]).astype(np.uint16)
    cards = {
        **{"OBSTYPE": "OBJECT", "EXPTIME": 30.0},
        **{"DATASECA": "[5:44,1:64]", "BIASSECA": "[1:4,1:64]", "DETSECA": "[1:40,1:64]"},
        **{"DATASECB": "[45:84,1:64]", "BIASSECB": "[85:88,1:64]", "DETSECB": "[41:80,1:64]"},
        **{"GAINA": 1.5, "GAINB": 3.0, "RDNOISEA": 5.0, "RDNOISEB": 6.0},
    }
    fits.writeto(path, raw, fits.Header(cards | changed))
    return raw


_OF_IRAF = {
    **{"DATASEC": "DSEC", "BIASSEC": "BSEC", "DETSEC": "CSEC"},
    **{"GAIN": "GTGAIN", "RDNOISE": "GTRON"},
}
"""What IRAF's quad package calls the cards of an amplifier."""


@pytest.mark.parametrize("quadrants", [False, True])
def test_one_image_of_several_amplifiers_has_their_levels_and_noise(tmp_path, rng, quadrants):
    light = rng.integers(1000, 2000, (64, 80))
    lettered(tmp_path / "a.fits", light)
    if quadrants:
        with fits.open(tmp_path / "a.fits", mode="update") as hdus:
            for name, of_iraf in _OF_IRAF.items():
                for letter, quadrant in (("A", "11"), ("B", "12")):
                    hdus[0].header.rename_keyword(f"{name}{letter}", f"{of_iraf}{quadrant}")
    ds = aw.calibrate(aw.open_fits(tmp_path / "a.fits"))
    np.testing.assert_array_equal(ds["image"].values[0, 0], light)
    gain, noise = np.repeat([[1.5, 3.0], [5.0, 6.0]], 40, axis=1)
    expected = light / gain + (noise / gain) ** 2
    np.testing.assert_allclose(ds["variance"].values[0, 0], expected, rtol=1e-6)


def test_sections_that_do_not_make_up_the_one_image_leave_it_and_are_doubted(tmp_path, rng):
    raw = lettered(tmp_path / "a.fits", np.full((64, 80), 1000), DATASECB="[145:184,1:64]")
    ds = aw.open_fits(tmp_path / "a.fits")
    np.testing.assert_array_equal(ds["image"].values[0, 0], raw)
    assert "BIASSECA = '[1:4,1:64]'" in " ".join(scan(tmp_path / "a.fits")[0].doubts)
