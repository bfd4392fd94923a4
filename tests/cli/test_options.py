"""The tables of commands and options."""

import re
import subprocess
import sys

import pytest

from autowisp_xr.cli import areas, main, values
from autowisp_xr.cli.options import commands
from autowisp_xr.cli.parser import program
from autowisp_xr.cli.settings import resolve
from autowisp_xr.kinds import EXPOSURE_TOLERANCE
from autowisp_xr.options import MIN_FLAT

COMMANDS = (
    "demo",
    "info",
    "camera",
    "reduce",
    "report",
    "run",
    "verify",
    "calibrate",
    "stack",
    "flat",
    "completion",
)
OPTIONS = [
    pytest.param(option, id=f"{name} {option.names[0]}")
    for name, command in commands().items()
    for option in command.options
]


def test_the_tables_have_every_command_in_the_order_of_the_help():
    assert tuple(commands()) == COMMANDS


@pytest.mark.parametrize("option", OPTIONS)
def test_a_row_defines_how_its_text_is_read_and_has_a_help(option):
    readers = vars(areas) | vars(values)
    assert option.type is None or callable(readers[option.type])
    assert option.help
    assert "{what}" not in option.help
    # a default is a value like those that are typed
    default = option.default
    if option.type is not None and default is not None and not isinstance(default, str):
        texts = [str(value) for value in (default if isinstance(default, list) else [default])]
        assert option.read(texts if option.nargs else texts[0]) == option.initial()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_shows_every_option_and_default(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    with pytest.raises(SystemExit):
        main([command, "--help-all"])
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    for option in commands()[command].options:
        assert all(name in printed for name in option.names if name.startswith("-"))
        assert option.keywords()["help"].replace("%%", "%") in printed


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_fits_on_a_screen_and_begins_with_an_example(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    example, _, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= (23 if command else 28)
    assert example.startswith(f"example: autowisp-xr {command}".rstrip())
    # it is a call that the program understands
    parser, _ = program()
    assert command in parser.parse_args(example.split()[2:]).command
    if command and commands()[command].brief:
        assert f"show all {len(commands()[command].options)} options" in "".join(lines)


def test_a_shell_completes_options_and_files(capsys, monkeypatch):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert "--scale-dark" in script
    assert "scale_dark_choices=(no down any)" in script.replace("'", "")
    checked = subprocess.run(["bash", "-n"], input=script, text=True, check=False)
    assert checked.returncode == 0
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    assert "pip install '.[terminal]'" in capsys.readouterr().err


def test_a_command_has_the_values_of_its_table_where_nothing_is_given():
    command = commands()["stack"]
    options = resolve(command, {"calibrated_images": ("raw",)})
    assert options.chosen == {"calibrated_images"}
    assert (options.outlier_threshold, options.max_iter) == (5.0, 20)
    assert options.exclude_mask == ("UNUSABLE",)
    assert {option.dest for option in command.options} < set(vars(options))


def test_a_default_may_be_a_constant_of_the_package():
    options = resolve(commands()["reduce"], {"night": "raw", "out": "out"})
    assert options.min_flat == MIN_FLAT
    assert options.exposure_tolerance == EXPOSURE_TOLERANCE


def test_values_stand_by_their_group_too():
    options = resolve(commands()["stack"], {"calibrated_images": ("raw",), "max_iter": 7})
    assert options.groups["averaging"] == {
        "average_func": "median",
        "outlier_threshold": 5.0,
        "max_iter": 7,
        "exclude_mask": ("UNUSABLE",),
        "min_valid_values": 5,
        "min_valid_frames": 10,
        "scale": None,
        "sky": None,
        "match_region": None,
    }
