"""A pixel of a solved frame stays where it is on the sky, whatever is done to the frame."""

import numpy as np
import pytest
import xarray as xr
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.headers.cards import render_header
from autowisp_xr.headers.sensor_grid import grid_of_plane
from tests.solved import SKIES, assert_right_sky, mosaic, other_program, solved, write_solved
from tests.steps.frames import frame_set, master, text

BAYER = aw.Camera(channels="GRBG", gain=1.5, read_noise=10.0)
AREA = {"xmin": 5, "xmax": 50, "ymin": 3, "ymax": 40}
"""It starts inside a super-pixel, and ends in one."""


def solved_set(*headers, camera=None, **options):
    """A frame of numbered pixels for each header."""
    image = np.broadcast_to(mosaic(), (len(headers), 1, *mosaic().shape)).copy()
    ds = frame_set(image, camera=camera, **options)
    return ds.assign_coords(header=("frame", text(*map(render_header, headers))))


def assert_all_right(ds, truth):
    for channel, name in enumerate(schema.names(ds, "channel")):
        plane = ds["image"].isel(frame=0, channel=channel)
        assert_right_sky(plane, ds.autowisp.wcs(channel=name), truth)


def assert_files_right(paths, truth):
    """Other programs, which know nothing of ours, see the right sky in our files."""
    for path in paths:
        with fits.open(path) as hdus:
            hdu = next(hdu for hdu in hdus if hdu.header["NAXIS"])
            assert_right_sky(hdu.data, other_program(hdu.header), truth)


# ------------------------------------------------------------------------------ in memory


@pytest.mark.parametrize("form", SKIES)
def test_a_whole_frame_has_the_sky_of_its_header(form):
    header = solved(form)
    ds = solved_set(header)
    system = aw.wcs(ds)
    assert isinstance(system, WCS)
    assert system.array_shape == (41, 54)
    assert_right_sky(ds["image"][0, 0], system, other_program(header))


@pytest.mark.parametrize("form", SKIES)
def test_trimming_splitting_and_merging_move_no_star(form):
    header = solved(form)
    truth, ds = other_program(header), solved_set(header, camera=BAYER)
    trimmed = aw.trim(ds, AREA)
    split = aw.split_channels(trimmed)
    for part in (
        trimmed,
        split,
        aw.trim(aw.split_channels(ds), {"xmin": 3, "xmax": 33, "ymin": 2, "ymax": 35}),
        split.isel(y=slice(3, 17), x=slice(1, None)),
        split.isel(channel=[2, 0]),
        split.isel(x=slice(2, None, 3), y=slice(None, None, 2)),
        aw.merge_channels(split),
        aw.calibrate(ds, camera=BAYER),
    ):
        assert_all_right(part, truth)


def test_pixels_count_from_zero():
    header = solved("CD")
    ds = aw.trim(solved_set(header), AREA)
    system = ds.autowisp.wcs()
    place = SkyCoord(header["CRVAL1"], header["CRVAL2"], unit="deg")
    # CRPIX of the raw frame counts from one
    expected = header["CRPIX1"] - 1 - AREA["xmin"], header["CRPIX2"] - 1 - AREA["ymin"]
    np.testing.assert_allclose(system.world_to_pixel(place), expected, atol=1e-6)
    back = system.pixel_to_world(*expected)
    assert back.separation(place).deg < 1e-9


def test_each_frame_has_its_own_sky():
    headers = [solved("SIP", CRVAL1=ra) for ra in (100.0, 101.0, 102.0)]
    ds = solved_set(*headers)
    for name, header in zip(schema.names(ds, "frame"), headers, strict=True):
        assert_right_sky(ds["image"][0, 0], aw.wcs(ds, name), other_program(header))
    assert aw.wcs(ds, -1).wcs.crval[0] == 102.0
    assert aw.wcs(ds, np.int64(1)).wcs.crval[0] == 101.0
    assert aw.wcs(ds.isel(frame=1)).wcs.crval[0] == 101.0
    assert aw.wcs(ds.isel(frame=[2])).wcs.crval[0] == 102.0


def test_channels_are_chosen_by_name_or_number():
    ds = aw.split_channels(solved_set(solved("CD"), camera=BAYER))
    one, two = aw.wcs(ds, 0, "R"), ds.autowisp.wcs(channel=1)
    assert one.wcs.crpix.tolist() == two.wcs.crpix.tolist() == [10.25, 7.625]
    assert aw.wcs(ds, channel="B").wcs.crpix.tolist() == [10.75, 7.125]


def test_a_stack_of_frames_on_one_place_of_the_sky_is_still_solved():
    header = solved("SIP")
    deep = aw.stack(aw.trim(solved_set(*[header] * 3), AREA))
    assert_right_sky(deep["image"][0], deep.autowisp.wcs(), other_program(header))


def test_frames_of_several_pointings_have_no_common_sky():
    deep = aw.stack(solved_set(*(solved("CD", CRVAL1=ra) for ra in (100.0, 100.5))))
    with pytest.raises(aw.HeaderError, match=r"the master is not solved: .* no .* CRVAL1, .*; let"):
        deep.autowisp.wcs()


def test_what_is_asked_changes_and_reads_nothing(tmp_path):
    ds = aw.open_fits(write_solved(tmp_path / "a.fits", "SIP"), camera=BAYER)
    before = ds.copy(deep=True)
    aw.wcs(ds, channel=0)
    xr.testing.assert_identical(ds, before)
    assert not ds["image"].variable._in_memory


# ------------------------------------------------------------------------------- refusals


def test_without_headers_there_is_no_sky():
    with pytest.raises(aw.CalibrationError, match="the frames have no headers"):
        aw.wcs(frame_set(np.zeros((2, 3))))
    with pytest.raises(aw.CalibrationError, match="open_fits"):
        aw.wcs(master(np.zeros((2, 3))))
    with pytest.raises(aw.SchemaError):
        aw.wcs(xr.Dataset())


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (["CTYPE1"], "CTYPE1;"),
        (["CRPIX2", "CRVAL1"], "CRPIX2, CRVAL1;"),
        (["CD1_1", "CD1_2"], r"CD1_1 \(or CDELT1\);"),
        (list(solved("CD")), r"CTYPE1, CTYPE2, CRPIX1, CRPIX2, CRVAL1, CRVAL2, CD1_1 "),
    ],
)
def test_a_frame_that_is_not_solved_states_which_card_is_missing(missing, named):
    header = solved("CD")
    for card in missing:
        del header[card]
    with pytest.raises(aw.HeaderError, match=rf"frame 'object-0' is not solved: .* {named}"):
        aw.wcs(solved_set(header))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"CRPIX1": "middle"}, r"no \(readable\) CRPIX1;"),
        ({"CRVAL2": "north"}, "readable"),
        ({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}, "'LINEAR' and 'LINEAR', which are no axes"),
        ({"CTYPE1": "RA---XYZ"}, "cannot be used .*XYZ"),
        ({"CD1_1": 0.0, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.0}, "singular"),
        ({"A_ORDER": 2}, "A_ORDER provided without"),
        ({"A_ORDER": "two", "B_ORDER": 2}, "cannot be used"),
    ],
)
def test_a_solution_that_is_none_is_refused_with_the_reason(wrong, named):
    header = solved("CD")
    header.update(wrong)
    with pytest.raises(aw.HeaderError, match=named):
        aw.wcs(solved_set(header))


def test_which_frame_and_channel_must_be_stated_where_there_are_several():
    ds = aw.split_channels(solved_set(solved("CD"), solved("CD"), camera=BAYER))
    with pytest.raises(ValueError, match=r"there are 2 frames, object-0, object-1; .* frame="):
        aw.wcs(ds)
    with pytest.raises(ValueError, match=r"there are 4 channels, G1, R, B, G2; choose .* channel="):
        aw.wcs(ds, 0)


@pytest.mark.parametrize(
    ("chosen", "stated"),
    [
        ({"frame": 2}, "there is no frame 2 among 2, counted from 0"),
        ({"frame": -3}, "there is no frame -3"),
        ({"frame": "object-7"}, "there is no frame 'object-7' the nearest of 2: object-"),
        ({"frame": "nothing like"}, "among 2: object-0, object-1"),
        ({"frame": 0, "channel": "Z"}, "there is no channel 'Z' among 4: G1, R, B, G2"),
        ({"frame": 0, "channel": True}, "there is no channel True"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(chosen, stated):
    ds = aw.split_channels(solved_set(solved("CD"), solved("CD"), camera=BAYER))
    with pytest.raises(ValueError, match=stated):
        aw.wcs(ds, **chosen)


def test_remarks_of_astropy_stay_inside(recwarn):
    header = solved("CD")
    header.update({"DATE-OBS": "12/03/99", "RADECSYS": "FK5", "EPOCH": 2000.0, "MJD-OBS": 1.0})
    aw.wcs(solved_set(header))
    assert not recwarn.list


# --------------------------------------------------------------------------- through files


@pytest.mark.parametrize("form", SKIES)
@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
def test_files_have_the_sky_of_their_own_pixels(form, suffix, tmp_path):
    path = write_solved(tmp_path / "raw.fits", form)
    truth = other_program(fits.getheader(path))
    science = aw.calibrate(aw.trim(aw.open_fits(path, camera=BAYER), {**AREA, "ymax": 37}))
    paths = aw.to_fits(science, tmp_path / f"a_{{CLRCHNL}}.{suffix}")
    assert_files_right(paths, truth)
    back = aw.open_fits(paths)
    assert_all_right(back, truth)
    crop = back.isel(y=slice(2, 15), x=slice(3, None))
    again = aw.to_fits(crop, tmp_path / f"b_{{CLRCHNL}}.{suffix}")
    assert_files_right(again, truth)
    assert_all_right(aw.open_fits(again), truth)


def test_a_long_way_moves_no_star(tmp_path):
    path = write_solved(tmp_path / "raw.fits", "SIP")
    truth = other_program(fits.getheader(path))
    camera = aw.Camera(channels="GRBG", gain=1.5, read_noise=10.0, image_area=AREA)
    ds = aw.to_zarr(aw.calibrate(aw.open_fits(path, camera=camera)), tmp_path / "a.zarr")
    assert_all_right(aw.open_zarr(tmp_path / "a.zarr"), truth)
    for step in range(3):
        paths = aw.to_fits(ds, tmp_path / f"{step}_{{CLRCHNL}}.fits")
        assert_files_right(paths, truth)
        ds = aw.open_fits(paths)
        assert_all_right(ds, truth)
        ds = ds.isel(x=slice(1, -2), y=slice(2, -1))
        ds = aw.to_zarr(ds, tmp_path / f"{step}.zarr")
        assert_all_right(ds, truth)
    merged = aw.to_fits(aw.merge_channels(ds), tmp_path / "merged.fits")
    assert_files_right(merged, truth)
    assert_all_right(aw.open_fits(merged), truth)


def test_a_mosaic_that_was_split_into_files_is_whole_again_when_it_is_merged(tmp_path):
    path = write_solved(tmp_path / "raw.fits", "SIP")
    truth = other_program(fits.getheader(path))
    raw = aw.open_fits(path, camera=BAYER)
    planes = aw.open_fits(aw.to_fits(raw, tmp_path / "{CLRCHNL}.fits"))
    assert_all_right(planes, truth)
    (whole,) = aw.to_fits(aw.merge_channels(planes), tmp_path / "whole.fits")
    assert_files_right([whole], truth)
    back = aw.open_fits(whole)
    assert_all_right(back, truth)
    assert (back["y"].values[:2].tolist(), back["x"].values[:2].tolist()) == ([0, 1], [0, 1])
    header = fits.getheader(whole)
    assert not {"LTV1", "LTM1_1", "CLRCHNL"} & set(header)
    assert [header[f"CHNL{axis}STP"] for axis in "XY"] == [1, 1]


def test_an_hdu_of_its_own_has_the_sky_of_its_own_pixels(tmp_path):
    whole = solved("SIP")
    truth, camera = other_program(whole), aw.Camera(channels="RGGB", gain=1.0, read_noise=1.0)
    frame = aw.split_channels(solved_set(whole), "RGGB")
    hdus = [fits.PrimaryHDU()]
    for channel in range(4):
        system = aw.wcs(frame, channel=channel).to_header(relax=True)
        hdus.append(fits.ImageHDU(frame["image"].values[0, channel], system))
    fits.HDUList(hdus).writeto(tmp_path / "planes.fits")
    chosen = {"B": 4, "R": 1, "G2": 3, "G1": 2}
    ds = aw.open_fits(tmp_path / "planes.fits", hdu=chosen, camera=camera)
    assert_all_right(ds, truth)
    paths = aw.to_fits(ds.isel(x=slice(2, None)), tmp_path / "{CLRCHNL}.fits")
    assert_files_right(paths, truth)
    assert_all_right(aw.open_fits(paths), truth)


# ----------------------------------------------------------------------------- real frames


@pytest.mark.real
def test_a_real_mosaic_keeps_its_sky(real, tmp_path):
    path = real / "panoptes_canon_bayer_crops" / "solved.fits.fz"
    with fits.open(path) as hdus:
        pixels, truth = hdus[1].data, other_program(hdus[1].header)
    camera = aw.Camera(channels="GRBG", gain=1.5, read_noise=10, image_area="[12:651,10:689]")
    science = aw.calibrate(aw.open_fits(path, camera=camera))

    def assert_same_place(system, plane, grid):
        y, x = np.mgrid[0 : plane.shape[0] : 7, 0 : plane.shape[1] : 5]
        raw_y, raw_x = grid.y + grid.y_step * y, grid.x + grid.x_step * x
        np.testing.assert_array_equal(plane[y, x], pixels[raw_y, raw_x])
        expected = truth.all_pix2world(raw_x, raw_y, 0)
        np.testing.assert_allclose(system.all_pix2world(x, y, 0), expected, rtol=0, atol=1e-6)

    def assert_all_the_same(ds):
        for channel in range(4):
            plane = ds["image"].values[0, channel]
            assert_same_place(aw.wcs(ds, channel=channel), plane, grid_of_plane(ds, channel))

    stored = aw.to_zarr(science, tmp_path / "a.zarr")
    paths = aw.to_fits(stored, tmp_path / "{CLRCHNL}.fits.fz")
    back = aw.open_fits(paths)
    crop = back.isel(y=slice(11, 200), x=slice(40, 300))
    more = aw.to_fits(crop, tmp_path / "crop_{CLRCHNL}.fits")
    again = aw.open_fits(more)
    last = aw.to_fits(aw.to_zarr(again, tmp_path / "b.zarr"), tmp_path / "last_{CLRCHNL}.fits")
    for ds in (science, stored, back, crop, again, aw.open_fits(last)):
        assert_all_the_same(ds)
    for files, ds in ((paths, stored), (more, crop), (last, again)):
        for channel, file in enumerate(files):
            with fits.open(file) as hdus:
                hdu = next(hdu for hdu in hdus if hdu.header["NAXIS"])
                grid = grid_of_plane(ds, channel)
                assert_same_place(other_program(hdu.header), hdu.data, grid)


@pytest.mark.real
def test_real_frames_with_every_kind_of_card_keep_their_sky(real, tmp_path):
    path = real / "arcsat_flarecam_xo1_2025" / "XO1-b_z_20250602_041008.fits"
    truth = other_program(fits.getheader(path))
    ds = aw.trim(aw.open_fits(path), "[102:301,51:250]")
    (file,) = aw.to_fits(ds, tmp_path / "cut.fits")
    for system in (ds.autowisp.wcs(), other_program(fits.getheader(file))):
        found = system.all_pix2world([0, 199], [0, 100], 0)
        expected = truth.all_pix2world([101, 300], [50, 150], 0)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_stack_has_the_whole_sky_of_its_frames_or_nothing_of_it(tmp_path):
    """CTYPE and CRPIX alone would put it at 0, 0 degrees, one degree a pixel."""
    same = solved_set(solved("CD"), solved("CD"))
    assert aw.wcs(aw.stack(same)).has_celestial
    other = solved("CD")
    other["CRVAL1"] += 0.1
    stacked = aw.stack(solved_set(solved("CD"), other))
    (path,) = aw.to_fits(stacked, tmp_path / "deep.fits")
    header = fits.getheader(path)
    assert not [card for card in header if card.startswith(("CTYPE", "CRPIX", "CRVAL", "CD1_"))]
    with pytest.raises(aw.HeaderError, match="not solved"):
        aw.wcs(stacked)
