"""``autowisp-xr calibrate`` calibrates raw frames, file by file."""

import os
import threading
import warnings
from argparse import Namespace
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from string import Formatter
from typing import Any

from autowisp_xr.cli.log import Progress
from autowisp_xr.cli.values import OptionError

_AT_A_TIME = 2
"""The number of frames in work, each with some seventy bytes of memory for each of its pixels."""


def run(options: Namespace) -> int:
    """Calibrate files, and print what became of them; 0 if all went well."""
    arguments = _arguments(options)
    from astropy.utils.exceptions import AstropyWarning

    from autowisp_xr.frames import find_files
    from autowisp_xr.image_calibration import Calibrator

    files = find_files(options.raw_images)
    turns = Turns(files)
    written: dict[str, str] = {}

    class Once(Calibrator):
        """A Calibrator that lets no frame of a run replace another: the first has the name."""

        def check_outputs(
            self, outputs: Sequence[str], params: Mapping[str, Any], raw: str
        ) -> None:
            """Refuse a file that another frame of this run wrote, or that may not be written."""
            turns.wait(raw)
            places = list(map(os.path.realpath, outputs))
            for file, place in zip(outputs, places, strict=True):
                if place in written:
                    raise OptionError(
                        f"{written[place]} is to be written to {file}; put {{RAWFNAME}} into "
                        "--calibrated-fname"
                    )
            super().check_outputs(outputs, params, raw)
            written.update(dict.fromkeys(places, raw))
            turns.end(raw)

    calibrate = Once(**arguments)

    def work(file: str) -> tuple[str, str]:
        """Return the reason why a frame was left out, and its diagnostics."""
        try:
            reason = _unwanted(file, options.calibrate_only_if, arguments)
            return (reason, "") if reason else ("", _in_words(calibrate(file)))
        finally:
            turns.end(file)

    progress = Progress(len(files))
    with warnings.catch_warnings(), ThreadPoolExecutor(_AT_A_TIME) as pool:
        # each write does so as well, but threads undo one another's filters
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            jobs = deque((file, pool.submit(work, file)) for file in files)
            while jobs:
                # a job that failed keeps its frame in memory, so no job is kept
                file, job = jobs.popleft()
                try:
                    reason, remark = job.result()
                except Exception as error:
                    # whatever is wrong with one frame, the others should not wait for it
                    if options.debug:
                        raise
                    progress.failed(file, error)
                else:
                    if reason:
                        progress.left_out(file, reason)
                    else:
                        progress.done(file, remark)
        finally:
            pool.shutdown(cancel_futures=True)
    return progress.end()


def _arguments(options: Namespace) -> dict[str, Any]:
    """Return the arguments of Calibrator for the options; OptionError where these contradict."""
    given = {
        name: value
        for group in ("time", "pixels", "sensor", "corrections", "calibrated")
        for name, value in options.groups[group].items()
        if name != "calibrate_only_if"
    }
    utc, jd = options.exposure_start_utc, options.exposure_start_jd
    if jd and "exposure_start_utc" in options.chosen:
        raise OptionError(
            "--exposure-start-utc and --exposure-start-jd are for the same time; give one of them"
        )
    split = options.split_channels or {}
    for name in ("raw_hdu", "master_bias", "master_dark", "master_flat", "master_mask"):
        _check_channels(name, given[name], split)
    home = options.project_home
    if home is None and "PROJHOME" in _fields(options.calibrated_fname):
        home = os.getcwd()
    masks = given.pop("master_mask")
    return given | {
        "split_channels": split or False,
        "exposure_start_utc": None if jd else utc,
        "exposure_start_jd": jd,
        "project_home": home,
        "leak_directions": options.leak_directions or [],
        "diagnostic_quantiles": list(options.diagnostic_quantiles) or None,
        "masks": masks,
    }


def _check_channels(name: str, value: object, split: Mapping[str, object]) -> None:
    if not isinstance(value, Mapping) or set(value) == set(split):
        return
    unknown, missing = set(value) - set(split), set(split) - set(value)
    if unknown or name != "master_mask":
        has = ", ".join(split) if split else "none (a file name with a colon is written ./a:b.fits)"
        raise OptionError(
            f"--{name.replace('_', '-')} is given for {', '.join(sorted(value))}, but the channels "
            f"of --split-channels are {has}; {'unknown' if unknown else 'missing'}: "
            f"{', '.join(sorted(unknown or missing))}"
        )


def _fields(template: str) -> set[str]:
    try:
        return {field for _, field, _, _ in Formatter().parse(template) if field}
    except ValueError as error:
        raise OptionError(f"the name template {template!r}: {error}") from error


def _unwanted(file: str, expression: str, arguments: Mapping[str, Any]) -> str:
    """Return the reason why a frame is not to be calibrated; empty if it is."""
    if expression.strip() == "True":
        return ""
    from autowisp_xr.expressions import evaluate
    from autowisp_xr.image_calibration.raw_frame import channel_slices, raw_headers

    channels = channel_slices(arguments["split_channels"])
    for header in raw_headers(file, arguments["raw_hdu"], channels).values():
        wanted = evaluate(expression, header)
        if not wanted:
            return f"{expression} is {wanted!r}"
    return ""


def _in_words(diagnostics: Mapping[str | None, Sequence[tuple[str, float]]] | None) -> str:
    """Return the diagnostics of a frame in words."""
    parts = []
    for channel, numbers in (diagnostics or {}).items():
        words = " ".join(f"{name}={value:.6g}" for name, value in numbers)
        parts.append(f"{channel} {words}" if channel else words)
    return "; ".join(parts)


class Turns:
    """The order of jobs in threads: one has its turn once all before it have had theirs, or ended.

    Jobs have to be begun in their order.
    """

    def __init__(self, jobs: Sequence[str]) -> None:
        self._past = {job: threading.Event() for job in jobs}

    def wait(self, job: str) -> None:
        """Wait for the turn of a job."""
        jobs = list(self._past)
        for earlier in jobs[: jobs.index(job)]:
            self._past[earlier].wait()

    def end(self, job: str) -> None:
        """Let the next job have its turn; to be called, too, for a job that fails or has none."""
        self._past[job].set()
