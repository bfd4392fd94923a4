import logging

import pytest
from astropy.io import fits

from autowisp_xr.cli import calibrate, main
from autowisp_xr.errors import BadImageError

DEFAULTS = {
    "saturation_threshold": None,
    "raw_hdu": None,
    "split_channels": False,
    "calibrated_fname": "{PROJHOME}/CAL/{RAWFNAME}_{CLRCHNL}.fits.fz",
    "fnum": "int(1e6 * (JD_OBS - 2.4e6))",
    "exposure_start_utc": 'DATE_OBS if "T" in DATE_OBS else DATE_OBS + "T" + TIME_OBS',
    "exposure_start_jd": None,
    "exposure_seconds": "EXPTIME",
    "overscans": {"areas": None, "method": None},
    "image_area": None,
    "bias_level_adu": 0.0,
    "gain": 1.0,
    "read_noise_electrons": 3.0,
    "leak_directions": [],
    "compress_calibrated": None,
    "allow_overwrite": False,
    "dtype": "float64",
    "diagnostic_quantiles": [0.1, 0.5, 0.9, 0.999],
    "master_bias": None,
    "master_dark": None,
    "master_flat": None,
    "masks": None,
}


def run(*arguments):
    return main(["calibrate", *arguments])


def test_without_options_it_has_the_defaults_of_the_original(frames, calibrator, here, capsys):
    assert run("raw") == 0
    assert calibrator.arguments == {**DEFAULTS, "project_home": str(here)}
    assert set(calibrator.files) == set(frames)
    printed = capsys.readouterr()
    assert printed.out == "calibrated 3 of 3 frames\n"
    assert "calibrated raw/f9.fits, 1 of 3: R pixel_q5=12.5" in printed.err


def test_each_option_becomes_its_argument(frames, calibrator):
    status = run(
        *frames,
        *("--exposure-start-jd", "JD", "--exposure-seconds", "EXPTIME / 1000", "--fnum", "NUM"),
        *("--split-channels", "R(0;0)", "B(1;1)", "--raw-hdu", "R:1", "B:2"),
        *("--saturation-threshold", "5e4", "--image-area", "0,6,0,4", "--gain", "2"),
        *("--bias-level-adu", "-10", "--read-noise-electrons", "7", "--compress-calibrated", "16"),
        *("--master-dark", "R:r.fits", "--master-dark", "B:b.fits", "--master-mask", "R:m", "R:n"),
        *("--calibrated-fname", "out/{RAWFNAME}.fits", "--leak-directions", "-1,0", "0,-1"),
        *("--diagnostic-quantiles", "0.25", "--allow-overwrite", "--project-home", "/project"),
    )
    assert status == 0
    assert calibrator.arguments == DEFAULTS | {
        "exposure_start_utc": None,
        "exposure_start_jd": "JD",
        "exposure_seconds": "EXPTIME / 1000",
        "fnum": "NUM",
        "split_channels": {
            "R": (slice(0, None, 2), slice(0, None, 2)),
            "B": (slice(1, None, 2), slice(1, None, 2)),
        },
        "raw_hdu": {"R": 1, "B": 2},
        "saturation_threshold": 5e4,
        "image_area": {"xmin": 0, "xmax": 6, "ymin": 0, "ymax": 4},
        "gain": 2.0,
        "bias_level_adu": -10.0,
        "read_noise_electrons": 7.0,
        "compress_calibrated": 16.0,
        "master_dark": {"R": "r.fits", "B": "b.fits"},
        "masks": {"R": ["m", "n"]},
        "calibrated_fname": "out/{RAWFNAME}.fits",
        "leak_directions": [(-1, 0), (0, -1)],
        "diagnostic_quantiles": [0.25],
        "allow_overwrite": True,
        "project_home": "/project",
    }


def test_the_project_is_the_current_directory_only_where_a_name_asks_for_it(frames, calibrator):
    assert run("raw", "--calibrated-fname", "{RAWFNAME}.fits") == 0
    assert calibrator.arguments["project_home"] is None


def test_a_single_channel_needs_no_name(frames, calibrator):
    assert run("raw", "--raw-hdu", "0", "--master-bias", "bias.fits") == 0
    assert calibrator.arguments["raw_hdu"] == 0
    assert calibrator.arguments["master_bias"] == "bias.fits"


def test_only_frames_of_which_it_is_true_are_calibrated(frames, calibrator, capsys):
    assert run("raw", "--calibrate-only-if", "IMAGETYP == 'object' and RAWFNAME != 'f9'") == 0
    assert calibrator.files == ["raw/f11.fits"]
    printed = capsys.readouterr().out
    assert printed.startswith("calibrated 1 of 3 frames\nleft out:\n  raw/f9.fits: ")
    assert "raw/f10.fits: IMAGETYP == 'object' and RAWFNAME != 'f9' is False" in printed


def test_that_nothing_was_calibrated_is_in_the_exit_status(frames, calibrator):
    assert run("raw", "--calibrate-only-if", "False") == 1
    assert calibrator.files == []


def test_a_bad_frame_does_not_stop_the_others(frames, calibrator, capsys):
    calibrator.fails = {
        "f9.fits": BadImageError("raw/f9.fits is truncated"),
        "f11.fits": KeyError("what"),
    }
    assert run("raw") == 1
    assert set(calibrator.files) == set(frames)
    printed = capsys.readouterr()
    assert printed.out == (
        "calibrated 1 of 3 frames\nfailed:\n  raw/f9.fits: raw/f9.fits is truncated\n"
        "  raw/f11.fits: KeyError: 'what'\n"
    )
    assert "raw/f9.fits failed, 1 of 3: raw/f9.fits is truncated" in printed.err


def test_debug_shows_the_traceback_of_a_frame(frames, calibrator):
    calibrator.fails = {"f9.fits": KeyError("what")}
    with pytest.raises(KeyError):
        main(["--debug", "calibrate", "raw"])


def test_a_frame_without_a_keyword_of_the_condition_has_failed(frames, calibrator, capsys):
    assert run("raw", "--calibrate-only-if", "FILTER == 'V'") == 1
    assert "raw/f10.fits: the expression" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--master-bias", "R:r.fits"], "--master-bias is given for R, but the channels of"),
        (["--master-bias", "night:r.fits"], "is written ./a:b.fits"),
        (
            ["--split-channels", "R(0;0)", "B(1;1)", "--master-flat", "R:r.fits"],
            "--master-flat is given for R, .* are R, B; missing: B",
        ),
        (
            ["--split-channels", "R(0;0)", "--master-mask", "X:r.fits"],
            "unknown: X",
        ),
        (["--exposure-start-jd", "JD", "--exposure-start-utc", "UTC"], "give one of them"),
        (["--calibrated-fname", "{RAWFNAME"], "the name template '{RAWFNAME'"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    frames, calibrator, capsys, arguments, message
):
    import re

    assert run("raw", *arguments) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1
    assert not hasattr(calibrator, "files")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--image-area", "1,2,3"], "argument --image-area: an area is four whole numbers"),
        (["--split-channels", "R(0)"], "argument --split-channels: a channel is given as"),
        (["--gain", "x"], "argument --gain: 'x' is not a number"),
        (["--gian", "1"], "unrecognized arguments: --gian"),
        (["--master", "x"], "unrecognized arguments: --master"),
        (["--calibrate-only-if", "1 +"], "is not an expression"),
        (["--diagnostic-quantiles", "2"], "from 0 to 1"),
    ],
)
def test_a_wrong_call_names_what_is_wrong(frames, calibrator, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        run("raw", *arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_help_has_units_defaults_and_percent_signs(capsys):
    with pytest.raises(SystemExit) as stop:
        run("--help-all")
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for words in ("e/ADU", "(default: 3.0)", "%Y%m%d", "masters:", "the sensor:", "[CHANNEL:]FILE"):
        assert words in printed


def test_files_that_are_not_there_are_named(here, calibrator, capsys):
    assert run("nowhere/*.fits") == 1
    assert "nowhere/*.fits" in capsys.readouterr().err


def test_the_log_is_left_as_it_was(frames, calibrator):
    log = logging.getLogger("autowisp_xr")
    before = log.level, log.propagate, list(log.handlers)
    assert run("raw", "--verbose", "debug") == 0
    assert (log.level, log.propagate, list(log.handlers)) == before


def test_files_may_stand_after_two_dashes(frames, calibrator):
    assert run("--master-bias", "bias.fits", "--", "raw") == 0
    assert calibrator.arguments["master_bias"] == "bias.fits"
    assert set(calibrator.files) == set(frames)


def test_no_frame_of_a_run_replaces_another(frames, capsys, here):
    (here / "one.fits").write_text("of a run before")
    arguments = ("--exposure-start-jd", "2460000.5", "--allow-overwrite")
    assert main(["calibrate", "raw", *arguments, "--calibrated-fname", "one.fits"]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("calibrated 1 of 3 frames\n")
    assert "f10.fits: raw/f9.fits is to be written to" in printed
    assert fits.getheader("one.fits")["RAWFNAME"] == "f9"


def test_frames_side_by_side_are_what_they_are_one_by_one(frames, capsys, here, monkeypatch):
    words = ("--exposure-start-jd", "2460000.5", "--diagnostic-quantiles", "0.5")
    described = []
    for number in (1, 3):
        monkeypatch.setattr(calibrate, "_AT_A_TIME", number)
        name = f"{number}/{{RAWFNAME}}.fits"
        assert main(["calibrate", "raw", *words, "--calibrated-fname", name]) == 0
        lines = capsys.readouterr().err.splitlines()
        described.append([line.partition("autowisp_xr: ")[2] for line in lines])
    assert described[0] == described[1]
    assert len(described[0]) == 3
    for one, three in zip(*(sorted((here / folder).iterdir()) for folder in "13"), strict=True):
        but = {"ignore_keywords": ["CHECKSUM", "HISTORY"], "ignore_comments": ["DATASUM"]}
        assert fits.FITSDiff(one, three, **but).identical


def test_errors_speak_of_options(frames, capsys, here):
    assert main(["calibrate", *frames[:1], "--calibrated-fname", "one.fits"]) == 1
    assert "--exposure-start-utc: the expression" in capsys.readouterr().out
    (here / "one.fits").write_text("here already")
    known = ("--exposure-start-jd", "2460000.5", "--calibrated-fname", "one.fits")
    assert main(["calibrate", *frames[:1], *known]) == 1
    printed = capsys.readouterr().out
    assert "or --allow-overwrite" in printed
    assert "=True" not in printed


def test_a_full_date_needs_no_time_beside_it(frames, here):
    fits.setval(frames[0], "DATE-OBS", value="2024-03-01T12:00:00")
    assert main(["calibrate", frames[0], "--calibrated-fname", "one.fits"]) == 0
    assert fits.getheader("one.fits")["JD-OBS"] == pytest.approx(2460371.0, abs=0.01)


def test_an_interrupted_run_reports_so_in_a_line(frames, calibrator, capsys):
    calibrator.fails = {"f9.fits": KeyboardInterrupt()}
    assert main(["calibrate", "raw", "--calibrated-fname", "one.fits"]) == 130
    assert capsys.readouterr().err.endswith("autowisp-xr: interrupted; what is done is kept\n")
