import os
import subprocess
import sys

import pytest

from autowisp_xr import simulate
from autowisp_xr.cli import main
from autowisp_xr.frames import to_fits


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    for command in ("demo", "camera", "reduce", "run", "calibrate", "stack", "flat", "completion"):
        assert f"\n    {command}" in printed


@pytest.mark.parametrize(
    "how",
    [["-c", "from autowisp_xr.cli import main; raise SystemExit(main())"], ["-m", "autowisp_xr"]],
)
def test_it_is_installed_as_a_program(how):
    done = subprocess.run([sys.executable, *how], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: autowisp-xr" in done.stderr


@pytest.fixture
def night(tmp_path):
    sky = simulate.Night(shape=(24, 32), seed=1)
    for frames in (sky.bias(3), sky.objects(2)):
        to_fits(frames, tmp_path / "raw" / "{RAWFNAME}.fits")
    return sky, tmp_path / "raw"


def test_reduce_prints_the_summary(night, tmp_path, capsys):
    camera = tmp_path / "camera.toml"
    camera.write_text("[camera]\ngain = 1.5\nread_noise = 8\n")
    status = main(["reduce", str(night[1]), "-o", str(tmp_path / "out"), "--camera", str(camera)])
    printed = capsys.readouterr().out
    assert status == 0
    assert "master bias: from 3 frames" in printed
    assert "Left out" not in printed
    verdict, last = printed.splitlines()[-2:]
    assert verdict.startswith("Verdict: 2 of 2 lights calibrated, without a dark")
    assert last.endswith(f"with pictures: autowisp-xr report {tmp_path}/out")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no such device")
def test_where_what_is_printed_goes_may_be_closed_and_is_named_where_it_is_full(night, tmp_path):
    command = f"{sys.executable} -m autowisp_xr reduce {night[1]} --gain 1.5 --read-noise 8 -o "
    full, closed = (
        subprocess.run(
            f"{command}{tmp_path}/{name} {to}",
            shell=True,
            capture_output=True,
            check=False,
            text=True,
        )
        for name, to in (("full", "> /dev/full"), ("closed", ">&- 2>&-"))
    )
    assert full.returncode == 1
    assert "what is printed cannot be written where it goes: No space left" in full.stderr
    assert (closed.returncode, closed.stderr) == (0, "")
    assert "2 of 2 lights calibrated" in (tmp_path / "closed" / "summary.txt").read_text()


def test_what_fails_is_in_the_exit_status(night, tmp_path, capsys):
    camera = tmp_path / "camera.toml"
    camera.write_text('image_area = "[1:900,1:900]"')
    status = main(["reduce", str(night[1]), "-o", str(tmp_path / "out"), "--camera", str(camera)])
    assert status == 1
    assert "reaches outside the frame" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gian = 1.5", "unknown gian; a camera has"),
        ("gain = 0", "gain must be a finite number above 0, not 0"),
        ("gain = ", "is not valid TOML"),
        ("gain = 1\n[camera]\nread_noise = 8", "at the top or in [camera], not in both"),
        ('image_area = "whole"', "is not a FITS section"),
    ],
)
def test_a_camera_file_that_is_wrong_is_one_clear_line(text, message, night, tmp_path, capsys):
    camera = tmp_path / "camera.toml"
    camera.write_text(text)
    status = main(["reduce", str(night[1]), "-o", str(tmp_path / "out"), "--camera", str(camera)])
    error = capsys.readouterr().err
    assert status == 1
    assert message in error
    assert str(camera) in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_debug_shows_the_traceback(tmp_path):
    with pytest.raises(FileNotFoundError):
        main(["--debug", "reduce", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out")])


HELP = """
import contextlib, io, sys
import xarray
of_xarray = set(sys.modules)
from autowisp_xr.cli import main
for command in (*{commands}, ""):
    for option in ("--help", "--version") if not command else ("--help",):
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as printed:
            main([*command.split(), option])
        assert len(printed.getvalue()) > 4, command
slow = {{"dask", "zarr", "astropy", "scipy", "numba"}} & sys.modules.keys()
print(sorted(slow - of_xarray))
"""


def test_help_does_not_wait_for_what_computes():
    commands = (
        "demo",
        "info",
        "camera",
        "reduce",
        "run",
        "calibrate",
        "stack",
        "flat",
        "completion",
    )
    done = subprocess.run(
        [sys.executable, "-c", HELP.format(commands=commands)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
