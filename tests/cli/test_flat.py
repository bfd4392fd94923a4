import re

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage

from autowisp_xr.cli import main
from autowisp_xr.image_smoothing import (
    ChainSmoother,
    PolynomialImageSmoother,
    SplineImageSmoother,
    WrapFilterAsSmoother,
)

NAMES = (
    *("--high-flat-master-fname", "M/high_{CAMSN}.fits"),
    *("--low-flat-master-fname", "M/low.fits"),
)

DEFAULTS = {
    "stamp_statistics_config": {
        "fraction": 0.5,
        "smoother": PolynomialImageSmoother(
            num_x_terms=3, num_y_terms=3, outlier_threshold=3.0, max_iterations=1
        ),
        "outlier_threshold": 3.0,
        "max_iter": 3,
        "average": "mean",
    },
    "stamp_select_config": {
        "max_saturated_fraction": 1e-4,
        "var_mean_fit_threshold": 2.0,
        "var_mean_fit_iterations": 2,
        "cloudy_night_threshold": 5000.0,
        "cloudy_frame_threshold": 2.0,
        "min_high_mean": 6000.0,
        "max_low_mean": 3000.0,
    },
    "large_scale_smoother": ChainSmoother(
        WrapFilterAsSmoother(ndimage.median_filter, size=12),
        SplineImageSmoother(num_x_nodes=4, num_y_nodes=4, outlier_threshold=5.0, max_iterations=1),
        bin_factor=4,
        zoom_interp_order=4,
    ),
    "cloud_check_smoother": WrapFilterAsSmoother(
        ndimage.median_filter, size=8, bin_factor=4, zoom_interp_order=4
    ),
    "master_stack_config": {
        "min_pointing_separation": 150.0,
        "large_scale_deviation_threshold": 0.05,
        "min_high_combine": 10,
        "min_low_combine": 5,
        "large_scale_stack_options": {
            "outlier_threshold": 4.0,
            "average_func": "median",
            "min_valid_values": 3,
            "max_iter": 1,
            "exclude_mask": ("UNUSABLE",),
        },
        "master_stack_options": {
            "outlier_threshold": (2.0, -3.0),
            "average_func": "median",
            "min_valid_values": 3,
            "max_iter": 3,
            "exclude_mask": ("UNUSABLE",),
            "add_averaged_keywords": ("JD-OBS",),
        },
    },
}


def run(*arguments):
    return main(["flat", *arguments])


def test_without_options_it_has_the_defaults_of_the_original(frames, master_flat_maker, capsys):
    for frame in frames:
        fits.setval(frame, "OBSSSNID", value=3)
    assert run("raw") == 0
    assert master_flat_maker.arguments == DEFAULTS
    files, high, low, options = master_flat_maker.called
    assert files == frames
    assert high == "MASTERS/flat_A_7_mono_3.fits.fz"
    assert low == "MASTERS/lowflat_A_7_mono_3.fits.fz"
    assert options == {"compress": None, "allow_overwrite": False}
    assert capsys.readouterr().out == (
        "MASTERS/flat_A_7_mono_3.fits.fz: median of 1 frames\n"
        "MASTERS/lowflat_A_7_mono_3.fits.fz: median of 1 frames\n"
        "high:\n  raw/f9.fits: it is high\n"
        "low:\n  raw/f10.fits: it is low\n"
        "medium:\n  raw/f11.fits: it is medium\n"
    )


def test_each_option_becomes_its_argument(frames, master_flat_maker):
    status = run(
        *("raw", *NAMES, "--stamp-fraction", "0.75", "--stamp-smoothing-num-x-terms", "4"),
        *("--stamp-smoothing-num-y-terms", "5", "--stamp-smoothing-outlier-threshold", "6", "-7"),
        *("--stamp-smoothing-max-iterations", "inf", "--stamp-pixel-average", "nanmedian"),
        *("--stamp-pixel-outlier-threshold", "2", "-4", "--stamp-pixel-max-iter", "inf"),
        *("--stamp-select-max-saturated-fraction", "none"),
        *("--stamp-select-var-mean-fit-threshold", "-1", "3"),
        *("--stamp-select-var-mean-fit-iterations", "8"),
        *("--stamp-select-cloudy-night-threshold", "none"),
        *("--stamp-select-cloudy-frame-threshold", "9"),
        *("--stamp-select-min-high-mean", "20e3", "--stamp-select-max-low-mean", "none"),
        *("--large-scale-smoothing-filter", "percentile_filter:30"),
        *("--large-scale-smoothing-filter-size", "6"),
        *("--large-scale-smoothing-spline-num-x-nodes", "7"),
        *("--large-scale-smoothing-spline-num-y-nodes", "8"),
        *("--large-scale-smoothing-spline-outlier-threshold", "9", "-8"),
        *("--large-scale-smoothing-spline-max-iter", "2"),
        *("--large-scale-smoothing-bin-factor", "2"),
        *("--large-scale-smoothing-zoom-interp-order", "3"),
        *("--cloud-check-smoothing-filter", "gaussian_filter"),
        *("--cloud-check-smoothing-filter-size", "5", "--cloud-check-smoothing-bin-factor", "1"),
        *("--cloud-check-smoothing-zoom-interp-order", "5"),
        *("--min-pointing-separation", "None", "--large-scale-deviation-threshold", "0.1"),
        *("--min-high-combine", "7", "--min-low-combine", "2"),
        *("--large-scale-stack-outlier-threshold", "6", "--large-scale-stack-max-iter", "inf"),
        *("--large-scale-stack-average-func", "mean", "--large-scale-stack-min-valid-values", "1"),
        *("--large-scale-stack-exclude-mask", "HOT", "--exclude-mask"),
        *("--average-func", "quantile:0.4", "--outlier-threshold", "5", "--max-iter", "0"),
        *("--min-valid-values", "4", "--compress", "16", "--add-averaged-keywords"),
        "--allow-overwrite",
    )
    assert status == 0
    assert master_flat_maker.arguments == {
        "stamp_statistics_config": {
            "fraction": 0.75,
            "smoother": PolynomialImageSmoother(
                num_x_terms=4, num_y_terms=5, outlier_threshold=(6.0, -7.0)
            ),
            "outlier_threshold": (2.0, -4.0),
            "max_iter": np.inf,
            "average": "median",
        },
        "stamp_select_config": {
            "max_saturated_fraction": None,
            "var_mean_fit_threshold": (3.0, -1.0),
            "var_mean_fit_iterations": 8,
            "cloudy_night_threshold": None,
            "cloudy_frame_threshold": 9.0,
            "min_high_mean": 20e3,
            "max_low_mean": None,
        },
        "large_scale_smoother": ChainSmoother(
            WrapFilterAsSmoother(ndimage.percentile_filter, size=6, percentile=30.0),
            SplineImageSmoother(
                num_x_nodes=7, num_y_nodes=8, outlier_threshold=(9.0, -8.0), max_iterations=2
            ),
            bin_factor=2,
            zoom_interp_order=3,
        ),
        "cloud_check_smoother": WrapFilterAsSmoother(
            ndimage.gaussian_filter, sigma=5, bin_factor=1, zoom_interp_order=5
        ),
        "master_stack_config": {
            "min_pointing_separation": None,
            "large_scale_deviation_threshold": 0.1,
            "min_high_combine": 7,
            "min_low_combine": 2,
            "large_scale_stack_options": {
                "outlier_threshold": 6.0,
                "average_func": "mean",
                "min_valid_values": 1,
                "max_iter": np.inf,
                "exclude_mask": ("HOT",),
            },
            "master_stack_options": {
                "outlier_threshold": 5.0,
                "average_func": 0.4,
                "min_valid_values": 4,
                "max_iter": 0,
                "exclude_mask": (),
                "add_averaged_keywords": (),
            },
        },
    }
    assert master_flat_maker.called[3] == {"compress": 16.0, "allow_overwrite": True}


def test_options_come_from_the_table_of_the_step(frames, master_flat_maker, here):
    (here / "options.toml").write_text(
        "[stack]\nmin-valid-frames = 3\n[flat]\noutlier_threshold = [3, -4]\n"
        'min-pointing-separation = "none"\nlarge-scale-smoothing-filter = "uniform_filter"\n'
        "stamp-select-min-high-mean = 1e4\ncloud-check-smoothing-filter-size = 3\n",
        encoding="utf-8",
    )
    assert run("raw", *NAMES, "-c", "options.toml") == 0
    given = master_flat_maker.arguments
    assert given["master_stack_config"]["min_pointing_separation"] is None
    assert given["master_stack_config"]["master_stack_options"]["outlier_threshold"] == (3, -4)
    assert given["stamp_select_config"]["min_high_mean"] == 1e4
    assert given["large_scale_smoother"][0] == WrapFilterAsSmoother(ndimage.uniform_filter, size=12)
    assert given["cloud_check_smoother"].options["size"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min-valid-frames = 3", "flat has no option 'min-valid-frames'; near it are min-valid-v"),
        ("large-scale-smoothing-bin-factor = 0", "large-scale-smoothing-bin-factor: 0 is below 1"),
        (
            "[flats]",
            r"\[flats\] is not a step; steps are info, camera, reduce, calibrate, stack, flat",
        ),
    ],
)
def test_a_file_that_is_wrong_is_one_clear_line(
    frames, master_flat_maker, here, capsys, text, message
):
    (here / "options.toml").write_text(text, encoding="utf-8")
    assert run("raw", *NAMES, "-c", "options.toml") == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stamp-fraction", "0"], "--stamp-fraction: 0 is not above 0 and at most 1"),
        (["--stamp-fraction", "1.5"], "--stamp-fraction: 1.5 is not above 0 and at most 1"),
        (["--stamp-smoothing-num-x-terms", "0"], "--stamp-smoothing-num-x-terms: 0 is below 1"),
        (["--stamp-pixel-average", "max"], "--stamp-pixel-average: the average is mean or median"),
        (["--stamp-pixel-max-iter", "-1"], "--stamp-pixel-max-iter: -1 is negative"),
        (
            ["--stamp-select-var-mean-fit-threshold", "0"],
            "--stamp-select-var-mean-fit-threshold: a rejection threshold is",
        ),
        (
            ["--stamp-select-cloudy-night-threshold", "-1"],
            "--stamp-select-cloudy-night-threshold: -1 is negative",
        ),
        (
            ["--stamp-select-min-high-mean", "nan"],
            "--stamp-select-min-high-mean: 'nan' is not a finite number",
        ),
        (
            ["--large-scale-smoothing-filter", "mean_filter"],
            "--large-scale-smoothing-filter: 'mean_filter' is not a filter; there are median_fil",
        ),
        (
            ["--large-scale-smoothing-filter", "generic_filter"],
            "--large-scale-smoothing-filter: 'generic_filter' is not a filter",
        ),
        (
            ["--cloud-check-smoothing-filter", "median_filter:3"],
            "--cloud-check-smoothing-filter: median_filter takes no number",
        ),
        (
            ["--cloud-check-smoothing-filter", "percentile_filter"],
            "percentile_filter needs a percentile, as in percentile_filter:30",
        ),
        (
            ["--cloud-check-smoothing-filter", "percentile_filter:101"],
            "a percentile is a number from 0 to 100, not 101",
        ),
        (
            ["--cloud-check-smoothing-filter-size", "2.5"],
            "--cloud-check-smoothing-filter-size: '2.5' is not a whole number",
        ),
        (
            ["--cloud-check-smoothing-bin-factor", "0"],
            "--cloud-check-smoothing-bin-factor: 0 is below 1",
        ),
        (
            ["--large-scale-smoothing-zoom-interp-order", "6"],
            "--large-scale-smoothing-zoom-interp-order: splines have an order from 1 to 5, not 6",
        ),
        (
            ["--large-scale-stack-average-func", "mode"],
            "--large-scale-stack-average-func: an average is median",
        ),
        (["--min-high-combine", "0"], "--min-high-combine: 0 is below 1"),
        (["--min-valid-frames", "3"], "unrecognized arguments: --min-valid-frames"),
    ],
)
def test_a_wrong_call_names_what_is_wrong(frames, master_flat_maker, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        run("raw", *NAMES, *arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not hasattr(master_flat_maker, "arguments")


def test_levels_that_overlap_are_refused(frames, master_flat_maker, capsys):
    assert run("raw", *NAMES, "--stamp-select-min-high-mean", "2999") == 1
    error = capsys.readouterr().err
    assert "--stamp-select-min-high-mean 2999 is below --stamp-select-max-low-mean 3000" in error
    assert not hasattr(master_flat_maker, "arguments")
    assert run("raw", *NAMES, "--stamp-select-min-high-mean", "3000") == 0


def test_names_have_keywords_and_options(frames, master_flat_maker, here):
    high = "{PROJECT_HOME}/{CAMSN}_{CLRCHNL}_{OUTLIER_THRESHOLD}_{MIN_HIGH_COMBINE}.fits"
    low = "{LARGE_SCALE_SMOOTHING_FILTER}_{STAMP_FRACTION}.fits"
    assert run("raw", "--high-flat-master-fname", high, "--low-flat-master-fname", low) == 0
    assert master_flat_maker.called[1] == f"{here}/A_7_mono_2.0,-3.0_10.fits"
    assert master_flat_maker.called[2] == "median_filter_0.5.fits"


def test_a_project_with_braces_in_its_name_is_not_filled_in_twice(frames, master_flat_maker):
    name = ("--high-flat-master-fname", "{PROJHOME}/a.fits", "--project-home", "{p}")
    assert run("raw", *NAMES[2:], *name) == 0
    assert master_flat_maker.called[1] == "{{p}}/a.fits"


def test_all_frames_must_give_the_same_names(frames, master_flat_maker, capsys):
    fits.setval(frames[2], "CAMSN", value="B/8")
    assert run("raw", *NAMES) == 1
    assert capsys.readouterr().err == (
        "autowisp-xr: error: --high-flat-master-fname: the master of raw/f9.fits would be "
        "M/high_A_7.fits, that of raw/f11.fits M/high_B_8.fits; name frames of one master only, "
        "or leave out of the name what differs\n"
    )
    low = ("--high-flat-master-fname", "h.fits", "--low-flat-master-fname", "{RAWNR}.fits")
    for number, frame in enumerate(frames):
        fits.setval(frame, "RAWNR", value=number)
    assert run("raw", *low) == 1
    error = capsys.readouterr().err
    assert "--low-flat-master-fname: the master of raw/f9.fits would be 0.fits" in error
    assert not hasattr(master_flat_maker, "arguments")


def test_a_name_that_asks_for_what_is_not_there_is_refused(frames, master_flat_maker, capsys):
    assert run("raw") == 1
    error = capsys.readouterr().err
    assert "--high-flat-master-fname: the name template" in error
    assert "asks for 'OBSSSNID', which the header does not have" in error
    # not each of the many options
    assert "STAMP_FRACTION" not in error
    assert not hasattr(master_flat_maker, "called")


def test_classes_stand_in_their_order_and_notes_last(frames, master_flat_maker, capsys):
    master_flat_maker.kinds = ("saturated", "colocated", "cloudy")
    master_flat_maker.success = {"high": False, "low": False}
    master_flat_maker.notes = ("no frame states where it points",)
    assert run("raw", *NAMES) == 1
    assert capsys.readouterr().out == (
        "no high master: 0 of 3 frames are high, --min-high-combine is 10\n"
        "no low master: 0 of 3 frames are low, --min-low-combine is 5\n"
        "cloudy:\n  raw/f11.fits: it is cloudy\n"
        "colocated:\n  raw/f10.fits: it is colocated\n"
        "saturated:\n  raw/f9.fits: it is saturated\n"
        "notes:\n  no frame states where it points\n"
    )


def test_a_low_master_that_has_no_reference_is_reported(frames, master_flat_maker, capsys):
    master_flat_maker.kinds = ("low", "low", "high")
    master_flat_maker.success = {"high": False, "low": False}
    assert run("raw", *NAMES, "--min-low-combine", "2") == 1
    assert (
        "no low master: its large-scale shape would be that of high frames, of which there are 1, "
        "and --min-high-combine is 10\n"
    ) in capsys.readouterr().out


def test_only_the_high_master_is_in_the_exit_status(frames, master_flat_maker, capsys):
    master_flat_maker.success = {"high": True, "low": False}
    assert run("raw", *NAMES) == 0
    assert "no low master: 1 of 3 frames are low, --min-low-combine is 5" in capsys.readouterr().out
    master_flat_maker.success = {"high": False, "low": True}
    assert run("raw", *NAMES) == 1


def test_help_has_units_defaults_and_how_to_switch_tests_off(capsys):
    with pytest.raises(SystemExit) as stop:
        run("--help-all")
    assert stop.value.code == 0
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    for words in (
        "--large-scale-smoothing-spline-max-iter N",
        "(default: 2.0 -3.0)",
        "(default: MASTERS/lowflat_{CAMSN}_{CLRCHNL}_{OBSSSNID}.fits.fz)",
        "ARCSEC",
        "--min-pointing-separation none",
    ):
        assert words in printed
