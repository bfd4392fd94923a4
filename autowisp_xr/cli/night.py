"""``autowisp-xr demo``, ``info`` and ``reduce``: the whole night from a terminal."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autowisp_xr.cli.loading import load
from autowisp_xr.cli.night_options import add_night, night_arguments
from autowisp_xr.cli.options import add
from autowisp_xr.cli.values import number
from autowisp_xr.night.verdict import EXIT_STATUS
from autowisp_xr.options import MIN_FLAT

__all__ = ["add_demo", "add_info", "add_reduce"]


def add_demo(steps: Any) -> None:
    """Add the command ``demo`` to the subparsers of the program."""
    demo = steps.add_parser(
        "demo",
        help="make a small night with a known truth, reduce it, and say how well it went",
        description="Make a small night with a known truth, reduce it, and print how well the "
        "truth was recovered. Leaves raw frames, masters, calibrated frames and a deep stack.",
    )
    demo.add_argument(
        "-o", "--out", type=Path, default=Path("autowisp-xr-demo"), help="directory to make"
    )
    demo.set_defaults(run=_demo)


def add_info(steps: Any) -> None:
    """Add the command ``info`` to the subparsers of the program."""
    info = steps.add_parser(
        "info",
        help="say what frames there are, and which would correct which",
        description="List the FITS files of directories (and of those in them) by type, size, "
        "setting, filter, exposure and temperature; say which masters reduce would take for which "
        "frames and why not others, and what is in doubt. Only headers are read. OUT of reduce is "
        "listed, too.",
        allow_abbrev=False,
    )
    info.add_argument("paths", nargs="+", metavar="PATH", help="directory, file or glob pattern")
    add_night(info)
    info.set_defaults(run=_info, step="info", parser=info)


def add_reduce(steps: Any) -> None:
    """Add the command ``reduce`` to the subparsers of the program."""
    reduce = steps.add_parser(
        "reduce",
        help="make masters and calibrated frames of all raw frames in a directory",
        description="Find the FITS files of a directory (and of those in it), group them by type, "
        "size, setting, filter, temperature and exposure, measure gain and read noise if nobody "
        "says them, make the masters, calibrate, and write FITS, Zarr and a summary that says what "
        "was left out and why. The raw frames are only read. Run it again to take up an "
        "interrupted run. Look before with: autowisp-xr info NIGHT_DIR",
        epilog="exit status: "
        + "; ".join(f"{status}: {meaning}" for status, meaning in EXIT_STATUS.items()),
        allow_abbrev=False,
    )
    reduce.add_argument("night", type=Path, metavar="NIGHT_DIR", help="directory of raw frames")
    reduce.add_argument("-o", "--out", type=Path, required=True, help="directory for the results")
    reduce.add_argument(
        "--overwrite",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="replace results of other frames in OUT; what reduce has not written, or was changed "
        "since, is kept, and named in the summary",
    )
    reduce.add_argument(
        "--checksum",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="leave out frames whose pixels are not those of the DATASUM in their header",
    )
    add_night(reduce)
    group = reduce.add_argument_group("which flats are good")
    group.add_argument(
        "--select-flats",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="choose good flats from the heap: no overlapping stars, no saturation, no clouds, "
        "high levels; at least 10 of a filter, unless --flat-limits says otherwise",
    )
    add(
        group,
        "--flat-limits",
        metavar="FILE",
        help="choose flats by the limits of this TOML file: min_high_mean (ADU), "
        "min_pointing_separation (arcsec), large_scale_deviation_threshold, min_high_frames, ... "
        '("none" for no such test); others are those of --select-flats; see '
        "help(autowisp_xr.FlatSelection) in Python",
    )
    add(
        group,
        "--min-flat",
        type=number,
        default=MIN_FLAT,
        metavar="SHARE",
        help="a pixel whose flat is below this share of its mean, or below three times its own "
        "error, is not lit, and flagged in what it corrects; 0 for none that is positive "
        "(default: %(default)s)",
    )
    reduce.set_defaults(run=_reduce, step="reduce", parser=reduce)


def _demo(options: argparse.Namespace) -> int:
    load("dask.array", "autowisp_xr.night.demo")
    from autowisp_xr.night.demo import demo

    if options.out.expanduser().exists():
        raise FileExistsError(f"{options.out} exists; remove it, or choose another with -o")
    started = time.monotonic()
    demo(options.out, say=_say)
    print(f"\n{options.out}/ has raw/, camera.toml, reduced/ (see summary.txt) and deep.fits")
    print(f"done in {time.monotonic() - started:.1f} s")
    return 0


def _info(options: argparse.Namespace) -> int:
    load("dask.array", "autowisp_xr.night.listing", "autowisp_xr.night.opening")
    from autowisp_xr import night, open_night

    paths = options.paths[0] if len(options.paths) == 1 else options.paths
    print(night.info(open_night(paths, **night_arguments(options))), end="")
    return 0


def _reduce(options: argparse.Namespace) -> int:
    load("dask.array", "autowisp_xr.night.reduction")
    from autowisp_xr import FlatSelection, reduce

    select = FlatSelection() if options.select_flats else None
    if options.flat_limits:
        select = FlatSelection.from_toml(options.flat_limits)
    summary = reduce(
        options.night,
        options.out,
        **night_arguments(options),
        select=select,
        min_flat=options.min_flat,
        checksum=options.checksum,
        overwrite=options.overwrite,
        say=_say,
    )
    print()
    print(summary, end="")
    return summary.exit_status


_say: Callable[[str], None] = print
