"""``autowisp-xr calibrate``: raw frames to calibrated ones, file by file."""

import argparse
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from autowisp_xr.cli import values
from autowisp_xr.cli.calibrate_options import MASTERS, START_UTC, add_options
from autowisp_xr.cli.reporting import Progress, reporting
from autowisp_xr.errors import AutowispError

__all__ = ["add_calibrate", "calibrator_arguments"]

_HOME = "PROJHOME"


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
    from autowisp_xr.image_calibration import Calibrator
    from autowisp_xr.io import find_files

    files = find_files(options.raw_images)
    _check_names(files, options)
    seen: dict[str, str] = {}

    class Once(Calibrator):
        """Does not let one frame of a run replace another."""

        def _output_names(self, headers: Any, params: Any) -> Any:
            names = super()._output_names(headers, params)
            for name in map(os.path.abspath, names.values()):
                if name in seen:
                    raise values.OptionError(
                        f"{seen[name]} has been written to {name}; put {{RAWFNAME}} into "
                        "--calibrated-fname"
                    )
            seen.update(dict.fromkeys(map(os.path.abspath, names.values()), file))
            return names

    calibrate = Once(**arguments)
    progress = Progress(len(files), "calibrated")
    failed: dict[str, str] = {}
    left_out: dict[str, str] = {}
    file = ""
    for file in files:
        try:
            reason = _unwanted(file, options.calibrate_only_if, arguments)
            if reason:
                left_out[file] = reason
                progress.left_out(file, reason)
                continue
            progress.done(file, _told(calibrate(file)))
        except Exception as error:
            # whatever is wrong with one frame, the others should not wait for it
            if options.debug:
                raise
            expected = isinstance(error, AutowispError | OSError | ValueError) and str(error)
            reason = str(error) if expected else f"{type(error).__name__}: {error}"
            failed[file] = values.in_options(reason)
            logging.getLogger("autowisp_xr").debug("%s", file, exc_info=True)
            progress.failed(file, failed[file])
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
    from autowisp_xr.image_calibration._channels import channel_slices
    from autowisp_xr.image_calibration._raw import raw_headers

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


def _check_names(files: Sequence[str], options: argparse.Namespace) -> None:
    """Raise OptionError where --allow-overwrite would let one frame replace another."""
    from autowisp_xr.io.names import raw_name

    repeated = [name for name, count in Counter(map(raw_name, files)).items() if count > 1]
    only_name = _fields(options.calibrated_fname) <= {_HOME, "RAWFNAME", "CLRCHNL"}
    if options.allow_overwrite and only_name and repeated:
        same = [file for file in files if raw_name(file) == repeated[0]]
        raise values.OptionError(
            f"{' and '.join(same)} would be written under the same name, and --allow-overwrite "
            "would keep the last only; calibrate them into different directories"
        )
