"""A share of the cases of ``python -m tests.fuzz``, and doors of the system named as files."""

import os
import re

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.cli import main
from tests.fuzz.running import findings

CASES = {"fits": 110, "headers": 2, "histories": 4, "toml": 120, "options": 20, "expressions": 240}


@pytest.mark.parametrize("kind", CASES)
def test_odd_input_ends_in_a_result_or_in_an_error_of_ours(kind):
    assert list(findings(kind, 2, range(CASES[kind]))) == []


@pytest.fixture
def doors(tmp_path, monkeypatch):
    """A night with two good frames, among pipes, devices and links that lead nowhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    for number in range(2):
        header = fits.Header(
            {"IMAGETYP": "LIGHT", "EXPTIME": 3.0, "DATE-OBS": f"2024-01-0{number + 1}"}
        )
        pixels = np.arange(48, dtype="u2").reshape(6, 8) + number
        fits.PrimaryHDU(pixels, header).writeto(f"raw/a{number}.fits")
    for name in ("pipe.fits", "pipe", "pipe.dat", "pipe.ser", "pipe.tif", "pipe.xisf", "pipe.cr2"):
        os.mkfifo(f"raw/{name}")
    for name, place in (
        *(("loop.fits", "loop.fits"), ("gone.fits", "nowhere"), ("self", ".")),
        *(("zeros.fits", "/dev/zero"), ("full.fits", "/dev/full"), ("null.fits", "/dev/null")),
    ):
        os.symlink(place, f"raw/{name}")
    os.mkdir("raw/folder.fits")
    os.mkfifo("pipe.toml")
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_pipes_devices_and_links_to_themselves_are_left_out_by_name(doors):
    table = aw.open_night("raw").to_dataset()
    reasons = dict(zip(table["path"].values, table.reason.values, strict=True))
    out = {os.path.basename(path): reason for path, reason in reasons.items() if reason}
    assert set(out) == {
        f"{name}.fits" for name in ("pipe", "loop", "gone", "zeros", "full", "null")
    }
    for name in ("pipe.fits", "zeros.fits", "full.fits", "null.fits"):
        assert "is no ordinary file" in out[name]
    summary = str(aw.reduce("raw", "out", defects="none"))
    assert all(name in summary for name in out)
    for name in ("pipe.ser", "pipe.tif", "pipe.xisf"):
        with pytest.raises(aw.BadImageError, match="is no ordinary file"):
            aw.open_fits(f"raw/{name}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--camera", "pipe.toml"], "pipe.toml is no ordinary file"),
        (["--camera", "/dev/full"], "/dev/full is no ordinary file"),
        (["--camera", "raw"], "raw is no ordinary file"),
        (["--camera", "long.toml"], "has a whole number of more than 64 bits"),
        (["--camera", "longer.toml"], "is not valid TOML: Exceeds the limit"),
        (["--camera", "deep.toml"], "is not valid TOML|too deep"),
        (["--config-file", "pipe.toml"], "pipe.toml is no ordinary file"),
        (["--config-file", "number.toml"], "aliases of exposure are a text or several, not 3"),
        (["--config-file", "empty.toml"], "aliases of exposure are a text or several, not ''"),
        (
            ["--config-file", "list.toml"],
            r"aliases of filter are a text or several, not \['A', 1\]",
        ),
        (["--config-file", "types.toml"], "image types are {value: type}, .*, not 3"),
    ],
)
def test_odd_settings_are_refused_in_our_words(doors, capsys, arguments, message):
    for name, text in (
        ("long", f"gain = {'9' * 400}"),
        ("longer", f"gain = {'9' * 5000}"),
        ("deep", f"gain = {'[' * 900}{']' * 900}"),
        ("number", "[aliases]\nexposure = 3"),
        ("empty", "[aliases]\nexposure = ''"),
        ("list", "[aliases]\nfilter = ['A', 1]"),
        ("types", "[aliases]\nimage_types = 3"),
    ):
        (doors / f"{name}.toml").write_text(text)
    assert main(["info", "raw", *arguments]) == 1
    printed = capsys.readouterr().err
    assert re.search(message, printed), printed


@pytest.mark.parametrize("option", ["-o", "--camera", "--masters"])
def test_an_empty_name_is_refused(doors, capsys, option):
    given = [] if option == "-o" else ["-o", "out"]
    with pytest.raises(SystemExit) as ended:
        main(["reduce", "raw", *given, option, ""])
    assert ended.value.code == 2
    assert "it is empty" in capsys.readouterr().err
    with pytest.raises(ValueError, match="the directory of the results is empty"):
        aw.reduce("raw", "")
