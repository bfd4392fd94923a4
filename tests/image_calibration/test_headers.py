"""The header of a calibrated frame, card for card."""

import hashlib
import math
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, overscan_methods
from tests.image_calibration.files import BAYER, header_of, read_planes, write_planes, write_raw

SHAPE = (4, 6)
IMAGE = np.arange(24, dtype=np.uint16).reshape(SHAPE)
PLAIN = {"saturation_threshold": 930.0, "compress_calibrated": None, "allow_overwrite": True}
OURS = ["BUNIT", "CLIBSHA", "CMSKSHA", "COVSSHA", "AXRVERS"]
STRUCTURE = ["SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND"]


def run(cards=None, *, raw="raw.fits", **params):
    """Header of a frame with these cards after calibration."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        write_raw(raw, IMAGE, cards)
    Calibrator(**{**PLAIN, **params})(raw, calibrated="out.fits")
    return header_of("out.fits")


def cards_of(header):
    """Keywords without those of the file and of our history."""
    left_out = {*STRUCTURE, "HISTORY", "CHECKSUM", "DATASUM"}
    return [key for key in header if key not in left_out]


def sha1(name):
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha1").hexdigest()


def sha256(name):
    with open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_masters(names=("R",)):
    """Files of all masters for channels of 2 by 3 pixels."""
    files = {}
    for kind in ("bias", "dark", "flat"):
        files[kind] = {
            name: write_planes(
                f"{kind}_{name}.fits", np.ones((2, 3)), np.zeros((2, 3)), np.zeros((2, 3), "u1")
            )
            for name in names
        }
    return files


def test_all_keywords_stand_in_the_order_of_the_original():
    files = write_masters()
    header = run(
        gain=2.5,
        split_channels={"R": BAYER["R"]},
        exposure_start_utc="DATE_OBS + 'T' + TIME_OBS",
        exposure_seconds="EXPTIME * 2",
        fnum="int(JD_OBS)",
        project_home="here",
        extra_header={"OBSERVER": "me", "OBJECT": ("M31", "what it is")},
        overscans={
            "areas": [
                {"xmin": 0, "xmax": 6, "ymin": 0, "ymax": 2},
                {"xmin": 0, "xmax": 2, "ymin": 2, "ymax": 4},
            ],
            "method": overscan_methods.Median(min_pixels=4),
        },
        **files,
    )
    assert cards_of(header) == [
        *("DATE-OBS", "TIME-OBS", "EXPTIME", "IMAGETYP", "RAWFNAME"),
        *("JD-OBS", "FNUM", "PROJHOME", "OBSERVER", "OBJECT"),
        *("LTV1", "LTV2", "LTM1_1", "LTM2_2"),
        *("CLRCHNL", "CHNLXOFF", "CHNLXSTP", "CHNLYOFF", "CHNLYSTP"),
        *("MBIASFNM", "MBIASSHA", "MDARKFNM", "MDARKSHA", "MFLATFNM", "MFLATSHA"),
        *("OVRSCN00", "OVRSCN01", "OVSCNMTD", "OVSCREJT", "OVSCREJM", "OVSCMINP"),
        *("OVSCREJI", "OVSCNPIX", "OVSCCONV"),
        *("IMAGAREA", "CALBGAIN"),
        *OURS,
    ]
    expected = {
        "RAWFNAME": "raw",
        "CLRCHNL": "R",
        "OVRSCN00": "0 < x < 6, 0 < y < 2",
        "OVRSCN01": "0 < x < 2, 2 < y < 4",
        "IMAGAREA": "0 < x < 6, 0 < y < 4",
        "CALBGAIN": 2.5,
        "PROJHOME": "here",
        "OBSERVER": "me",
        "OBJECT": "M31",
        "EXPTIME": 60.0,
        "IMAGETYP": "object",
        "BUNIT": "adu",
        "OVSCNMTD": "Iterative rejection median",
        "OVSCREJM": 10,
        "OVSCMINP": 4,
        "OVSCREJI": 0,
        "OVSCNPIX": 16,
        "OVSCCONV": True,
    }
    assert {key: header[key] for key in expected} == expected
    assert header.comments["OBJECT"] == "what it is"
    middle = Time("2024-03-01T01:02:33.5", scale="utc").jd
    assert math.isclose(header["JD-OBS"], middle, rel_tol=0, abs_tol=2e-9)
    assert header["FNUM"] == int(middle)


def test_each_channel_states_its_own_place_and_masters():
    files = write_masters(BAYER)
    write_raw("raw.fits", IMAGE)
    Calibrator(**PLAIN, split_channels=BAYER, **files)("raw.fits", calibrated="{CLRCHNL}.fits")
    for name, (rows, columns) in BAYER.items():
        header = header_of(f"{name}.fits")
        assert header["CLRCHNL"] == name
        places = [header[f"CHNL{key}"] for key in ("XOFF", "XSTP", "YOFF", "YSTP")]
        assert places == [columns.start, 2, rows.start, 2]
        for kind in ("bias", "dark", "flat"):
            assert header[f"M{kind.upper()}FNM"] == f"{kind}_{name}.fits"
            assert header[f"M{kind.upper()}SHA"] == sha1(f"{kind}_{name}.fits")


def test_history_names_raw_frame_and_masters_with_their_sha_256():
    files = write_masters(BAYER)
    write_raw("raw.fits", IMAGE)
    Calibrator(**PLAIN, split_channels=BAYER, **files)("raw.fits", calibrated="{CLRCHNL}.fits")
    for channel in BAYER:
        records = aw.open_fits(f"{channel}.fits").autowisp.history()
        verbs = [step["verb"] for step in records]
        assert verbs.index("open_planes") < verbs.index("calibrate")
        named = {
            file["path"]: file["sha256"] for step in records for file in step.get("inputs", ())
        }
        used = ["raw.fits", *(files[kind][channel] for kind in files)]
        assert {name: named.get(name) for name in used} == {name: sha256(name) for name in used}
        (options,) = (step["options"] for step in records if step["verb"] == "calibrate")
        assert options["gain"] == 1.0


def test_history_distinguishes_masters():
    identities = set()
    for number in range(2):
        write_planes(f"bias{number}.fits", np.full(SHAPE, number + 1.0))
        run(raw=f"raw{number}.fits", bias=f"bias{number}.fits")
        steps = aw.open_fits("out.fits").autowisp.history()
        identities |= {name for step in steps for name in step["masters"].values()}
    assert len(identities) == 2


def test_an_uncalibrated_single_channel_states_no_more_than_it_must():
    assert cards_of(run()) == [
        *("DATE-OBS", "TIME-OBS", "EXPTIME", "IMAGETYP", "RAWFNAME"),
        *("CHNLXOFF", "CHNLXSTP", "CHNLYOFF", "CHNLYSTP", "IMAGAREA", "CALBGAIN"),
        *OURS,
    ]


def test_components_are_named_as_git_names_their_source():
    header = run()
    from autowisp_xr.image_calibration import calibrator, mask_utilities

    modules = {
        "calibrator": ("CLIBSHA", calibrator),
        "mask_utilities": ("CMSKSHA", mask_utilities),
        "overscan_methods": ("COVSSHA", overscan_methods),
    }
    assert set(Calibrator.module_git_ids) == set(modules)
    for name, (keyword, module) in modules.items():
        with open(module.__file__, "rb") as file:
            source = file.read()
        blob = hashlib.sha1(b"blob %d\0" % len(source) + source).hexdigest()
        assert header[keyword] == Calibrator.module_git_ids[name] == blob


class TestTiming:
    UTC = "DATE_OBS + 'T' + TIME_OBS"

    def test_jd_obs_is_the_middle_of_the_exposure(self):
        header = run(exposure_start_utc=self.UTC)
        middle = Time("2024-03-01T01:02:18.5", scale="utc").jd
        assert math.isclose(header["JD-OBS"], middle, rel_tol=0, abs_tol=2e-9)
        assert header["EXPTIME"] == 30.0
        assert "FNUM" not in header
        assert "PROJHOME" not in header

    def test_new_cards_stand_in_the_order_of_the_original(self):
        header = run(
            fits.Header({"T": 5.0}),
            exposure_start_jd="2460000.5",
            exposure_seconds="2 * T",
            fnum="3",
            project_home="home",
        )
        assert cards_of(header)[:6] == ["T", "RAWFNAME", "JD-OBS", "FNUM", "EXPTIME", "PROJHOME"]
        assert (header["EXPTIME"], header["FNUM"]) == (10.0, 3)

    def test_a_start_may_be_a_julian_date(self):
        header = run({"JD": 2460000.5}, exposure_start_jd="JD", exposure_seconds="EXPTIME * 2")
        assert math.isclose(header["JD-OBS"], 2460000.5 + 30 / 86400, rel_tol=0, abs_tol=2e-9)
        assert header["EXPTIME"] == 60.0

    def test_of_two_starts_the_date_wins(self):
        header = run(exposure_start_utc=self.UTC, exposure_start_jd="1.0")
        assert header["JD-OBS"] > 2.4e6

    def test_an_exposure_without_a_start_gives_no_date(self):
        header = run(exposure_seconds="EXPTIME + 1.5")
        assert header["EXPTIME"] == 31.5
        assert "JD-OBS" not in header

    def test_numbers_of_frames_may_use_the_date(self):
        header = run(exposure_start_utc=self.UTC, fnum="int(1e6 * (JD_OBS - 2.4e6))")
        assert header["FNUM"] == int(1e6 * (header["JD-OBS"] - 2.4e6))

    def test_comments_of_the_raw_frame_stay(self):
        cards = fits.Header(
            [("EXPTIME", 5.0, "as the shutter states"), ("DATE-OBS", "2024-03-01T00:00:00")]
        )
        header = run(cards, exposure_start_utc="DATE_OBS", exposure_seconds="EXPTIME * 1.5")
        assert header["EXPTIME"] == 7.5
        assert header.comments["EXPTIME"] == "as the shutter states"

    def test_a_keyword_that_is_missing_is_named_before_anything_is_written(self, here):
        with pytest.raises(aw.HeaderError, match="needs JD_START, which the header does not have"):
            run(exposure_start_jd="JD_START")
        assert not (here / "out.fits").exists()

    @pytest.mark.parametrize(
        "expressions",
        [
            {"exposure_start_utc": "IMAGETYP"},
            {"exposure_start_utc": "EXPTIME"},
            {"exposure_start_jd": "IMAGETYP"},
            {"exposure_start_jd": "2.4e6", "exposure_seconds": "IMAGETYP"},
        ],
        ids=str,
    )
    def test_what_is_no_time_is_refused_with_the_expression(self, expressions):
        with pytest.raises(aw.HeaderError, match=next(reversed(expressions.values()))):
            run(**expressions)

    @pytest.mark.parametrize(
        ("name", "keyword"), [("exposure_seconds", "EXPTIME"), ("fnum", "FNUM")]
    )
    def test_a_plain_number_will_do(self, name, keyword):
        assert run(**{name: 45})[keyword] == 45


class TestExtraHeader:
    def test_it_replaces_cards_of_the_raw_frame_and_may_carry_comments(self):
        header = run(extra_header={"IMAGETYP": "dark", "TEMP": (-20.5, "of the chip")})
        assert header["IMAGETYP"] == "dark"
        assert (header["TEMP"], header.comments["TEMP"]) == (-20.5, "of the chip")

    def test_it_does_not_replace_what_the_calibration_states(self):
        header = run(extra_header={"CALBGAIN": 99.0, "IMAGAREA": "nowhere"})
        assert header["CALBGAIN"] == 1.0
        assert header["IMAGAREA"] == "0 < x < 6, 0 < y < 4"

    def test_a_header_of_fits_will_do(self):
        header = run(extra_header=fits.Header([("A", 1, "one"), ("B", "two")]))
        assert (header["A"], header.comments["A"], header["B"]) == (1, "one", "two")

    def test_letters_that_a_card_cannot_hold_become_underscores(self):
        assert run(extra_header={"OBSERVER": "Müller"})["OBSERVER"] == "M_ller"

    def test_it_may_be_used_in_the_name(self):
        write_raw("raw.fits", IMAGE)
        Calibrator(**PLAIN, extra_header={"NIGHT": 7})("raw.fits", calibrated="n{NIGHT:03d}.fits")
        assert read_planes("n007.fits").image.shape == SHAPE

    def test_long_keywords_become_hierarch_cards(self):
        header = run(extra_header={"HIERARCH ESO DET DIT": 1.5})
        assert header["ESO DET DIT"] == 1.5


class TestOddCards:
    """Headers of other people, which must not stop a night."""

    def test_every_card_of_the_raw_frame_goes_along(self):
        raw = fits.Header()
        raw.append(fits.Card("HIERARCH ESO DET READ CLOCK", "nod", "a comment"), end=True)
        raw.append(fits.Card("LONGTEXT", "word " * 40, "and so on"), end=True)
        raw.append(fits.Card("TWICE", 1), end=True)
        raw.append(fits.Card("TWICE", 2), end=True)
        raw.append(fits.Card("EMPTY"), end=True)
        raw.add_comment("seen through clouds")
        raw.add_history("made by hand")
        raw.append(fits.Card("EXPTIME", 3.0), end=True)
        header = run(raw)
        assert header["ESO DET READ CLOCK"] == "nod"
        assert header.comments["ESO DET READ CLOCK"] == "a comment"
        assert header["LONGTEXT"] == ("word " * 40).strip()
        assert [header["TWICE", number] for number in range(2)] == [1, 2]
        assert "EMPTY" in header
        assert header["EMPTY"] is None
        assert list(header["COMMENT"]) == ["seen through clouds"]
        assert header["HISTORY"][0] == "made by hand"

    def test_every_card_of_an_hdu_that_was_chosen_goes_along(self):
        first = fits.PrimaryHDU(IMAGE, fits.Header({"SHARED": 1, "FIRST": True}))
        second = fits.ImageHDU(IMAGE + 1)
        second.header.append(fits.Card("LONGTEXT", "word " * 40, "and so on"), end=True)
        second.header.append(fits.Card("SHARED", 2), end=True)
        second.header.append(fits.Card("EXPTIME", 3.0), end=True)
        fits.HDUList([first, second]).writeto("two.fits")
        Calibrator(**PLAIN, raw_hdu=1)("two.fits", calibrated="out.fits")
        header = header_of("out.fits")
        assert header["LONGTEXT"] == ("word " * 40).strip()
        assert (header["SHARED"], header["FIRST"]) == (2, True)
        np.testing.assert_array_equal(read_planes("out.fits").image, IMAGE + 1)

    def test_hierarch_cards_of_an_hdu_that_was_chosen_go_along_without_a_remark(self):
        second = fits.ImageHDU(IMAGE)
        second.header.append(fits.Card("HIERARCH ESO DET DIT", 1.5, "seconds"), end=True)
        fits.HDUList([fits.PrimaryHDU(IMAGE), second]).writeto("two.fits")
        Calibrator(**PLAIN, raw_hdu=1)("two.fits", calibrated="out.fits")
        assert header_of("out.fits")["ESO DET DIT"] == 1.5

    def test_malformed_cards_are_no_obstacle(self):
        write_raw("good.fits", IMAGE, {"BROKEN": "AAAAAAAA", "EXPTIME": 3.0})
        with open("good.fits", "rb") as file:
            content = file.read()
        start = content.index(b"BROKEN  = 'AAAAAAAA'")
        bad = b"BROKEN  = 'unclosed / text"
        with open("bad.fits", "wb") as file:
            file.write(content[:start] + bad.ljust(80) + content[start + 80 :])
        Calibrator(**PLAIN)("bad.fits", calibrated="out.fits")
        assert read_planes("out.fits").image.sum() == IMAGE.sum()
        assert header_of("out.fits")["EXPTIME"] == 3.0
        # and our own door opens it
        assert aw.open_fits("out.fits").sizes["frame"] == 1

    def test_a_compressed_raw_frame_leaves_no_cards_of_its_compression(self):
        write_raw("raw.fits.fz", IMAGE, {"OBJECT": "M31"})
        Calibrator(**PLAIN)("raw.fits.fz", calibrated="out.fits")
        header = header_of("out.fits")
        assert header["OBJECT"] == "M31"
        assert not [key for key in header if key.startswith(("Z", "TTYPE", "TFORM"))]
        assert (header["BITPIX"], header["NAXIS"]) == (-64, 2)
        assert "BZERO" not in header

    def test_structural_cards_of_scaled_integers_do_not_scale_the_result(self):
        header = run()
        assert "BZERO" not in header
        np.testing.assert_array_equal(read_planes("out.fits").image, IMAGE)


class TestNames:
    def test_long_file_names_go_on_over_several_cards(self, here):
        folder = "a_directory_with_quite_a_long_name/and_another_one_below_it/and_one_more"
        (here / folder).mkdir(parents=True)
        master = f"{folder}/master_bias_of_the_night_of_the_first_of_march.fits"
        write_planes(master, np.ones(SHAPE), np.zeros(SHAPE), np.zeros(SHAPE, "u1"))
        raw = f"{folder}/a_raw_frame_whose_name_is_longer_than_a_card_of_a_header_can_hold_it.fits"
        header = run(raw=raw, bias=master)
        assert header["MBIASFNM"] == master
        assert header["MBIASSHA"] == sha1(master)
        assert header["RAWFNAME"] == raw.rpartition("/")[2].removesuffix(".fits")

    def test_letters_that_a_card_cannot_hold_become_underscores(self):
        write_planes("dunkel_für_März.fits", np.ones(SHAPE), mask=np.zeros(SHAPE, "u1"))
        header = run(raw="Äquator.fits", dark="dunkel_für_März.fits")
        assert header["MDARKFNM"] == "dunkel_f_r_M_rz.fits"
        assert header["MDARKSHA"] == sha1("dunkel_für_März.fits")
        assert header["RAWFNAME"] == "_quator"

    @pytest.mark.parametrize(
        ("raw", "name"),
        [("a.fits", "a"), ("a.fits.fz", "a"), ("b.c.fits", "b.c"), ("d.FITS", "d.FITS")],
    )
    def test_the_name_of_the_raw_file_loses_its_endings(self, raw, name):
        assert run(raw=raw)["RAWFNAME"] == name
