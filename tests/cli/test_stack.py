import re

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import schema
from autowisp_xr.cli import main, values


def run(*arguments):
    return main(["stack", *arguments])


NAME = ("--stacked-master-fname", "M/{IMAGETYP}.fits")


def test_without_options_it_has_the_defaults_of_the_original(frames, master_maker, capsys):
    assert run("raw", *NAME) == 0
    assert master_maker.arguments == {
        "outlier_threshold": 5.0,
        "average_func": "median",
        "min_valid_frames": 10,
        "min_valid_values": 5,
        "max_iter": 20,
        "exclude_mask": ("UNUSABLE",),
        "compress": None,
        "add_averaged_keywords": ("JD-OBS",),
    }
    assert master_maker.called == (frames, "M/object.fits", {"allow_overwrite": False})
    assert capsys.readouterr().out == (
        "M/object.fits: median of 3 frames\nstacked:\n"
        "  raw/f9.fits\n  raw/f10.fits\n  raw/f11.fits\n"
    )


def test_each_option_becomes_its_argument(frames, master_maker):
    status = run(
        *("raw", *NAME, "--average-func", "quantile:0.7", "--outlier-threshold", "2", "-3"),
        *("--min-valid-values", "3", "--max-iter", "inf", "--exclude-mask", "HOT", "COSMIC"),
        *("--compress", "16", "--add-averaged-keywords", "--min-valid-frames", "2"),
        *("--allow-overwrite",),
    )
    assert status == 0
    assert master_maker.arguments == {
        "outlier_threshold": (2.0, -3.0),
        "average_func": 0.7,
        "min_valid_frames": 2,
        "min_valid_values": 3,
        "max_iter": np.inf,
        "exclude_mask": ("HOT", "COSMIC"),
        "compress": 16.0,
        "add_averaged_keywords": (),
    }
    assert master_maker.called[2] == {"allow_overwrite": True}


def test_frames_are_matched_in_a_region(frames, master_maker):
    matching = ("--scale", "median", "--sky", "fit:none", "--match-region", "0,4,1,3")
    assert run("raw", *NAME, *matching) == 0
    region = aw.Region(xmin=0, xmax=4, ymin=1, ymax=3)
    assert master_maker.arguments["scale"] == aw.Match("median", region)
    assert master_maker.arguments["sky"] == (aw.Match("fit", region), None)
    assert run("raw", *NAME, "--scale", "1,2,0.5", "--sky", "SKYLEVEL") == 0
    assert master_maker.arguments["scale"] == [1, 2, 0.5]
    assert master_maker.arguments["sky"] == "SKYLEVEL"


def test_a_sum_of_matched_files_states_its_exposure_and_table(here, capsys):
    """Files of 10 s, 20 s and 30 s whose light goes as the exposure."""
    for number in (1, 2, 3):
        header = fits.Header({"IMAGETYP": "object", "EXPTIME": 10.0 * number, "FILTER": "V"})
        image = np.full((4, 6), 100.0 * number, np.float32)
        fits.writeto(here / f"{number}.fits", image, header)
    options = ("--average-func", "sum", "--scale", "exposure", "--min-valid-frames", "2")
    options += ("--outlier-threshold", "1.2", "--allow-overwrite")
    keywords = ("--add-averaged-keywords", "EXPTIME", "--stacked-master-fname", "m.fits")
    options += ("--min-valid-values", "2", *keywords)
    assert run(".", *options) == 0
    image, header = fits.getdata("m.fits"), fits.getheader("m.fits")
    assert image == pytest.approx(np.full((4, 6), 600.0))
    assert header["EXPTIME"] == 60
    assert header["AVRGFUNC"] == "nansum"
    applied = aw.open_fits("m.fits").autowisp.history()[-1]["options"]["applied"]
    assert applied["scale"] == pytest.approx([2, 1, 2 / 3])
    capsys.readouterr()
    assert run("1.fits", "2.fits", "3.fits", *options, "--sky", "NOWHERE") == 1
    assert "1.fits has no number in 'NOWHERE'" in capsys.readouterr().err


def test_the_name_has_keywords_of_the_first_frame_and_options(frames, master_maker, here):
    template = "{PROJECT_HOME}/{CAMSN}_{CLRCHNL}_{MAX_ITER}_{AVERAGE_FUNC}_{EXCLUDE_MASK}.fits"
    assert run("raw", "--stacked-master-fname", template) == 0
    assert master_maker.called[1] == f"{here}/A_7_mono_20_median_UNUSABLE.fits"
    assert run("raw", "--stacked-master-fname", "{PROJHOME}/a.fits", "--project-home", "/p") == 0
    assert master_maker.called[1] == "/p/a.fits"


def test_a_project_with_braces_in_its_name_is_not_filled_in_twice(frames, master_maker, capsys):
    assert run("raw", "--stacked-master-fname", "{PROJHOME}/a.fits", "--project-home", "{p}") == 0
    assert master_maker.called[1] == "{{p}}/a.fits"
    assert capsys.readouterr().out.startswith("{p}/a.fits: ")


def test_a_name_that_asks_for_what_is_not_there_is_refused(frames, master_maker, capsys):
    assert run("raw") == 1
    assert "asks for 'OBSSSNID', which the header does not have" in capsys.readouterr().err
    assert not hasattr(master_maker, "called")


def test_what_was_discarded_is_listed(frames, master_maker, capsys):
    master_maker.returns = (True, ["raw/f10.fits"])
    assert run("raw", *NAME) == 0
    printed = capsys.readouterr().out
    assert "median of 2 frames" in printed
    assert printed.endswith("discarded:\n  raw/f10.fits\n")


def test_frames_of_two_channels_are_not_mixed(frames, capsys):
    for frame in frames:
        fits.setval(frame, "IMAGETYP", value="object")
        fits.setval(frame, "JD-OBS", value=2460000.5)
        fits.setval(frame, "EXPTIME", value=90.0)
    for frame in frames[:2]:
        fits.setval(frame, "CLRCHNL", value="R")
    assert run("raw", *NAME, "--min-valid-frames", "2") == 1
    assert "raw/f11.fits has CLRCHNL None, raw/f9.fits has 'R'" in capsys.readouterr().err
    few = ("--min-valid-frames", "2", "--min-valid-values", "2", "--outlier-threshold", "1")
    assert run(*frames[:2], *few, "--stacked-master-fname", "{CLRCHNL}") == 0
    assert capsys.readouterr().out.startswith("R: median of 2 frames")


def test_too_few_frames_are_in_the_exit_status(frames, master_maker, capsys):
    master_maker.returns = (False, [])
    assert run("raw", *NAME) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("no master: 3 of 3 frames are usable, --min-valid-frames is 10\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--average-func", "mode"], "argument --average-func: an average is median"),
        (["--outlier-threshold", "2", "3"], "--outlier-threshold: a rejection threshold is"),
        (["--exclude-mask", "WARM"], "'WARM' is not a flag"),
        (["--max-iter", "-1"], "-1 is negative"),
        (["--gain", "1"], "unrecognized arguments: --gain"),
    ],
)
def test_a_wrong_call_names_what_is_wrong(frames, master_maker, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        run("raw", *NAME, *arguments)
    assert stop.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_what_share_of_the_master_is_flagged_is_printed(frames, capsys):
    for frame in frames:
        fits.setval(frame, "IMAGETYP", value="zero")
        fits.setval(frame, "JD-OBS", value=2460000.5)
    few = ("--min-valid-frames", "3", "--min-valid-values", "3", "--outlier-threshold", "1.5")
    with fits.open(frames[0], mode="update") as hdus:
        mask = np.zeros((4, 6), np.uint8)
        mask[0] = 4
        hdus.append(fits.ImageHDU(mask, fits.Header({"IMAGETYP": "mask"})))
    assert run("raw", *NAME, *few) == 0
    assert capsys.readouterr().out.startswith(
        "M/zero.fits: median of 3 frames, 25.00% of its pixels flagged for too few values\n"
    )


# ---------------------------------------------------------------------- other rejections


def exposures(number=8):
    """Files of frames with a satellite in one of them, and a calibrated level."""
    values = np.random.default_rng(4).normal(100, 5, (number, 6, 8)).astype("f4")
    values[2, 3] += 500
    header = fits.Header({"IMAGETYP": "object", "EXPTIME": 10.0, "JD-OBS": 2460000.5})
    for i, image in enumerate(values):
        fits.writeto(f"s{i}.fits", image, header)
    return values


def test_ways_to_reject_are_read_with_their_numbers():
    assert values.rejection("mad") == ("mad", ())
    assert values.rejection("ESD: 0.01, 4") == ("esd", (0.01, 4))
    assert values.rejection("minmax:0,2") == ("minmax", (0, 2))


@pytest.mark.parametrize(
    ("name", "reject"),
    {
        "rms": aw.SigmaClip(2.5, max_iter=20),
        "mad": aw.SigmaClip(2.5, scale="mad", max_iter=20),
        "winsorized": aw.WinsorizedSigmaClip(2.5, max_iter=20),
        "linear-fit": aw.LinearFitClip(2.5, max_iter=20),
        "esd:0.01,2": aw.GeneralizedESD(0.01, 2),
        "esd": aw.GeneralizedESD(),
        "minmax:0,2": aw.MinMax(0, 2),
        "percentile:0.5,0.5": aw.Percentile(0.5, 0.5),
    }.items(),
)
def test_outliers_are_rejected_as_by_the_verb(name, reject, here, capsys):
    exposures()
    how = ("--reject", name, "--outlier-threshold", "2.5", "--rejection-maps")
    assert run(".", *NAME, "--min-valid-frames", "8", "--average-func", "mean", *how) == 0
    printed = capsys.readouterr().out
    assert "mean of 8 frames" in printed
    found = aw.open_fits("M/object.fits")
    frames = aw.open_fits("s*.fits")
    expected = aw.stack(
        frames, "mean", reject=reject, exclude="UNUSABLE", min_values=5, rejected=True
    )
    for plane in ("image", "variance", "mask", *schema.NUMBERS_OF_VALUES):
        np.testing.assert_array_equal(found[plane][0], expected[plane])
    assert (found["rejected_high"][0, 0, 3] >= 1).all()


def test_without_maps_there_are_none_and_few_frames_make_no_stack(here, capsys):
    exposures()
    assert run(".", *NAME, "--reject", "esd") == 1
    assert (
        "no master: 8 of 8 frames are usable, --min-valid-frames is 10" in capsys.readouterr().out
    )
    assert run(".", *NAME, "--reject", "none", "--min-valid-frames", "3") == 0
    with fits.open("M/object.fits") as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "ERROR", "MASK", "COUNT"]


def test_noise_that_is_not_known_is_an_error(here, capsys):
    exposures()
    assert run(".", *NAME, "--reject", "noise", "--min-valid-frames", "3") == 1
    assert "NoiseClip needs the variance of the frames" in capsys.readouterr().err
