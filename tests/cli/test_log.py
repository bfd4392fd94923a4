import logging
import os
import warnings

import pytest

from autowisp_xr.cli import log, main
from autowisp_xr.errors import BadImageError


def run(*arguments):
    return main(["calibrate", "raw", *arguments])


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(log, "_on_terminal", lambda: True)


def test_a_terminal_has_a_counter(frames, calibrator, capsys, terminal):
    assert run() == 0
    error = capsys.readouterr().err
    counts = [f"\rcalibrated {n} of 3 frames" for n in (1, 2, 3)]
    assert error == "".join(counts) + "\n"


def test_what_fails_stands_between_the_counts(frames, calibrator, capsys, terminal):
    calibrator.fails = {"f10.fits": BadImageError("is truncated")}
    assert run("--logging-message-format", "%(message)s") == 1
    lines = capsys.readouterr().err.splitlines()
    assert "raw/f10.fits failed, 2 of 3: is truncated" in lines


def test_a_terminal_has_lines_if_all_is_wanted(frames, calibrator, capsys, terminal):
    assert run("--verbose", "debug") == 0
    error = capsys.readouterr().err
    assert "\r" not in error
    assert error.count("calibrated raw/f") == 3


def test_the_least_that_is_logged_can_be_chosen(frames, calibrator, capsys, terminal):
    assert run("--verbose", "error") == 0
    assert capsys.readouterr().err == ""


def test_a_log_file_has_a_line_for_each_frame(frames, calibrator, here, capsys):
    calibrator.fails = {"f10.fits": BadImageError("is truncated")}
    name = "log/{processing_step}_{now}_{pid}.log"
    status = run(
        *("--logging-fname", name, "--fname-datetime-format", "now"),
        *("--logging-message-format", "%(asctime)s|%(levelname)s|%(message)s"),
        *("--logging-datetime-format", "then"),
    )
    assert status == 1
    lines = (here / "log" / f"calibrate_now_{os.getpid()}.log").read_text().splitlines()
    assert lines == [
        "then|INFO|calibrated raw/f9.fits, 1 of 3: R pixel_q5=12.5",
        "then|ERROR|raw/f10.fits failed, 2 of 3: is truncated",
        "then|INFO|calibrated raw/f11.fits, 3 of 3: R pixel_q5=12.5",
    ]
    assert capsys.readouterr().err == "then|ERROR|raw/f10.fits failed, 2 of 3: is truncated\n"


def test_what_is_printed_can_go_to_a_file(frames, calibrator, here, capsys):
    assert run("--std-out-err-fname", "said.txt") == 0
    assert capsys.readouterr() == ("", "")
    stated = (here / "said.txt").read_text()
    assert "calibrated 3 of 3 frames" in stated
    assert "calibrated raw/f9.fits, 1 of 3" in stated


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--logging-fname", "{nowhere}.log"], "can have {processing_step}, {task}, {now}, {pid}"),
        (["--std-out-err-fname", "{0}"], "can have {processing_step}"),
        (["--logging-message-format", "%(nothing"], "--logging-message-format: "),
    ],
)
def test_names_and_formats_that_are_wrong_are_refused(
    frames, calibrator, capsys, arguments, message
):
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err
    assert logging.getLogger("autowisp_xr").handlers == []


def test_the_age_of_tables_is_set_while_the_step_runs(frames, calibrator):
    from astropy.utils import iers

    before = iers.conf.auto_max_age
    seen = []
    calibrator.__call__ = lambda self, file: seen.append(iers.conf.auto_max_age)
    assert run("--iers-auto-max-age", "3.5") == 0
    assert seen == [3.5] * 3
    assert iers.conf.auto_max_age == before


def test_a_warning_is_a_line_of_the_log(frames, calibrator, capsys):
    calibrator.__call__ = lambda self, file: warnings.warn("the sky is falling", stacklevel=1)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert run("--logging-message-format", "%(levelname)s|%(message)s") == 0
    assert "WARNING|the sky is falling\n" in capsys.readouterr().err
