import pytest

from autowisp_xr.cli import main


@pytest.fixture
def toml(here):
    def write(text, name="options.toml"):
        (here / name).write_text(text, encoding="utf-8")
        return name

    return write


def run(*arguments):
    return main(["calibrate", "raw", *arguments])


def test_options_come_from_a_file_with_dashes_or_underscores(frames, calibrator, toml):
    name = toml(
        "gain = 1.7\nread_noise_electrons = 9\nimage-area = '0,6,0,4'\nraw_hdu = 0\n"
        'split-channels = ["R(0;0)", "B(1;1)"]\nmaster_bias = ["R:r.fits", "B:b.fits"]\n'
        'leak-directions = ["-1,0"]\ncalibrate-only-if = true\nallow-overwrite = true\n'
        "diagnostic-quantiles = []\nstart-time-utc = 'DATE_OBS'\n"
    )
    assert run("-c", name) == 0
    given = calibrator.arguments
    assert given["gain"] == 1.7
    assert given["read_noise_electrons"] == 9.0
    assert given["image_area"] == {"xmin": 0, "xmax": 6, "ymin": 0, "ymax": 4}
    assert given["raw_hdu"] == 0
    assert given["split_channels"]["B"] == (slice(1, None, 2), slice(1, None, 2))
    assert given["master_bias"] == {"R": "r.fits", "B": "b.fits"}
    assert given["leak_directions"] == [(-1, 0)]
    assert given["allow_overwrite"] is True
    assert given["diagnostic_quantiles"] is None
    assert given["exposure_start_utc"] == "DATE_OBS"


def test_the_command_line_goes_before_the_extra_file_before_the_file(frames, calibrator, toml):
    first = toml("gain = 1\nbias-level-adu = 1\nread-noise-electrons = 1\nallow_overwrite = true\n")
    extra = toml("gain = 2\nbias-level-adu = 2", "extra.toml")
    stated = ("-c", first, "--extra-config-file", extra, "--gain", "3", "--no-allow-overwrite")
    assert run(*stated) == 0
    given = calibrator.arguments
    assert (given["gain"], given["bias_level_adu"], given["read_noise_electrons"]) == (3, 2, 1)
    assert given["allow_overwrite"] is False
    assert run("-c", extra) == 0
    assert calibrator.arguments["read_noise_electrons"] == 3.0


def test_a_list_on_the_command_line_replaces_that_of_the_file(frames, calibrator, toml):
    name = toml('master-mask = ["a.fits", "b.fits"]')
    assert run("-c", name, "--master-mask", "c.fits") == 0
    assert calibrator.arguments["masks"] == "c.fits"
    assert run("-c", name) == 0
    assert calibrator.arguments["masks"] == ["a.fits", "b.fits"]


def test_a_table_serves_its_step_only(frames, calibrator, toml):
    name = toml("gain = 1\n[calibrate]\ngain = 2\n[stack]\nmax-iter = 5\nnonsense = 1\n")
    assert run("--config-file", name) == 0
    assert calibrator.arguments["gain"] == 2.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gian = 1", "calibrate has no option 'gian'; near it are gain. What is for another step"),
        ("max_iter = 1", r"no option 'max_iter'; .*into a table of its name, .*\[stack\]"),
        ("config-file = 'x'", "no option 'config-file'"),
        ("help = true", "no option 'help'"),
        ("no-allow-overwrite = true", "no option 'no-allow-overwrite'"),
        (
            "gain = 1\n[calibrat]\n",
            r"\[calibrat\] is not a step; steps are info, camera, reduce, calibrate, stack",
        ),
        ("raw-hdu = 0\nraw_hdu = 1", "raw_hdu is given twice, under two names"),
        ("start-time-utc = 'A'\nexposure-start-utc = 'A'", "is given twice"),
        ("gain = 'x'", "gain: 'x' is not a number"),
        ("gain = [1, 2]", "gain: '1,2' is not a number"),
        ("gain = true", "gain: 'True' is not a number"),
        ("image-area = '1,2,3'", "image-area: an area is four whole numbers"),
        ("split-channels = []", "split-channels: it needs at least one value"),
        ("split-channels = [['R(0;0)']]", "split-channels: it takes one value"),
        ("allow-overwrite = 'yes'", "allow-overwrite: it is true or false, not 'yes'"),
        ("verbose = 'loud'", "verbose: it is one of debug, info, .* not 'loud'"),
        ("fnum = '1 +'", "fnum: '1 \\+' is not an expression"),
        ("gain = ", "is not valid TOML"),
    ],
)
def test_a_file_that_is_wrong_is_one_clear_line(frames, calibrator, toml, capsys, text, message):
    import re

    assert run("-c", toml(text)) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert "options.toml" in error
    assert error.count("\n") == 1


def test_a_file_that_is_not_there_is_named(frames, calibrator, capsys):
    assert run("-c", "nowhere.toml") == 1
    assert "nowhere.toml" in capsys.readouterr().err


@pytest.mark.parametrize("area", ['"1,5,0,4"', "[1, 5, 0, 4]", "{xmin=1, xmax=5, ymin=0, ymax=4}"])
def test_an_area_may_be_written_as_in_a_camera_file(area, frames, calibrator, here):
    (here / "options.toml").write_text(f"image-area = {area}", encoding="utf-8")
    run = ["calibrate", *frames[:1], "-c", "options.toml", "--calibrated-fname", "one.fits"]
    assert main(run) == 0
    assert calibrator.arguments["image_area"] == {"xmin": 1, "xmax": 5, "ymin": 0, "ymax": 4}
