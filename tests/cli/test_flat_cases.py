"""Golden cases of master flats, asked for by the options of the command line."""

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.cli import main
from tests.conftest import shared_directory
from tests.oracle.case import Case, cases_in


def golden():
    """Directories of the cases that travel with the project, and of those beside it."""
    found = cases_in(Path(__file__).parents[1] / "oracle" / "cases")
    shared = shared_directory()
    if shared is not None:
        found |= cases_in(shared / "oracle")
    return {name: path for name, path in found.items() if name.startswith("masterflat")}


def put_frames(case):
    """Put the frames of a case into the current directory, and give their names."""
    if not (case.path / "input.npz").exists():
        shutil.copytree(case.path / "input", "input")
        return case.params["frames"]
    planes, described = case.arrays("input.npz"), case.json("input_headers.json")
    Path("input").mkdir()
    for number, (name, cards) in enumerate(
        zip(described["files"], described["headers"], strict=True)
    ):
        image, mask = planes["images"][number], planes["masks"][number]
        hdus = fits.HDUList([fits.PrimaryHDU(image, fits.Header(cards))])
        for kind, plane in (("error", np.ones_like(image)), ("mask", mask)):
            hdus.append(fits.ImageHDU(plane, fits.Header({"IMAGETYP": kind})))
        hdus.writeto(name)
    return described["files"]


def options_of(params):
    """Words of the command line that ask for what the parameters of a case do."""
    statistics, clouds = params["stamp_statistics"], params["cloud_check_smoother"]
    shape = params["large_scale_smoother"]
    median, spline = shape["smoothers"]
    given = {
        "stamp-fraction": statistics["fraction"],
        **named("stamp-smoothing", statistics["smoother"]),
        **named("stamp-pixel", statistics, without=("fraction", "smoother")),
        **named("stamp-select", params["stamp_select"]),
        **filtering("large-scale-smoothing", shape, median),
        **named("large-scale-smoothing-spline", spline, without=("max_iterations",)),
        "large-scale-smoothing-spline-max-iter": spline["max_iterations"],
        **filtering("cloud-check-smoothing", clouds, clouds),
        **stacking("large-scale-stack-", params["large_scale_stack"]),
        **stacking("", params["master_stack"]),
        "min-pointing-separation": params["min_pointing_separation"],
        "large-scale-deviation-threshold": params["large_scale_deviation_threshold"],
        "min-high-combine": params["min_high_combine"],
        "min-low-combine": params["min_low_combine"],
    }
    words = []
    for name, value in given.items():
        words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words


def named(prefix, options, without=()):
    left_out = ("type", *without)
    return {
        f"{prefix}-{name.replace('_', '-')}": value
        for name, value in options.items()
        if name not in left_out
    }


def filtering(prefix, smoother, filtered):
    return {
        f"{prefix}-filter": filtered["filter"],
        f"{prefix}-filter-size": filtered["size"],
        f"{prefix}-bin-factor": smoother["bin_factor"],
        f"{prefix}-zoom-interp-order": smoother["zoom_interp_order"],
    }


def stacking(prefix, options):
    renamed = {"average_func" if key == "average" else key: v for key, v in options.items()}
    return {f"{prefix}{name.replace('_', '-')}": value for name, value in renamed.items()}


@pytest.mark.parametrize("path", [pytest.param(p, id=name) for name, p in golden().items()])
def test_the_command_line_makes_the_masters_of_a_golden_case(path, tmp_path, monkeypatch, capsys):
    case = Case(path)
    monkeypatch.chdir(tmp_path)
    names = ("--high-flat-master-fname", "high.fits", "--low-flat-master-fname", "low.fits")
    with warnings.catch_warnings():
        # that a threshold cannot reject anything is worth a word to a user; the original is silent
        warnings.filterwarnings("ignore", "no value among", aw.AutowispWarning)
        status = main(["flat", *put_frames(case), *options_of(case.params), *names])
    expected = case.json("expected.json")
    assert status == (0 if expected["success"]["high"] else 1)
    printed = capsys.readouterr().out
    for kind, files in expected["classes"].items():
        listed = re.search(rf"^{kind}:\n((?:  .*\n)+)", printed, re.MULTILINE)
        found = re.findall(r"^  (\S+): ", listed[1], re.MULTILINE) if listed else []
        assert sorted(found) == sorted(files), kind
    arrays = case.arrays("expected.npz")
    for kind, made in expected["success"].items():
        file = Path(f"{kind}.fits")
        assert file.exists() == made
        if made:
            with fits.open(file) as hdus:
                planes = dict(zip(("values", "stdev", "mask"), hdus[-3:], strict=True))
                for name, plane in planes.items():
                    case.compare(f"{kind} {name}", plane.data, arrays[f"{kind}_{name}"])
