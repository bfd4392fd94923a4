"""Options of ``autowisp-xr flat``, with the names and defaults of the original."""

import argparse
from collections.abc import Callable
from typing import Any

from autowisp_xr.cli import flat_values, values
from autowisp_xr.cli.options import add, add_common, add_master, add_stacking, add_step

__all__ = ["MASTERS", "add_options"]

MASTERS = {"high": "--high-flat-master-fname", "low": "--low-flat-master-fname"}
"""Options that name the masters."""


def add_options(steps: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add the command ``flat``, which is ``run``, to the subparsers of the program."""
    step = add_step(
        steps,
        "flat",
        run,
        images="calibrated_images",
        help="choose good flats, and stack them to a high and a low master",
        description="Sort calibrated flats of one channel into high, low, medium, cloudy, "
        "colocated and saturated ones, bring the high and the low ones to a common large-scale "
        "shape, and stack each of them to a master with a mean of one. Every frame is listed with "
        "its class and the reason.",
        epilog="Names of files are filled in from the headers of the frames: {CAMSN}, {CLRCHNL}, "
        '... Limits that take "none" are then not tested; for a lamp and a screen, say '
        "--min-pointing-separation none --stamp-select-min-high-mean none "
        "--stamp-select-max-low-mean none.",
    )
    _add_stamps(step)
    _add_selection(step)
    _add_combining(step)
    _add_large_scale(step)
    _add_clouds(step)
    add_stacking(
        step,
        title="how the high frames become the reference of large scales",
        prefix="large-scale-stack-",
        outlier_threshold=4.0,
        min_valid_values=3,
        max_iter=1,
        min_valid_frames=None,
    )
    add_stacking(
        step,
        title="how the frames are averaged to masters",
        outlier_threshold=(2.0, -3.0),
        min_valid_values=3,
        max_iter=3,
        min_valid_frames=None,
    )
    _add_output(step)
    add_common(step)


def _add_stamps(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("level and noise of a frame, from a stamp in its middle")
    add(
        group,
        "--stamp-fraction",
        type=flat_values.fraction,
        default=0.5,
        metavar="F",
        help="size of the stamp along each direction, as a fraction of the frame",
    )
    for axis in "xy":
        add(
            group,
            f"--stamp-smoothing-num-{axis}-terms",
            type=flat_values.positive,
            default=3,
            metavar="N",
            help=f"powers of {axis}, from 0 on, of the polynomial that de-trends the stamp",
        )
    _add_rejection(group, "stamp-smoothing", "max-iterations", 3.0, 1, "pixels from that fit")
    add(
        group,
        "--stamp-pixel-average",
        type=flat_values.mean_or_median,
        default="mean",
        metavar="NAME",
        help="what the level is of the pixels of the stamp: mean or median",
    )
    _add_rejection(group, "stamp-pixel", "max-iter", 3.0, 3, "pixels from that level")


def _add_selection(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("which frames are good, and which are high and low")
    add(
        group,
        "--stamp-select-max-saturated-fraction",
        type=flat_values.limit,
        default=1e-4,
        metavar="F",
        help="a frame is saturated if more of the pixels of its stamp are; or none",
    )
    _add_rejection(
        group,
        "stamp-select-var-mean-fit",
        "iterations",
        2.0,
        2,
        "frames from the parabola of variance against mean",
        threshold="threshold",
    )
    add(
        group,
        "--stamp-select-cloudy-night-threshold",
        type=flat_values.limit,
        default=5000.0,
        metavar="ADU^2",
        help="all frames are cloudy if they scatter more about that parabola; or none",
    )
    add(
        group,
        "--stamp-select-cloudy-frame-threshold",
        type=flat_values.limit,
        default=2.0,
        metavar="SIGMA",
        help="a frame is cloudy if it is farther from that parabola than this many times the "
        "scatter; or none",
    )
    add(
        group,
        "--stamp-select-min-high-mean",
        type=flat_values.level,
        default=6000.0,
        metavar="ADU",
        help="frames with a level above this are high; none for all that are not low",
    )
    add(
        group,
        "--stamp-select-max-low-mean",
        type=flat_values.level,
        default=3000.0,
        metavar="ADU",
        help="frames with a level below this are low; none for no low frames",
    )
    add(
        group,
        "--min-pointing-separation",
        type=flat_values.limit,
        default=150.0,
        metavar="ARCSEC",
        help="frames that point closer to another are colocated, and left out: their stars would "
        "fall on the same pixels; or none",
    )


def _add_combining(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("how many frames a master needs")
    for kind, number in (("high", 10), ("low", 5)):
        without = "; of fewer before clouds are looked for, no low one either"
        add(
            group,
            f"--min-{kind}-combine",
            type=flat_values.positive,
            default=number,
            metavar="N",
            help=f"make no {kind} master of fewer frames{without if kind == 'high' else ''}",
        )


def _add_large_scale(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group(
        "large-scale shape: ratio of the reference to a frame, by a filter and then a spline"
    )
    prefix = "large-scale-smoothing"
    _add_filter(group, prefix, 12)
    for axis in "xy":
        add(
            group,
            f"--{prefix}-spline-num-{axis}-nodes",
            type=flat_values.positive,
            default=4,
            metavar="N",
            help=f"nodes of the spline along {axis}",
        )
    _add_rejection(group, f"{prefix}-spline", "max-iter", 5.0, 1, "pixels from the spline")
    _add_binning(group, prefix)


def _add_clouds(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("clouds: what a frame then differs from the reference by")
    add(
        group,
        "--large-scale-deviation-threshold",
        type=flat_values.limit,
        default=0.05,
        metavar="F",
        help="a frame is cloudy if its smooth relative difference is larger anywhere; or none",
    )
    _add_filter(group, "cloud-check-smoothing", 8)
    _add_binning(group, "cloud-check-smoothing")


def _add_rejection(
    group: Any,
    prefix: str,
    rounds: str,
    sigma: float,
    most: int,
    what: str,
    *,
    threshold: str = "outlier-threshold",
) -> None:
    """Add a threshold, and how often at most it rejects."""
    add(
        group,
        f"--{prefix}-{threshold}",
        combine=values.thresholds,
        default=sigma,
        metavar="SIGMA",
        help=f"reject {what} beyond this many times their root mean square distance: one number "
        "for both sides, or two of opposite signs",
    )
    add(
        group,
        f"--{prefix}-{rounds}",
        type=values.rounds,
        default=most,
        metavar="N",
        help="reject at most so many times; inf for as often as it takes",
    )


def _add_filter(group: Any, prefix: str, size: int) -> None:
    add(
        group,
        f"--{prefix}-filter",
        type=flat_values.filter_name,
        default="median_filter",
        metavar="NAME",
        help="filter of scipy.ndimage: median_filter, uniform_filter, minimum_filter, "
        "maximum_filter, percentile_filter:30 or gaussian_filter",
    )
    add(
        group,
        f"--{prefix}-filter-size",
        type=flat_values.positive,
        default=size,
        metavar="N",
        help="size of its window, in binned pixels; of gaussian_filter, the standard deviation",
    )


def _add_binning(group: Any, prefix: str) -> None:
    add(
        group,
        f"--{prefix}-bin-factor",
        type=flat_values.positive,
        default=4,
        metavar="N",
        help="bin so many pixels in each direction before smoothing",
    )
    add(
        group,
        f"--{prefix}-zoom-interp-order",
        type=flat_values.degree,
        default=4,
        metavar="N",
        help="order, 1 to 5, of the splines that lead back to pixels",
    )


def _add_output(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group("output")
    for kind, option in MASTERS.items():
        stem = "flat" if kind == "high" else "lowflat"
        add(
            group,
            option,
            default=f"MASTERS/{stem}_{{CAMSN}}_{{CLRCHNL}}_{{OBSSSNID}}.fits.fz",
            metavar="NAME",
            help=f"name of the {kind} master, filled in from the headers of the frames, which must "
            "all give the same; what they do not have, from options: {PROJECT_HOME}, {MAX_ITER}, "
            "...",
        )
    add(
        group,
        "--last-good",
        metavar="FILE",
        help="master flat that was good: say how the new high master differs from it, and warn "
        "where it does too much",
    )
    add_master(group)
