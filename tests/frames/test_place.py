"""Where pixels lie in the raw frame survives files, ours and those of other programs."""

import shutil
import subprocess

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.headers.cards import render_header
from autowisp_xr.headers.lazy_header import LazyHeader
from autowisp_xr.headers.place import Place, name_place, place_of, with_place
from autowisp_xr.headers.sensor_grid import PixelGrid, grid_of
from autowisp_xr.regions import ChannelSlice, Region
from tests.solved import SKIES, assert_right_sky, mosaic, other_program, write_solved

BAYER = aw.Camera(channels="RGGB", gain=1.0, read_noise=1.0)
PLACE = ("channel", "y", "x", "y_offset", "x_offset", "y_step", "x_step")


def assert_same_place(one, two):
    for name in PLACE:
        np.testing.assert_array_equal(one[name].values, two[name].values, err_msg=name)


def where(ds):
    """Value that each pixel has if it is where its coordinates state."""
    planes = [
        100 * (ds["y"].values[:, None] + cut.y_offset) + ds["x"].values + cut.x_offset
        for cut in schema.channel_slices(ds)
    ]
    return np.stack(planes)


# ---------------------------------------------------------------------- what headers state


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({}, None),
        ({"LTV1": -5.0, "LTV2": -3.0}, None),
        ({"IMAGETYP": "masterbias"}, None),
        ({"CLRCHNL": "R"}, Place(channel="R", cut=ChannelSlice())),
        (
            {"IMAGAREA": "4 < x < 18, 2 < y < 12", "CHNLXOFF": 1, "CHNLXSTP": 2},
            Place(
                channel="mono",
                cut=ChannelSlice(x_offset=1, x_step=2),
                y=2,
                x=4,
                height=12,
                width=18,
            ),
        ),
        # the classes count from the corner of the area, however many super-pixels that is
        (
            {"IMAGAREA": "4 < x < 18, 2 < y < 12", "CHNLYOFF": 5, "CHNLYSTP": 2},
            Place(
                channel="mono",
                cut=ChannelSlice(y_offset=1, y_step=2),
                y=6,
                x=4,
                height=12,
                width=18,
            ),
        ),
        ({"CHNLXOFF": 1, "CHNLYSTP": 2}, Place(channel="mono", cut=ChannelSlice())),
        ({"IMAGAREA": "all of it"}, Place(channel="mono", cut=ChannelSlice())),
        # no frame reaches as far
        ({"CHNLXOFF": 0, "CHNLXSTP": 10**60}, Place(channel="mono", cut=ChannelSlice())),
        ({"CHNLYOFF": 10**30, "CHNLYSTP": 2}, Place(channel="mono", cut=ChannelSlice())),
        (
            {"IMAGAREA": f"0 < x < 9, {10**20} < y < {10**20 + 9}"},
            Place(channel="mono", cut=ChannelSlice()),
        ),
    ],
)
def test_a_header_states_where_its_image_lies(cards, expected):
    place = place_of(fits.Header(cards))
    assert place == expected
    if place is not None:
        grid = grid_of(fits.Header(cards))
        assert (grid.y, grid.x) == (place.y + place.cut.y_offset, place.x + place.cut.x_offset)
        assert (grid.y_step, grid.x_step) == (place.cut.y_step, place.cut.x_step)


@pytest.mark.parametrize(
    ("cards", "start"),
    [
        ({"LTV1": -5.0, "LTV2": -3}, (3, 5)),
        ({"LTV1": -5.0, "LTM1_1": 1.0, "LTM2_2": 1, "LTM1_2": 0.0}, (0, 5)),
        ({"LTV2": "-3.0"}, (3, 0)),
        ({"LTV1": 0.0, "LTV2": 0.0}, (0, 0)),
        ({"LTV1": 5.0, "LTV2": -3.0}, None),
        ({"LTV1": -5.5, "LTV2": -3.0}, None),
        ({"LTV1": -5.0, "LTM1_1": 0.5}, None),
        ({"LTV1": -5.0, "LTM2_1": 1.0}, None),
        ({"LTV1": "left", "LTV2": -3.0}, None),
        ({"LTV1": -1e30, "LTV2": -3.0}, None),
        ({"LTM1_1": 1.0}, None),
    ],
)
def test_a_master_of_another_program_states_it_by_ltv(cards, start):
    header = fits.Header({"IMAGETYP": "Master Dark", "NAXIS1": 20, "NAXIS2": 10, **cards})
    place = place_of(header)
    if start is None:
        assert place is None
    else:
        y, x = start
        assert place == Place(
            channel="mono",
            cut=ChannelSlice(),
            y=y,
            x=x,
            height=y + 10,
            width=x + 20,
            split=False,
        )


def test_a_place_is_written_only_where_the_header_states_something_else():
    cut, area = ChannelSlice(x_offset=1, x_step=2), Region(xmin=4, xmax=18, ymin=2, ymax=12)
    header = fits.Header({"OBJECT": "M1"})
    lazy = LazyHeader(render_header(header))
    placed = with_place(lazy, cut, area)
    assert list(lazy) == ["OBJECT"]
    assert grid_of(placed) == PixelGrid(x=5, y=2, x_step=2)
    assert with_place(placed, cut, area) is placed
    name_place(header, cut, area)
    assert list(header) == list(placed)


# ---------------------------------------------------------------------- other people's masters


@pytest.fixture
def foreign(tmp_path):
    """Writer of a master of another program, of numbered pixels, cut by (y, x)."""

    def write(y, x, name="bias.fits", **cards):
        described = {"IMAGETYP": "masterbias", "LTV1": float(-x), "LTV2": float(-y), **cards}
        image = mosaic()[y : y + 20, x : x + 30].astype("f4")
        fits.PrimaryHDU(image, fits.Header(described)).writeto(tmp_path / name)
        return tmp_path / name

    return write


def test_a_master_that_another_program_cut_lies_where_it_was_cut(foreign, tmp_path):
    bias = aw.open_fits(foreign(3, 5))
    assert (bias["y"].values[0], bias["x"].values[-1]) == (3, 34)
    np.testing.assert_array_equal(bias["image"].values[0], where(bias))
    raw = aw.open_fits(write_solved(tmp_path / "raw.fits", "CD"))
    area = {"xmin": 5, "xmax": 35, "ymin": 3, "ymax": 23}
    camera = aw.Camera(gain=1.0, read_noise=1.0, image_area=area)
    science = aw.calibrate(raw, bias=bias, camera=camera)
    assert (science["image"].values == 0).all()
    beside = {name: value + 1 for name, value in area.items()}
    with pytest.raises(aw.MasterMismatchError, match="raw pixels 3 to 22"):
        aw.calibrate(raw, bias=bias, camera=aw.Camera(gain=1, read_noise=1, image_area=beside))


@pytest.mark.parametrize("start", [(0, 0), (2, 4), (3, 5), (3, 4)])
def test_the_colours_of_such_a_master_are_those_of_the_raw_frame(foreign, tmp_path, start):
    bias = aw.open_fits(foreign(*start), camera=BAYER)
    assert schema.names(bias, "channel") == ["R", "G1", "G2", "B"]
    np.testing.assert_array_equal(bias["image"].values[0], where(bias))
    y, x = start
    camera = aw.Camera(
        channels="RGGB",
        gain=1.0,
        read_noise=1.0,
        image_area={"xmin": x, "xmax": x + 30, "ymin": y, "ymax": y + 20},
    )
    raw = aw.open_fits(write_solved(tmp_path / "raw.fits", "CD"), camera=camera)
    assert (aw.calibrate(raw, bias=bias)["image"].values == 0).all()


def test_such_a_master_written_by_us_states_all_of_it(foreign, tmp_path):
    path = foreign(3, 5, **SKIES["SIP"])
    truth = other_program(fits.getheader(path))
    bias = aw.open_fits(path)
    system = aw.wcs(bias)
    assert system.wcs.crpix.tolist() == truth.wcs.crpix.tolist()
    crop = bias.isel(x=slice(4, 20), y=slice(1, None))
    (out,) = aw.to_fits(schema.as_master(crop), tmp_path / "out.fits")
    header = fits.getheader(out)
    assert header["IMAGAREA"] == "9 < x < 25, 4 < y < 23"
    assert (header["LTV1"], header["LTV2"]) == (-9.0, -4.0)
    assert (header["CRPIX1"], header["CRPIX2"]) == (20.5 - 4, 14.25 - 1)
    back = aw.open_fits(out)
    assert_same_place(back, crop)
    np.testing.assert_array_equal(back["image"].values[0], where(back))


def test_masters_that_start_elsewhere_do_not_go_together(foreign):
    paths = [foreign(3, 5), foreign(3, 4, "b.fits")]
    with pytest.raises(aw.ImageMismatchError, match=r"row 3, column 5: .*bias.*\n.*column 4: .*b"):
        aw.open_fits(paths)


def test_sections_of_a_raw_frame_count_stored_pixels_whatever_its_ltv_states(raw):
    path = raw(cards={"LTV1": -3.0, "LTV2": -1.0, "TRIMSEC": "[2:7,2:5]"})
    ds = aw.open_fits(path)
    assert (ds["y"].values[0], ds["x"].values[0]) == (0, 0)
    cut = aw.trim(ds)
    assert (cut["y"].values[0], cut["x"].values[0]) == (1, 1)
    (out,) = aw.to_fits(cut, path.with_name("out.fits"))
    header = fits.getheader(out)
    # the detector's pixels: one row and column more are gone
    assert (header["LTV1"], header["LTV2"], header["IMAGAREA"]) == (-4, -2, "1 < x < 7, 1 < y < 5")
    back = aw.open_fits(out)
    assert_same_place(back, cut)


# ------------------------------------------------------------------------------- our files


@pytest.mark.parametrize("suffix", ["fits", "fits.fz"])
@pytest.mark.parametrize(
    "camera", [aw.Camera(gain=1.0, read_noise=1.0), BAYER], ids=["mono", "colour"]
)
def test_the_place_of_a_frame_comes_back(camera, suffix, tmp_path):
    path = write_solved(tmp_path / "raw.fits", "CD")
    raw = aw.open_fits(path, camera=camera)
    science = aw.calibrate(aw.trim(raw, {"xmin": 3, "xmax": 39, "ymin": 1, "ymax": 37}))
    for number, ds in enumerate((raw, science, science.isel(x=slice(5, 9), y=[2]))):
        back = aw.open_fits(aw.to_fits(ds, tmp_path / f"{number}_{{CLRCHNL}}.{suffix}"))
        order = [schema.names(ds, "channel").index(name) for name in schema.names(back, "channel")]
        expected = ds.isel(channel=order)
        assert_same_place(back, expected)
        np.testing.assert_array_equal(back["image"].values[0], where(back))


def test_every_other_pixel_comes_back_to_its_place(tmp_path):
    path = write_solved(tmp_path / "raw.fits", "SIP")
    truth = other_program(fits.getheader(path))
    ds = aw.open_fits(path).isel(x=slice(3, 50, 2), y=slice(None, None, 3))
    (out,) = aw.to_fits(ds, tmp_path / "out.fits")
    back = aw.open_fits(out)
    np.testing.assert_array_equal(back["x"].values, ds["x"].values)
    np.testing.assert_array_equal(back["y"].values, ds["y"].values)
    np.testing.assert_array_equal(back["image"].values, ds["image"].values)
    assert_right_sky(back["image"][0, 0], aw.wcs(back), truth)
    assert_right_sky(back["image"][0, 0], other_program(fits.getheader(out)), truth)


def test_pixels_picked_at_will_cannot_be_written(tmp_path):
    ds = aw.open_fits(write_solved(tmp_path / "raw.fits", "CD")).isel(x=[1, 2, 9])
    with pytest.raises(aw.ImageMismatchError, match="'x' holds the raw-frame pixels 1, 2, 9"):
        aw.to_fits(ds, tmp_path / "out.fits")
    assert not (tmp_path / "out.fits").exists()


def test_a_whole_raw_frame_goes_without_cards_of_its_place(tmp_path):
    path = write_solved(tmp_path / "raw.fits", "SIP")
    before = fits.getheader(path)
    (out,) = aw.to_fits(aw.open_fits(path), tmp_path / "out" / "raw.fits")
    header = fits.getheader(out)
    assert not {"LTV1", "IMAGAREA", "CHNLXSTP"} & set(header)
    assert {name: header[name] for name in SKIES["SIP"]} == {
        name: before[name] for name in SKIES["SIP"]
    }


def test_a_frame_without_a_sky_has_its_place_only(tmp_path):
    fits.PrimaryHDU(mosaic()).writeto(tmp_path / "raw.fits")
    ds = aw.trim(aw.open_fits(tmp_path / "raw.fits"), "[4:20,3:30]")
    header = fits.getheader(aw.to_fits(ds, tmp_path / "out.fits")[0])
    assert [header[name] for name in ("LTV1", "LTV2", "LTM1_1", "LTM2_2")] == [-3, -2, 1, 1]
    assert not [name for name in header if name.startswith(("CRPIX", "CD", "PC"))]


@pytest.mark.parametrize("form", SKIES)
@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="there is no fitsverify")
def test_files_are_clean(form, tmp_path):
    path = write_solved(tmp_path / "raw.fits", form)
    camera = aw.Camera(channels="GRBG", gain=1.5, read_noise=10.0, image_area="[4:39,2:37]")
    science = aw.calibrate(aw.open_fits(path, camera=camera))
    files = aw.to_fits(science, tmp_path / "{CLRCHNL}.fits")
    files += aw.to_fits(science, tmp_path / "{CLRCHNL}.fits.fz")
    done = subprocess.run(["fitsverify", "-q", *files], capture_output=True, text=True, check=False)
    assert done.stdout.count("verification OK") == len(files), done.stdout
    assert "warning" not in done.stdout.lower()


def test_a_master_that_was_made_here_knows_its_place_whatever_its_header_states(tmp_path):
    """Frames of a real camera have no IMAGAREA, and neither has what is stacked of them."""
    header = fits.Header({"IMAGETYP": "bias", "EXPTIME": 0.0})
    for number in (1, 2):
        pixels = np.arange(240, dtype="u2").reshape(12, 20)
        fits.PrimaryHDU(pixels, header).writeto(tmp_path / f"bias{number}.fits")
    here, there = (
        aw.open_fits(tmp_path, camera=aw.Camera(gain=1, read_noise=1, image_area=area))
        for area in ("[3:12,3:8]", "[5:14,4:9]")
    )
    bias = aw.master_bias(here)
    with pytest.raises(aw.MasterMismatchError, match="raw pixels 2 to 7"):
        aw.calibrate(there, bias=bias)
    # neither does one that counts from zero, as the whole frame does
    corner = aw.master_bias(here, camera=aw.Camera(gain=1, read_noise=1, image_area="[1:10,1:6]"))
    with pytest.raises(aw.MasterMismatchError, match="raw pixels 0 to 5"):
        aw.calibrate(there, bias=corner)
    # one of a file that does not state where it lies is taken by its size, as DESIGN has it
    for path in aw.to_fits(bias, tmp_path / "masters" / "{IMAGETYP}.fits"):
        with fits.open(path, mode="update") as hdus:
            for card in ("IMAGAREA", "LTV1", "LTV2", "LTM1_1", "LTM2_2", "HISTORY"):
                hdus[0].header.remove(card, remove_all=True)
            for card in ("CHNLXOFF", "CHNLXSTP", "CHNLYOFF", "CHNLYSTP"):
                hdus[0].header.remove(card)
        unplaced = aw.open_fits(path)
    science = aw.calibrate(there, bias=unplaced)
    assert science["x"].values[0] == 4
