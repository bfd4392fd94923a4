"""The step for flats with files and classes as they are."""

import re
import shutil
import warnings

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.cli import main

SKY = simulate.Night(shape=(64, 72), seed=1, cosmic_rays=0, hot_pixels=0)
HIGH, LOW = "MASTERS/flat_A7_mono_3.fits.fz", "MASTERS/lowflat_A7_mono_3.fits.fz"

OPTIONS = """
[flat]
stamp-select-cloudy-frame-threshold = 10
large-scale-smoothing-filter-size = 3
cloud-check-smoothing-filter-size = 3
large-scale-stack-outlier-threshold = 2.5
outlier-threshold = [1.9, -1.9]
verbose = "error"
"""


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """Flats of a mono camera: eleven high, of which the fourth is cloudy, one between, five low."""
    folder = tmp_path_factory.mktemp("flats")
    flats = SKY.flat(17, level=[20_000] * 11 + [4000] + [2000] * 5, clouds={3: 0.3})
    aw.to_fits(aw.calibrate(flats), folder / "{RAWFNAME}.fits")
    for number, path in enumerate(sorted(folder.iterdir())):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header.update({"CAMSN": "A7", "OBSSSNID": 3, "JD-OBS": 2460000.5 + number})
            # simulated frames state degrees, those of the original hours
            hdus[0].header["RA"] /= 15
    return folder


@pytest.fixture
def night(calibrated, tmp_path, monkeypatch):
    """The flats in CAL/ of the current directory, and a file with options for so few pixels."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(calibrated, tmp_path / "CAL")
    (tmp_path / "options.toml").write_text(OPTIONS, encoding="utf-8")
    return tmp_path


def run(*arguments, files="CAL"):
    return main(["flat", files, "-c", "options.toml", *arguments])


def files_by_class(printed):
    """Numbers of the frames that are listed under each title."""
    found = {}
    for line in printed.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            title = line[:-1]
            found[title] = []
        elif match := re.match(r"  CAL/flat-0+(\d+)\.fits: \S", line):
            found[title].append(int(match[1]))
    return found


def test_good_flats_become_masters_and_every_frame_is_listed(night, capsys):
    assert run("--stamp-select-cloudy-night-threshold", "none") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        f"{HIGH}: median of 10 frames\n{LOW}: median of 5 frames\nhigh:\n"
        "  CAL/flat-0001.fits: mean 21"
    )
    assert files_by_class(printed) == {
        "high": [1, 2, 3, 5, 6, 7, 8, 9, 10, 11],
        "low": [13, 14, 15, 16, 17],
        "cloudy": [4, 12],
    }
    truth = SKY.truth("flat", 1)["image"].values[0, 0]
    truth = truth / truth.mean()
    for name, frames, noise in ((HIGH, 10, 0.0035), (LOW, 5, 0.016)):
        with fits.open(name) as hdus:
            image, header = hdus[-3].data, hdus[-3].header
        assert header["NUMFCOMB"] == frames
        assert abs(image.mean() - 1) < 0.001
        assert np.std(image / truth) < noise
    assert fits.getheader(HIGH, 1)["JD-OBS"] == 2460006.0


def test_frames_between_the_levels_are_medium(night, capsys):
    by_shape = ("--stamp-select-cloudy-frame-threshold", "none")
    assert run(*by_shape) == 0
    found = files_by_class(capsys.readouterr().out)
    assert (found["medium"], found["cloudy"]) == ([12], [4])
    assert run(*by_shape, "--stamp-select-max-low-mean", "none", "--allow-overwrite") == 0
    printed = capsys.readouterr().out
    found = files_by_class(printed)
    assert (found["medium"], found["cloudy"]) == ([12, 13, 14, 15, 16, 17], [4])
    assert "\nno low master: 0 of 17 frames are low, --min-low-combine is 5\n" in printed


def test_too_few_high_frames_are_in_the_exit_status(night, capsys):
    assert run("--min-high-combine", "12") == 1
    printed = capsys.readouterr().out
    assert printed.startswith(
        "no high master: 10 of 17 frames are high, --min-high-combine is 12\n"
        "no low master: its large-scale shape would be that of high frames, of which there are 10, "
    )
    assert not (night / "MASTERS").exists()


def test_clouds_and_a_filter_of_its_own_size_take_effect(night, capsys):
    assert run("--large-scale-deviation-threshold", "0.001") == 1
    printed = capsys.readouterr().out
    assert printed.startswith("no high master: 0 of 17 frames are high")
    assert "is left after matching, more than 0.1 %" in printed
    filters = ("--large-scale-smoothing-filter", "gaussian_filter")
    checks = ("--cloud-check-smoothing-filter", "percentile_filter:60")
    assert run(*filters, *checks) == 0


def test_frames_that_point_to_one_place_are_overlapping(night, capsys):
    for number in (1, 2):
        fits.setval(night / f"CAL/flat-000{number}.fits", "RA", value=8.0)
    assert run("--min-high-combine", "8") == 0
    printed = capsys.readouterr().out
    assert files_by_class(printed)["colocated"] == [1, 2]
    assert "CAL/flat-0001.fits: 0.0 arcsec from flat-0002, closer than 150" in printed
    named = ("--high-flat-master-fname", "h.fits", "--low-flat-master-fname", "l.fits")
    assert run("--min-pointing-separation", "none", *named) == 0
    assert "colocated" not in capsys.readouterr().out


def test_what_could_not_be_tested_is_noted(night, capsys):
    for path in (night / "CAL").iterdir():
        fits.delval(path, "RA")
    assert run() == 0
    assert capsys.readouterr().out.endswith(
        "notes:\n  no pointing (RA, DEC) in all frames: not tested for overlapping stars\n"
    )


def test_masters_that_exist_are_replaced_only_if_allowed(night, capsys):
    (night / "MASTERS").mkdir()
    (night / LOW).write_text("of a night before")
    assert run() == 1
    error = capsys.readouterr().err
    assert f"'{LOW}' exists already" in error
    assert "or --allow-overwrite" in error
    assert not (night / HIGH).exists()
    assert run("--allow-overwrite") == 0
    assert fits.getheader(LOW, 1)["NUMFCOMB"] == 5


def test_both_masters_need_names_of_their_own(night, capsys):
    same = ("--high-flat-master-fname", "m.fits", "--low-flat-master-fname", "m.fits")
    assert run(*same) == 1
    assert "the high and the low master would both be 'm.fits'" in capsys.readouterr().err


def test_masters_can_be_compressed(night):
    assert run("--compress", "16") == 0
    with fits.open(HIGH) as hdus:
        assert isinstance(hdus[1], fits.CompImageHDU)


def test_iterations_of_the_spline_take_effect(night):
    for name, most in (("zero", 0), ("one", 1)):
        status = run(
            *("--large-scale-smoothing-spline-max-iter", str(most)),
            *("--large-scale-smoothing-spline-outlier-threshold", "1"),
            *("--high-flat-master-fname", f"{name}.fits", "--low-flat-master-fname", "l{MAX_ITER}"),
            "--allow-overwrite",
        )
        assert status == 0
    zero, one = (fits.getdata(f"{name}.fits") for name in ("zero", "one"))
    assert not np.array_equal(zero, one)


def compared(printed):
    """Percentages of the line that compares masters."""
    line = printed.splitlines()[-1]
    assert line.startswith("compared with ")
    return [float(number) for number in re.findall(r"([\d.]+)%", line)]


def test_the_new_master_is_held_against_the_last_good_one(night, capsys):
    assert run() == 0
    # it is in the place of the new one
    assert run("--last-good", HIGH, "--allow-overwrite") == 0
    out, err = capsys.readouterr()
    assert f"\ncompared with {HIGH}: 0.00% of pixels differ by more than 5 sigma" in out
    assert compared(out) == [0, 0]
    assert err == ""


def test_a_new_master_that_differs_is_warned_of(night, capsys):
    assert run() == 0
    for path in (night / "CAL").iterdir():
        with fits.open(path, mode="update") as hdus:
            hdus[0].data[:32, :36] *= 0.96
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        shutil.copy(HIGH, "last.fits.fz")
        stated = ("--last-good", "last.fits.fz", "--allow-overwrite", "--verbose", "warning")
        assert run(*stated, "--logging-message-format", "%(levelname)s|%(message)s") == 0
    out, err = capsys.readouterr()
    beyond, largest = compared(out)
    assert beyond > 10
    assert 2 < largest < 5
    assert "WARNING|channel 'mono': " in err
    assert "the new master is" in err


def test_a_last_good_flat_without_good_pixels_gives_no_numbers(night, capsys):
    assert run("--high-flat-master-fname", "last.fits") == 0
    with fits.open("last.fits", mode="update") as hdus:
        hdus[2].data[:] = 127
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert run("--last-good", "last.fits", "--allow-overwrite", "--verbose", "warning") == 0
    out, err = capsys.readouterr()
    assert "?% of pixels differ" in out
    assert "no pixel is good in both masters" in err


@pytest.mark.parametrize("units", [None, "adu", "1"])
def test_the_last_good_flat_may_state_any_unit(night, capsys, units):
    assert run("--high-flat-master-fname", "last.fits") == 0
    with fits.open("last.fits", mode="update") as hdus:
        del hdus[0].header["BUNIT"]
        if units is not None:
            hdus[0].header["BUNIT"] = units
        # flats have whatever normalisation
        for plane in hdus[:2]:
            plane.data *= 2
    assert run("--last-good", "last.fits", "--allow-overwrite") == 0
    assert compared(capsys.readouterr().out) == [0, 0]


def test_a_last_good_file_that_is_none_stops_before_anything_is_made(night, capsys):
    assert run("--last-good", "nowhere.fits") == 1
    assert "nowhere.fits" in capsys.readouterr().err
    assert run("--last-good", "CAL") == 1
    assert "--last-good: CAL is no file of one master" in capsys.readouterr().err
    fits.writeto("bare.fits", np.ones((64, 72)), fits.Header({"IMAGETYP": "masterflat"}))
    assert run("--last-good", "bare.fits") == 1
    assert "bare.fits is no file of one master with an error plane" in capsys.readouterr().err
    assert not (night / "MASTERS").exists()


def test_a_last_good_flat_of_other_pixels_is_an_error_once_all_is_printed(night, capsys):
    aw.to_fits(aw.calibrate(SKY.flat(1, start=30)).isel(y=slice(32)), "other.fits")
    assert run("--last-good", "other.fits") == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{HIGH}: median of 10 frames\n")
    assert "the masters are made; --last-good other.fits: the new master covers" in err
    assert (night / HIGH).exists()


def test_without_a_high_master_nothing_is_compared(night, capsys):
    assert run("--high-flat-master-fname", "last.fits") == 0
    assert run("--last-good", "last.fits", "--allow-overwrite", "--min-high-combine", "12") == 1
    assert "compared" not in capsys.readouterr().out.splitlines()[-1]


def test_frames_are_not_changed(night):
    before = {path.name: path.read_bytes() for path in (night / "CAL").iterdir()}
    assert run() == 0
    assert {path.name: path.read_bytes() for path in (night / "CAL").iterdir()} == before


def test_a_frame_that_is_no_fits_file_is_named(night, capsys):
    (night / "CAL" / "flat-0005.fits").write_text("a poem")
    assert run() == 1
    assert "flat-0005.fits" in capsys.readouterr().err
