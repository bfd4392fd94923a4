"""Options of ``autowisp-xr calibrate``, with the names and defaults of the original."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from autowisp_xr.cli import values
from autowisp_xr.cli.options import add, add_common, add_output, add_step

__all__ = ["MASTERS", "START_UTC", "add_options"]

START_UTC = 'DATE_OBS if "T" in DATE_OBS else DATE_OBS + "T" + TIME_OBS'
MASTERS = ("master_bias", "master_dark", "master_flat", "master_mask")


def add_options(steps: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add the command ``calibrate``, which is ``run``, to the subparsers of the program."""
    step = add_step(
        steps,
        "calibrate",
        run,
        images="raw_images",
        help="calibrate raw frames with masters of your choice, file by file",
        description="Calibrate raw frames: trim, subtract overscan, bias and dark, divide by the "
        "flat, flag saturated and bad pixels, and write for each channel a file with the image, "
        "its error and its mask. Everything is done as the options say, nothing is looked up; "
        "for a whole night without options, see autowisp-xr reduce.",
        epilog="EXPR is an expression over the keywords of the header, in which - is written _: "
        "DATE_OBS + 'T' + TIME_OBS. CHANNEL: may be left out where there is one channel. Pixels "
        "count from zero in the raw frame, and xmax and ymax are the first that do not belong.",
    )
    _add_time(step)
    _add_reading(step)
    _add_sensor(step)
    _add_masters(step)
    _add_output(step)
    add_common(step)


def _add_time(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("which frames, and when they were taken")
    keywords: dict[str, Any] = {"metavar": "EXPR", "type": values.expression}
    add(
        group,
        "--calibrate-only-if",
        default="True",
        help="calibrate a frame only if this is true of its header",
        **keywords,
    )
    add(
        group,
        *("--exposure-start-utc", "--start-time-utc"),
        help=f"start of the exposure, UTC, as YYYY-MM-DDThh:mm:ss (default: {START_UTC})",
        **keywords,
    )
    add(
        group,
        *("--exposure-start-jd", "--start-time-jd"),
        help="start of the exposure as a Julian date, in place of the one in UTC",
        **keywords,
    )
    add(
        group,
        "--exposure-seconds",
        default="EXPTIME",
        help="length of the exposure, in seconds",
        **keywords,
    )
    add(
        group,
        "--fnum",
        default="int(1e6 * (JD_OBS - 2.4e6))",
        help="number of the frame; JD_OBS is the middle of its exposure",
        **keywords,
    )


def _add_reading(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("where the pixels are")
    add(
        group,
        "--raw-hdu",
        combine=values.hdus,
        metavar="[CHANNEL:]HDU",
        help="number of the HDU of the image, or of each channel (default: the first with pixels)",
    )
    add(
        group,
        "--split-channels",
        combine=values.channels,
        metavar="CHANNEL",
        help='channels as "NAME(x0;y0)": first column and row, then every second; other steps as '
        '"NAME(x0,xstep;y0,ystep)". For RGGB: "R(0;0)" "G1(1;0)" "G2(0;1)" "B(1;1)" (default: '
        "one channel, which is the frame)",
    )
    add(
        group,
        "--image-area",
        type=values.area,
        metavar="xmin,xmax,ymin,ymax",
        help="pixels that see the sky; only they are kept (default: the whole frame)",
    )
    add(
        group,
        "--overscans",
        type=values.overscans,
        default=":",
        metavar="METHOD:xmin,xmax,ymin,ymax[;...]",
        help="pixels that never see light, and how their level is found: median, mean; : for none",
    )


def _add_sensor(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("the sensor")
    add(group, "--gain", type=values.number, default=1.0, metavar="e/ADU", help="electrons per ADU")
    add(
        group,
        "--read-noise-electrons",
        type=values.number,
        default=3.0,
        metavar="e",
        help="noise of reading a pixel, in electrons",
    )
    add(
        group,
        "--bias-level-adu",
        type=values.number,
        default=0.0,
        metavar="ADU",
        help="constant that is subtracted first of all",
    )
    add(
        group,
        "--saturation-threshold",
        type=values.number,
        metavar="ADU",
        help="flag pixels above this, the bias level subtracted (default: what the header says, "
        "else the ceiling of the integers)",
    )
    add(
        group,
        "--leak-directions",
        combine=values.leak_directions,
        metavar="dx,dy",
        help='where saturated pixels spill charge, in raw-frame pixels: "0,1" "0,-1"',
    )


def _add_masters(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("masters")
    for name in MASTERS:
        kind = name.removeprefix("master_")
        several = kind == "mask"
        add(
            group,
            f"--master-{kind}",
            combine=_masks if several else _files,
            metavar="[CHANNEL:]FILE",
            help="file whose flags all frames get; repeated, all of them"
            if several
            else f"master {kind}, for each channel or for the only one",
        )


def _add_output(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("output")
    add(
        group,
        "--calibrated-fname",
        default="{PROJHOME}/CAL/{RAWFNAME}_{CLRCHNL}.fits.fz",
        metavar="NAME",
        help="name of the files, filled in from the header of the calibrated frame",
    )
    add(
        group,
        "--compress-calibrated",
        type=values.number,
        metavar="LEVEL",
        help="compress, and round to the noise of each row divided by this (16, say); without it, "
        "nothing is rounded",
    )
    add(
        group,
        "--diagnostic-quantiles",
        combine=_quantiles,
        nargs="*",
        default=(0.1, 0.5, 0.9, 0.999),
        metavar="Q",
        help="quantiles of the good pixels to log for each frame; none without numbers",
    )
    add_output(group)


def _files(texts: Sequence[str]) -> Any:
    return values.per_channel(texts, str)


def _masks(texts: Sequence[str]) -> Any:
    return values.per_channel(texts, str, several=True)


def _quantiles(texts: Sequence[str]) -> tuple[float, ...]:
    return tuple(values.quantile(text) for text in texts)
