"""What is shown on a terminal, by rich."""

import io
import sys

import pytest
from rich.console import Console

from autowisp_xr import night, simulate
from autowisp_xr.cli.terminal import show
from autowisp_xr.frames import to_fits

YELLOW, GREEN, RED = "\x1b[33m", "\x1b[1;32m", "\x1b[1;31m"


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    sky = simulate.Night(shape=(24, 32), seed=1)
    for frames in (sky.bias(3), sky.objects(2)):
        to_fits(frames, folder / "raw" / "{RAWFNAME}.fits")
    return night.reduce(folder / "raw", folder / "out", camera=sky.camera)


def shown(summary):
    console = Console(file=io.StringIO(), force_terminal=True, width=60, legacy_windows=False)
    show(summary, console)
    return console.file.getvalue()


def test_a_line_is_as_wide_as_the_terminal_and_goes_on_indented(summary):
    lines = shown(summary).splitlines()
    plain = [line.partition("\x1b[0m")[0] for line in lines]
    assert all(len(line) < 75 or " " not in line.strip() for line in plain)
    number = next(i for i, line in enumerate(lines) if line.startswith("Night"))
    assert lines[number + 1].startswith("    ")
    words = " ".join(shown(summary).split())
    for colour in ("\x1b[0m", GREEN, YELLOW, "\x1b[1;33m", RED):
        words = words.replace(colour, "")
    assert " ".join(words.split()) == " ".join(str(summary).split())


def test_the_verdict_has_the_color_of_the_exit_status(summary, monkeypatch):
    for status, colour in ((0, GREEN), (3, "\x1b[1;33m"), (1, RED)):
        monkeypatch.setattr(type(summary), "exit_status", status)
        last = shown(summary).splitlines()[-2:]
        expected = "\x1b[1;33m" if "doubtful" in summary.verdict and status == 0 else colour
        assert any(line.startswith(expected) for line in last)


def test_without_a_terminal_or_rich_lines_are_plain(summary, capsys, monkeypatch):
    show(summary, None)
    assert capsys.readouterr().out == str(summary)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    from autowisp_xr.cli.terminal import following

    with following() as console:
        assert console is None
