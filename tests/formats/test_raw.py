import sys

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.errors import BadImageError
from autowisp_xr.formats.exif import NO_ZONE, cards_of, read_tags
from autowisp_xr.frames import find_files, found_in
from tests.formats.dng import BLACK, WHITE, write_dng

SHAPE = (24, 32)  # LibRaw takes nothing smaller than 22 pixels


@pytest.fixture
def pixels():
    return np.random.default_rng(4).integers(BLACK, WHITE, SHAPE).astype(np.uint16)


def test_a_raw_file_is_a_frame_like_any_other(tmp_path, pixels):
    write_dng(tmp_path / "darks" / "IMG_7.DNG", pixels, pattern="GBRG", seconds=1 / 4000)
    raw = aw.open_fits(tmp_path / "darks")
    assert raw["frame"].values.tolist() == ["IMG_7"]
    assert raw["image"].dtype == np.uint16
    assert raw["channel"].values.tolist() == ["G1", "B", "R", "G2"]
    assert (raw["image"].sel(channel="R").values[0] == pixels[1::2, ::2]).all()
    assert raw["image_type"].item() == "dark"
    assert raw["exposure"].item() == 1 / 4000
    assert raw["gain_setting"].item() == 800
    assert raw["camera"].item() == "Maker Model X"
    # the middle of the exposure, to the hundredths of the camera's clock
    assert raw["time"].item() == np.datetime64("2025-01-02T23:04:05.250125", "ns").item()


def test_black_and_white_level_become_those_of_the_camera(tmp_path, pixels):
    pixels[3, 5] = WHITE
    raw = aw.open_fits(write_dng(tmp_path / "a.dng", pixels))
    camera = aw.Camera.from_json(raw.attrs["camera"])
    assert (camera.bias_level, camera.saturation) == (BLACK, WHITE - BLACK)
    known = aw.Camera(gain=2.0, read_noise=4.0)
    raw = aw.open_fits(tmp_path / "a.dng", camera=known)
    calibrated = raw.autowisp.calibrate()
    merged = calibrated.autowisp.merge_channels()["image"].values.squeeze()
    np.testing.assert_array_equal(merged, pixels.astype(np.float32) - BLACK)
    assert calibrated.autowisp.flagged("SATURATED").values.sum() == 1
    given = aw.open_fits(tmp_path / "a.dng", camera=aw.Camera(bias_level=500, saturation=3000))
    assert aw.Camera.from_json(given.attrs["camera"]).bias_level == 500


def test_parts_of_a_raw_file_are_the_same_pixels_read_later(tmp_path, pixels):
    raw = aw.open_fits(write_dng(tmp_path / "a.dng", pixels))
    part = {"channel": [0, 3], "y": slice(1, 2), "x": slice(None, None, 3)}
    lazy = raw.chunk(y=1)
    xr.testing.assert_identical(raw.isel(part).compute(), lazy.isel(part).compute())
    xr.testing.assert_identical(raw.compute(), lazy.compute())


@pytest.mark.parametrize(("zone", "hour"), [("+02:00", 21), ("-09:30", 8 + 24), ("Z", 23)])
def test_a_zone_of_the_clock_counts_and_none_is_a_guess(tmp_path, pixels, zone, hour):
    cards, guesses = cards_of(read_tags(str(write_dng(tmp_path / "a.dng", pixels, zone=zone))))
    start = np.datetime64({card.keyword: card.value for card in cards}["DATE-OBS"])
    minutes = 34 if zone == "-09:30" else 4
    expected = np.datetime64("2025-01-02T00:00:05.25") + np.timedelta64(hour * 60 + minutes, "m")
    assert start == expected
    assert guesses == ((NO_ZONE,) if zone == "Z" else ())


def test_exif_of_a_cr3_is_found_in_its_boxes(tmp_path, pixels):
    content = write_dng(tmp_path / "a.dng", pixels).read_bytes()
    box = (len(content) + 8).to_bytes(4, "big") + b"CMT2" + content
    head = (24).to_bytes(4, "big") + b"ftypcrx " + b"\0" * 12
    (tmp_path / "a.cr3").write_bytes(head + box)
    known = {card.keyword: card.value for card in cards_of(read_tags(str(tmp_path / "a.cr3")))[0]}
    assert (known["EXPTIME"], known["ISOSPEED"]) == (10.0, 800)


def test_levels_that_canon_measures_anew_in_each_frame_are_one(tmp_path, pixels):
    for number, black in enumerate((2047, 2048, 1008)):
        write_dng(tmp_path / f"{number}.dng", pixels, black=black, white=15000)
    levels = [
        aw.Camera.from_json(aw.open_fits(tmp_path / f"{n}.dng").attrs["camera"]).bias_level
        for n in range(3)
    ]
    assert levels == [2048, 2048, 1008]


def test_raw_files_are_read_where_no_fits_files_lie(tmp_path, pixels):
    for name in ("IMG_10.DNG", "IMG_9.dng", "IMG_9.jpg"):
        write_dng(tmp_path / name, pixels)
    assert find_files(tmp_path) == [str(tmp_path / name) for name in ("IMG_9.dng", "IMG_10.DNG")]
    assert found_in(tmp_path).passed_over == []
    aw.open_fits(tmp_path).autowisp.to_fits(str(tmp_path / "{RAWFNAME}_{CLRCHNL}.fits"))
    assert len(find_files(tmp_path)) == 8
    (line,) = found_in(tmp_path).passed_over
    assert "2 files of a format that is read only where no FITS files" in line
    assert "name them to take them, as NIGHT/**/*.dng" in line


def test_a_raw_frame_comes_back_from_fits_as_it_was(tmp_path, pixels):
    raw = aw.open_fits(write_dng(tmp_path / "a.dng", pixels))
    back = aw.open_fits(raw.autowisp.to_fits(str(tmp_path / "{CLRCHNL}.fits")))
    others = ["path", "header"]
    back = back.drop_vars([*others, "channel_path"])
    xr.testing.assert_equal(raw["image"].drop_vars(others), back["image"])
    assert back.attrs["camera"] == raw.attrs["camera"]


def test_what_is_damaged_or_no_bayer_frame_is_refused_by_name(tmp_path, pixels, monkeypatch):
    (tmp_path / "a.nef").write_bytes(b"II*\0")
    (tmp_path / "b.nef").write_bytes(b"")
    with pytest.raises(BadImageError, match=r"a\.nef cannot be decoded by LibRaw.*copy it again"):
        aw.open_fits(tmp_path / "a.nef")
    with pytest.raises(BadImageError, match=r"b\.nef is empty"):
        aw.open_fits(tmp_path / "b.nef")
    with pytest.raises(BadImageError, match="has no HDUs"):
        aw.open_fits(write_dng(tmp_path / "c.dng", pixels), hdu=1)
    x_trans = "GGRGGBGGBGGRBRGRBGGGBGGRGGRGGBRBGBRG"
    with pytest.raises(BadImageError, match="repeat every 6 x 6; a Bayer pattern"):
        aw.open_fits(write_dng(tmp_path / "d.dng", pixels, pattern=x_trans))
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(
        BadImageError, match=r"rawpy, which is not installed: pip install '.\[raw\]"
    ):
        aw.open_fits(tmp_path / "c.dng")


def test_a_night_of_raw_files_in_folders_is_reduced_like_fits(tmp_path):
    rng = np.random.default_rng(8)
    for folder, light, seconds in (("bias", 0, 0), ("flats", 2500, 1), ("lights", 600, 30)):
        for number in range(3):
            pixels = rng.poisson(light, SHAPE) + rng.normal(1020, 3, SHAPE).round()
            path = tmp_path / "night" / folder / f"IMG_{number}.dng"
            start = f"2025:01:02 23:0{number}:00"
            seen = {"seconds": seconds or 1 / 4000, "start": start, "black": 1000}
            write_dng(path, pixels.astype(np.uint16), **seen)
    known = aw.Camera(gain=1.0, read_noise=3.0)
    aw.night.reduce(tmp_path / "night", tmp_path / "out", camera=known, checks=False, cfa="merged")
    calibrated = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/30s")
    # the bias has 20 ADU that the black level has not
    assert abs(float(calibrated["image"].mean()) - 600) < 3
    levels = [step["options"].get("bias_level") for step in calibrated.autowisp.history()]
    assert 1000 in levels
    for number, path in enumerate(sorted((tmp_path / "out" / "calibrated" / "30s").iterdir())):
        frame = calibrated.isel(frame=number)
        with fits.open(path) as hdus:
            assert hdus[0].header["BAYERPAT"] == "RGGB"
            for name, plane in (("PRIMARY", "image"), ("ERROR", "variance"), ("MASK", "mask")):
                split = frame[plane].values
                split = np.sqrt(split) if name == "ERROR" else split
                merged = hdus[name].data
                for channel, (y, x) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
                    np.testing.assert_array_equal(merged[y::2, x::2], split[channel])
