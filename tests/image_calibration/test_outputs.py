"""What is written, where, under which name, how compressed; and what is returned."""

import os

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, calibrated_frame, calibrator
from tests.image_calibration.files import (
    BAYER,
    header_of,
    read_planes,
    write_planes,
    write_raw,
)

SHAPE = (6, 40)


@pytest.fixture
def image():
    values = np.random.default_rng(8).normal(1000, 10, SHAPE)
    write_raw("raw1.fits", values)
    return values


@pytest.fixture
def plain():
    return Calibrator(saturation_threshold=5e4, compress_calibrated=None)


def level_of(path):
    """ZCMPTYPE of each HDU with pixels; None where there is none."""
    with fits.open(path, disable_image_compression=True) as hdus:
        full = [hdu for hdu in hdus if hdu.header["NAXIS"]]
        return [hdu.header.get("ZCMPTYPE") for hdu in full]


class TestNames:
    @pytest.mark.parametrize("keyword", ["calibrated", "calibrated_fname"])
    def test_a_name_needs_no_directory(self, image, plain, here, keyword):
        assert plain("raw1.fits", **{keyword: "out.fits"}) is None
        assert (here / "out.fits").is_file()

    def test_directories_are_made(self, image, plain, here):
        plain("raw1.fits", calibrated="CAL/tonight/out.fits")
        assert [path.name for path in (here / "CAL/tonight").iterdir()] == ["out.fits"]

    def test_a_path_is_a_name(self, image, plain, here):
        plain("raw1.fits", calibrated=here / "deep" / "{RAWFNAME}.fits")
        assert (here / "deep" / "raw1.fits").is_file()

    def test_templates_know_raw_name_channel_and_number(self, image, plain, here):
        plain(
            "raw1.fits",
            split_channels=BAYER,
            fnum="12",
            calibrated="CAL/{RAWFNAME}_{CLRCHNL}_{FNUM:04d}.fits",
        )
        written = sorted(path.name for path in (here / "CAL").iterdir())
        assert written == [f"raw1_{name}_0012.fits" for name in ("B", "G1", "G2", "R")]

    @pytest.mark.parametrize("home", ["project", "absolute"])
    def test_the_home_of_the_project_may_be_a_path_in_a_name(self, image, plain, here, home):
        home = str(here / "some" / "where") if home == "absolute" else "some/where"
        plain("raw1.fits", project_home=home, calibrated="{PROJHOME}/CAL/{RAWFNAME}.fits.fz")
        assert header_of(here / "some/where/CAL/raw1.fits.fz")["PROJHOME"] == home

    def test_a_path_object_is_a_home(self, image, plain, here):
        plain("raw1.fits", project_home=here / "some", calibrated="{PROJHOME}/{RAWFNAME}.fits")
        assert (here / "some" / "raw1.fits").is_file()

    def test_values_of_cards_do_not_choose_directories(self, plain, here):
        write_raw("raw.fits", np.ones(SHAPE), {"OBJECT": "../M31"})
        plain("raw.fits", calibrated="CAL/{OBJECT}.fits")
        assert [path.name for path in (here / "CAL").iterdir()] == [".._M31.fits"]

    def test_no_name_is_an_error_that_shows_how_to_give_one(self, image, plain):
        with pytest.raises(aw.CalibrationError, match=r"give calibrated='name\.fits'"):
            plain("raw1.fits")

    def test_a_keyword_that_is_not_there_is_named(self, image, plain, here):
        with pytest.raises(aw.HeaderError, match="asks for 'NIGHT', which the header"):
            plain("raw1.fits", calibrated="CAL/{NIGHT}.fits")
        assert not (here / "CAL").exists()

    def test_two_channels_of_one_name_are_refused_before_anything_is_written(
        self, image, plain, here
    ):
        with pytest.raises(aw.CalibrationError, match=r"would all be 'CAL/raw1\.fits'.*CLRCHNL"):
            plain("raw1.fits", split_channels=BAYER, calibrated="CAL/{RAWFNAME}.fits")
        assert not (here / "CAL").exists()

    def test_two_channels_whose_names_are_one_file_are_refused(self, image, plain, here):
        # as values of cards that differ may lead to one place
        split = {"a/b": BAYER["R"], "a_b": BAYER["B"]}
        with pytest.raises(aw.CalibrationError, match="CLRCHNL"):
            plain("raw1.fits", split_channels=split, calibrated="{CLRCHNL}.fits")


class TestOverwriting:
    @pytest.fixture
    def untouched(self, monkeypatch):
        """Nothing may be computed."""

        def refuse(*_, **__):
            raise AssertionError("a frame was calibrated for nothing")

        monkeypatch.setattr(calibrator, "calibrate_frame", refuse)
        monkeypatch.setattr(calibrated_frame, "calibrated", refuse)

    def test_an_existing_file_is_refused_before_anything_is_computed(
        self, image, plain, here, untouched
    ):
        (here / "out.fits").write_text("mine")
        with pytest.raises(FileExistsError, match=r"'out\.fits' exists already.*allow_overwrite"):
            plain("raw1.fits", calibrated="out.fits")
        assert (here / "out.fits").read_text() == "mine"

    def test_one_existing_file_among_the_channels_stops_them_all(
        self, image, plain, here, untouched
    ):
        (here / "B.fits").write_text("mine")
        with pytest.raises(FileExistsError, match=r"B\.fits"):
            plain("raw1.fits", split_channels=BAYER, calibrated="{CLRCHNL}.fits")
        assert sorted(path.name for path in here.iterdir()) == ["B.fits", "raw1.fits"]

    def test_a_dangling_link_is_an_existing_file(self, image, plain, here, untouched):
        os.symlink("nowhere", here / "out.fits")
        with pytest.raises(FileExistsError):
            plain("raw1.fits", calibrated="out.fits")

    def test_it_may_be_allowed(self, image, plain, here):
        (here / "out.fits").write_text("mine")
        plain("raw1.fits", calibrated="out.fits", allow_overwrite=True)
        np.testing.assert_array_equal(read_planes("out.fits").image, image)
        with pytest.raises(FileExistsError):
            plain("raw1.fits", calibrated="out.fits")

    def test_the_raw_frame_itself_is_not_overwritten_unasked(self, image, plain):
        with pytest.raises(FileExistsError):
            plain("raw1.fits", calibrated="{RAWFNAME}.fits")
        np.testing.assert_array_equal(fits.getdata("raw1.fits"), image)

    def test_a_name_in_gz_is_refused(self, image, plain):
        with pytest.raises(ValueError, match="gz"):
            plain("raw1.fits", calibrated="out.fits.gz")

    @pytest.mark.parametrize("name", ["", "CAL/"])
    def test_a_name_that_names_no_file_is_refused(self, image, plain, name):
        with pytest.raises((ValueError, OSError), match="name"):
            plain("raw1.fits", calibrated=name)

    def test_a_directory_in_the_place_of_the_file_is_refused(self, image, plain, here):
        (here / "out.fits").mkdir()
        with pytest.raises(OSError, match=r"out\.fits"):
            plain("raw1.fits", calibrated="out.fits", allow_overwrite=True)

    def test_no_temporary_file_stays_behind(self, image, plain, here):
        plain("raw1.fits", calibrated="out.fits")
        assert sorted(path.name for path in here.iterdir()) == ["out.fits", "raw1.fits"]


class TestCompression:
    def check(self, image, path, level):
        assert level_of(path) == ["RICE_1"] * 3
        step = np.abs(np.diff(image, axis=1)).max(axis=1).min() / level
        found = read_planes(path)
        off = np.abs(found.image - image).max()
        assert 0 < off < step
        assert found.mask.dtype == np.uint8

    def test_sixteen_is_the_usual_level(self, image):
        Calibrator(saturation_threshold=5e4)("raw1.fits", calibrated="out.fits.fz")
        self.check(image, "out.fits.fz", 16)

    def test_true_is_sixteen(self, image, here):
        for name, value in (("a.fits", True), ("b.fits", 16)):
            Calibrator(saturation_threshold=5e4, compress_calibrated=value)(
                "raw1.fits", calibrated=name
            )
        for ours, theirs in zip(read_planes("a.fits"), read_planes("b.fits"), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_a_higher_level_rounds_less(self, image):
        calibrate = Calibrator(saturation_threshold=5e4)
        calibrate("raw1.fits", calibrated="a.fits.fz")
        calibrate("raw1.fits", calibrated="b.fits.fz", compress_calibrated=160)
        off = {n: np.abs(read_planes(f"{n}.fits.fz").image - image).max() for n in "ab"}
        assert 0 < off["b"] < off["a"] / 4

    @pytest.mark.parametrize("value", [None, False, 0])
    def test_none_and_false_of_a_call_switch_it_off(self, image, value):
        calibrate = Calibrator(saturation_threshold=5e4)
        calibrate("raw1.fits", calibrated="out.fits", compress_calibrated=value)
        assert level_of("out.fits") == [None] * 3
        np.testing.assert_array_equal(read_planes("out.fits").image, image)

    def test_without_loss_a_name_in_fz_is_a_compressed_file_still(self, image, plain):
        plain("raw1.fits", calibrated="out.fits.fz")
        assert None not in level_of("out.fits.fz")
        np.testing.assert_array_equal(read_planes("out.fits.fz").image, image)

    def test_a_mask_is_never_rounded(self, plain):
        rng = np.random.default_rng(1)
        mask = rng.integers(0, 128, SHAPE).astype(np.uint8) & ~np.uint8(48)
        write_raw("raw.fits", rng.normal(100, 5, SHAPE))
        write_planes("mask.fits", np.zeros(SHAPE), mask=mask)
        plain("raw.fits", calibrated="o.fits.fz", masks="mask.fits", compress_calibrated=1)
        np.testing.assert_array_equal(read_planes("o.fits.fz").mask, mask)

    @pytest.mark.parametrize("value", [-4, "16"])
    def test_what_is_no_level_is_refused(self, image, here, value):
        calibrate = Calibrator(saturation_threshold=5e4, compress_calibrated=value)
        with pytest.raises(ValueError, match="compress"):
            calibrate("raw1.fits", calibrated="CAL/out.fits")
        assert not (here / "CAL").exists()


class TestPlanes:
    def test_the_image_is_the_primary_hdu_and_error_and_mask_follow(self, image, plain):
        plain("raw1.fits", calibrated="out.fits")
        with fits.open("out.fits", checksum=True) as hdus:
            assert [type(hdu).__name__ for hdu in hdus] == ["PrimaryHDU", "ImageHDU", "ImageHDU"]
            assert [hdu.header["BITPIX"] for hdu in hdus] == [-64, -64, 8]
            kinds = [hdu.header["IMAGETYP"] for hdu in hdus]
            assert kinds == ["object", "error", "mask"]
            hdus.verify("exception")

    def test_a_compressed_file_has_an_empty_primary_hdu(self, image):
        Calibrator(saturation_threshold=5e4)("raw1.fits", calibrated="out.fits.fz")
        with fits.open("out.fits.fz", checksum=True) as hdus:
            assert [hdu.header["NAXIS"] for hdu in hdus] == [0, 2, 2, 2]
            assert [hdu.header["BITPIX"] for hdu in hdus[1:]] == [-64, -64, 8]
            hdus.verify("exception")

    def test_our_own_door_opens_it(self, image, plain):
        plain("raw1.fits", calibrated="{CLRCHNL}.fits", split_channels=BAYER, gain=2.0)
        ds = aw.open_fits([f"{name}.fits" for name in BAYER])
        assert ds["channel"].values.tolist() == list(BAYER)
        assert ds.sizes["frame"] == 1
        for name, place in BAYER.items():
            found = ds.sel(channel=name).isel(frame=0)
            np.testing.assert_allclose(found["image"].values, image[place], rtol=1e-6)
            np.testing.assert_allclose(found["variance"].values, image[place] / 2, rtol=1e-6)

    def test_the_raw_frame_is_only_read(self, image, plain, here):
        before = (here / "raw1.fits").read_bytes()
        plain("raw1.fits", calibrated="out.fits", bias_level_adu=5.0)
        assert (here / "raw1.fits").read_bytes() == before


class TestDiagnostics:
    def test_quantiles_of_the_good_pixels_of_each_channel_are_returned(self, image, plain):
        found = plain(
            "raw1.fits",
            split_channels=BAYER,
            calibrated="{CLRCHNL}.fits",
            diagnostic_quantiles=[0.5, 0.999, 1e-5, 0.1],
        )
        assert list(found) == list(BAYER)
        for name, place in BAYER.items():
            names, values = zip(*found[name], strict=True)
            assert names == ("pixel_q5", "pixel_q999", "pixel_q00001", "pixel_q1")
            expected = np.quantile(image[place], [0.5, 0.999, 1e-5, 0.1])
            np.testing.assert_allclose(values, expected, rtol=1e-13)
            assert all(type(value) is float for value in values)

    def test_flagged_pixels_do_not_count(self, plain):
        write_raw("raw.fits", np.array([[1.0, 2.0, 3.0, 99.0, np.nan]]))
        found = plain(
            "raw.fits", calibrated="o.fits", saturation_threshold=10, diagnostic_quantiles=(0.5,)
        )
        assert found == {None: [("pixel_q5", 2.0)]}

    def test_a_channel_without_a_good_pixel_is_left_out(self, plain):
        values = np.ones((2, 4))
        values[BAYER["G1"]] = 99.0
        write_raw("raw.fits", values)
        found = plain(
            "raw.fits",
            calibrated="{CLRCHNL}.fits",
            split_channels=BAYER,
            saturation_threshold=10,
            diagnostic_quantiles=[0.5],
        )
        assert list(found) == ["R", "G2", "B"]

    def test_without_quantiles_nothing_is_returned_and_with_none_of_them_an_empty_list(
        self, image, plain
    ):
        assert plain("raw1.fits", calibrated="a.fits") is None
        found = plain("raw1.fits", calibrated="b.fits", diagnostic_quantiles=[])
        assert found == {None: []}

    def test_quantiles_beyond_one_are_refused_before_the_file_is_written(self, image, plain, here):
        with pytest.raises(ValueError, match=r"[Qq]uantiles"):
            plain("raw1.fits", calibrated="out.fits", diagnostic_quantiles=[1.5])
        assert not (here / "out.fits").exists()
