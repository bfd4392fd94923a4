"""``autowisp-xr flat``: calibrated flats to a high and a low master."""

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

from autowisp_xr.cli.flat_options import MASTERS, add_options
from autowisp_xr.cli.flat_values import filter_and_options
from autowisp_xr.cli.loading import load
from autowisp_xr.cli.reporting import reporting
from autowisp_xr.cli.stack import flagged, literal, master_name
from autowisp_xr.cli.values import OptionError

__all__ = ["add_flat", "maker_arguments", "master_names"]

_CLASSES = ("high", "low", "medium", "cloudy", "colocated", "saturated")

_MATCHING = (
    *("min_pointing_separation", "large_scale_deviation_threshold"),
    *("min_high_combine", "min_low_combine"),
)

_SELECTION = (
    *("max_saturated_fraction", "var_mean_fit_threshold", "var_mean_fit_iterations"),
    *("cloudy_night_threshold", "cloudy_frame_threshold", "min_high_mean", "max_low_mean"),
)

_STACKING = ("outlier_threshold", "average_func", "min_valid_values", "max_iter", "exclude_mask")

_OF_MASTERS = (
    *("stamp_", "large_scale_", "cloud_check_", *_MATCHING, *_STACKING),
    *("add_averaged_keywords", "compress"),
)
"""How the names of options begin that say what the masters are."""


def add_flat(steps: Any) -> None:
    """Add the command ``flat`` to the subparsers of the program."""
    add_options(steps, _run)


def maker_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of the MasterFlatMaker that the options ask for.

    Raises
    ------
    OptionError
        If the levels of high and low frames overlap.
    """
    from autowisp_xr.image_smoothing import PolynomialImageSmoother

    given = vars(options)
    high, low = given["stamp_select_min_high_mean"], given["stamp_select_max_low_mean"]
    if high is not None and low is not None and low > high:
        raise OptionError(
            f"--stamp-select-min-high-mean {high:g} is below --stamp-select-max-low-mean {low:g}: "
            "frames between them would be both high and low"
        )
    fit = ("num_x_terms", "num_y_terms", "outlier_threshold", "max_iterations")
    return {
        "stamp_statistics_config": {
            "fraction": given["stamp_fraction"],
            "smoother": PolynomialImageSmoother(**_group(given, "stamp_smoothing_", fit)),
            **_group(given, "stamp_pixel_", ("average", "outlier_threshold", "max_iter")),
        },
        "stamp_select_config": _group(given, "stamp_select_", _SELECTION),
        **_smoothers(given),
        "master_stack_config": {
            **_group(given, "", _MATCHING),
            "large_scale_stack_options": _group(given, "large_scale_stack_", _STACKING),
            "master_stack_options": _group(given, "", (*_STACKING, "add_averaged_keywords")),
        },
    }


def _smoothers(given: Mapping[str, Any]) -> dict[str, Any]:
    """Smoothers of the large-scale shape and of clouds."""
    from autowisp_xr.image_smoothing import ChainSmoother, SplineImageSmoother

    nodes = ("num_x_nodes", "num_y_nodes", "outlier_threshold", "max_iter")
    binning = ("bin_factor", "zoom_interp_order")
    shape, clouds = "large_scale_smoothing_", "cloud_check_smoothing_"
    return {
        "large_scale_smoother": ChainSmoother(
            _filter(given, shape),
            SplineImageSmoother(**_group(given, f"{shape}spline_", nodes)),
            **_group(given, shape, binning),
        ),
        "cloud_check_smoother": _filter(given, clouds, **_group(given, clouds, binning)),
    }


def _filter(given: Mapping[str, Any], prefix: str, **binning: Any) -> Any:
    from autowisp_xr.image_smoothing import WrapFilterAsSmoother

    filter, config = filter_and_options(given[f"{prefix}filter"], given[f"{prefix}filter_size"])
    return WrapFilterAsSmoother(filter, **config, **binning)


def _group(given: Mapping[str, Any], prefix: str, names: Sequence[str]) -> dict[str, Any]:
    """Values of options whose names begin alike, by what follows."""
    return {name: given[f"{prefix}{name}"] for name in names}


def master_names(files: Sequence[str], options: argparse.Namespace) -> dict[str, str]:
    """Names of the high and the low master.

    Parameters
    ----------
    files
        The frames; the headers of all of them are read.
    options
        Of the step.

    Raises
    ------
    OptionError
        If two frames give different names, or a name asks for what a header does not have.
    """
    from autowisp_xr.fits.layout import read_header
    from autowisp_xr.headers.cards import parse_header

    given = {name: value for name, value in vars(options).items() if name.startswith(_OF_MASTERS)}
    found: dict[str, str] = {}
    for file in files:
        header = parse_header(read_header(file))
        for kind, option in MASTERS.items():
            name = master_name(option, header, given, options)
            if found.setdefault(kind, name) != name:
                raise OptionError(
                    f"{option}: the master of {files[0]} would be {found[kind]}, that of {file} "
                    f"{name}; name frames of one master only, or leave out of the name what differs"
                )
    return found


def _run(options: argparse.Namespace) -> int:
    with reporting(options):
        return _flat(options)


def _flat(options: argparse.Namespace) -> int:
    load("dask.array", "autowisp_xr.image_calibration.master_flat_maker")
    arguments = maker_arguments(options)
    from autowisp_xr.frames import find_files
    from autowisp_xr.image_calibration import MasterFlatMaker

    files = find_files(options.calibrated_images)
    names = master_names(files, options)
    # in memory: the new master may take its place
    last_good = _flat_of(options.last_good).load() if options.last_good else None
    make = MasterFlatMaker(**arguments)
    result = make(
        files,
        *(literal(names[kind]) for kind in MASTERS),
        compress=options.compress,
        allow_overwrite=options.allow_overwrite,
    )
    for kind in MASTERS:
        print(_said_of_master(kind, names[kind], result, options))
    _list_frames(files, result.frames)
    if last_good is not None and result.success["high"]:
        print(_compared(names["high"], last_good, options.last_good))
    return 0 if result.success["high"] else 1


def _said_of_master(kind: str, name: str, result: Any, options: argparse.Namespace) -> str:
    number = {kind: len(result.classes[kind]) for kind in MASTERS}
    if result.success[kind]:
        average = options.average_func
        how = average if isinstance(average, str) else f"quantile {average:g}"
        return f"{name}: {how} of {number[kind]} frames{flagged(name)}"
    fewest = getattr(options, f"min_{kind}_combine")
    if number[kind] < fewest:
        total = sum(map(len, result.classes.values()))
        return (
            f"no {kind} master: {number[kind]} of {total} frames are {kind}, --min-{kind}-combine "
            f"is {fewest}"
        )
    return (
        f"no {kind} master: its large-scale shape would be that of high frames, of which there are "
        f"{number['high']}, and --min-high-combine is {options.min_high_combine}"
    )


def _list_frames(files: Sequence[str], table: Any) -> None:
    """Print every frame with its reason, by class, and what could not be tested."""
    kinds, reasons = (table[name].values.tolist() for name in ("class", "reason"))
    for kind in _CLASSES:
        if kind in kinds:
            print(f"{kind}:")
        for file, own, reason in zip(files, kinds, reasons, strict=True):
            if own == kind:
                print(f"  {file}: {reason}")
    if table.attrs["notes"]:
        print("notes:")
        for note in table.attrs["notes"]:
            print(f"  {note}")


def _flat_of(file: str) -> Any:
    """The master flat of a file, not yet read."""
    from autowisp_xr import schema
    from autowisp_xr.frames import open_records, scan

    ds = open_records(scan(file))
    if ds.sizes["frame"] != 1 or "variance" not in ds:
        raise OptionError(f"--last-good: {file} is no file of one master with an error plane")
    # flats of the original, divided by their mean, say ADU or nothing
    return schema.with_attributes(ds, "1")


def _compared(name: str, last_good: Any, file: str) -> str:
    """How the new high master differs from the last good one, in words."""
    from autowisp_xr.errors import AutowispError
    from autowisp_xr.measure import compare_masters

    try:
        found = compare_masters(_flat_of(name), last_good)
    except AutowispError as error:
        raise OptionError(f"the masters are made; --last-good {file}: {error}") from error
    beyond, largest = (
        "?%" if math.isnan(share) else f"{share:.2%}"
        for share in (found["fraction"].item(), found["largest_large_scale"].item())
    )
    return (
        f"compared with {file}: {beyond} of pixels differ by more than 5 sigma, the largest "
        f"large-scale difference is {largest}"
    )
