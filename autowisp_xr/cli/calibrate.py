"""``autowisp-xr calibrate``: raw frames to calibrated ones, file by file."""

import argparse
import logging
import os
import warnings
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from string import Formatter
from typing import Any

from autowisp_xr.cli import values
from autowisp_xr.cli.calibrate_options import MASTERS, START_UTC, add_options
from autowisp_xr.cli.reporting import Progress, reporting
from autowisp_xr.cli.turns import Turns
from autowisp_xr.errors import AutowispError

__all__ = ["add_calibrate", "calibrator_arguments"]

_HOME = "PROJHOME"

_AT_A_TIME = 2
"""Frames, each of which takes some seventy bytes of memory for each of its pixels."""


def add_calibrate(steps: Any) -> None:
    """Add the command ``calibrate`` to the subparsers of the program."""
    add_options(steps, _run)


def calibrator_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of the Calibrator that the options ask for.

    Raises
    ------
    OptionError
        If options contradict each other.
    """
    given = vars(options)
    utc, jd = given["exposure_start_utc"], given["exposure_start_jd"]
    if utc and jd:
        raise values.OptionError(
            "--exposure-start-utc and --exposure-start-jd say the same; give one of them"
        )
    split = given["split_channels"] or {}
    for name in ("raw_hdu", *MASTERS):
        _check_channels(name, given[name], split)
    home = given["project_home"]
    if home is None and _HOME in _fields(given["calibrated_fname"]):
        home = os.getcwd()
    same = (
        *("saturation_threshold", "raw_hdu", "calibrated_fname", "fnum", "exposure_seconds"),
        *("overscans", "image_area", "bias_level_adu", "gain", "read_noise_electrons"),
        *("compress_calibrated", "allow_overwrite", "master_bias", "master_dark", "master_flat"),
    )
    return {name: given[name] for name in same} | {
        "split_channels": split or False,
        "exposure_start_utc": None if jd else utc or START_UTC,
        "exposure_start_jd": jd,
        "project_home": home,
        "leak_directions": given["leak_directions"] or [],
        "diagnostic_quantiles": list(given["diagnostic_quantiles"]) or None,
        "masks": given["master_mask"],
    }


def _check_channels(name: str, value: Any, split: Mapping[str, Any]) -> None:
    if not isinstance(value, Mapping) or set(value) == set(split):
        return
    option = f"--{name.replace('_', '-')}"
    has = ", ".join(split) if split else "none (a file name with a colon is written ./a:b.fits)"
    unknown, missing = set(value) - set(split), set(split) - set(value)
    if unknown or name != "master_mask":
        raise values.OptionError(
            f"{option} is given for {', '.join(sorted(value))}, but the channels of "
            f"--split-channels are {has}; {'unknown' if unknown else 'missing'}: "
            f"{', '.join(sorted(unknown or missing))}"
        )


def _fields(template: str) -> set[str]:
    try:
        return {field for _, field, _, _ in Formatter().parse(template) if field}
    except ValueError as error:
        raise values.OptionError(f"the name template {template!r}: {error}") from error


def _run(options: argparse.Namespace) -> int:
    with reporting(options):
        return _calibrate(options)


def _calibrate(options: argparse.Namespace) -> int:
    arguments = calibrator_arguments(options)
    from astropy.io.fits.verify import VerifyWarning

    from autowisp_xr.frames import find_files
    from autowisp_xr.image_calibration import Calibrator

    files = find_files(options.raw_images)
    turns = Turns(files)
    written: dict[str, str] = {}

    class Once(Calibrator):
        """Does not let one frame of a run replace another: the first in their order has a name."""

        def _check_outputs(self, outputs: Sequence[str], params: Any, raw: str) -> None:
            with turns.turn(raw):
                places = list(map(os.path.realpath, outputs))
                for file, place in zip(outputs, places, strict=True):
                    if place in written:
                        raise values.OptionError(
                            f"{written[place]} is to be written to {file}; put {{RAWFNAME}} into "
                            "--calibrated-fname"
                        )
                super()._check_outputs(outputs, params, raw)
                written.update(dict.fromkeys(places, raw))

    calibrate = Once(**arguments)

    def work(file: str) -> tuple[str, str]:
        """Why a frame was left out, or what is to be told of it."""
        with turns.over(file):
            reason = _unwanted(file, options.calibrate_only_if, arguments)
            return (reason, "") if reason else ("", _told(calibrate(file)))

    progress = Progress(len(files), "calibrated")
    failed: dict[str, str] = {}
    left_out: dict[str, str] = {}
    with warnings.catch_warnings(), ThreadPoolExecutor(_AT_A_TIME) as pool:
        # as each write does; but threads undo one another's filters
        warnings.simplefilter("ignore", VerifyWarning)
        try:
            jobs = deque((file, pool.submit(work, file)) for file in files)
            while jobs:
                # one that failed keeps its frame in memory, so none is kept
                file, job = jobs.popleft()
                try:
                    reason, told = job.result()
                    if reason:
                        left_out[file] = reason
                        progress.left_out(file, reason)
                    else:
                        progress.done(file, told)
                except Exception as error:
                    # whatever is wrong with one frame, the others should not wait for it
                    if options.debug:
                        raise
                    expected = isinstance(error, AutowispError | OSError | ValueError)
                    named = str(error) if expected else ""
                    failed[file] = values.in_options(named or f"{type(error).__name__}: {error}")
                    logging.getLogger("autowisp_xr").debug("%s", file, exc_info=True)
                    progress.failed(file, failed[file])
        finally:
            pool.shutdown(cancel_futures=True)
    progress.end()
    done = len(files) - len(failed) - len(left_out)
    print(f"calibrated {done} of {len(files)} frames")
    for title, frames in (("left out", left_out), ("failed", failed)):
        if frames:
            print(f"{title}:")
            for file, reason in frames.items():
                print(f"  {file}: {reason}")
    return 1 if failed or not done else 0


def _unwanted(file: str, expression: str, arguments: Mapping[str, Any]) -> str:
    """Why a frame is not to be calibrated; empty if it is."""
    if expression.strip() == "True":
        return ""
    from autowisp_xr.expressions import evaluate
    from autowisp_xr.image_calibration.channels import channel_slices
    from autowisp_xr.image_calibration.raw_frame import raw_headers

    channels = channel_slices(arguments["split_channels"])
    for header in raw_headers(file, arguments["raw_hdu"], channels).values():
        wanted = evaluate(expression, header)
        if not wanted:
            return f"{expression} is {wanted!r}"
    return ""


def _told(diagnostics: Mapping[Any, Any] | None) -> str:
    """Diagnostics of a frame in words."""
    parts = []
    for channel, numbers in (diagnostics or {}).items():
        told = " ".join(f"{name}={value:.6g}" for name, value in numbers)
        parts.append(f"{channel} {told}" if channel else told)
    return "; ".join(parts)
