"""``autowisp-xr flat`` stacks calibrated flats to a high and a low master."""

import math
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autowisp_xr.cli.loading import load
from autowisp_xr.cli.log import print_list
from autowisp_xr.cli.stack import header_of, in_words, master_name
from autowisp_xr.cli.values import OptionError, filter_and_options
from autowisp_xr.filesystem.addresses import literal

if TYPE_CHECKING:
    import xarray as xr

    from autowisp_xr.image_smoothing import WrapFilterAsSmoother


_KINDS = ("high", "low")

_CLASSES = (*_KINDS, "medium", "cloudy", "colocated", "saturated")

_NAMED = ("stamps", "selection", "combining", "shape", "clouds", "reference", "averaging-flats")
"""Groups of options that may stand in the names of masters, as they determine these."""


def run(options: Namespace) -> int:
    """Make masters of flats, and print the class of each frame; 0 if there is a high master."""
    load("dask.array", "autowisp_xr.image_calibration.master_flat_maker")
    from autowisp_xr.frames import find_files
    from autowisp_xr.image_calibration import MasterFlatMaker

    arguments = _arguments(options)
    files = find_files(options.calibrated_images)
    names = _master_names(files, options)
    # in memory: the new master may take its place
    last_good = _flat_of(options.last_good).load() if options.last_good else None
    make = MasterFlatMaker(**arguments)
    result = make(
        files,
        *(literal(names[kind]) for kind in _KINDS),
        compress=options.compress,
        allow_overwrite=options.allow_overwrite,
    )
    numbers = {kind: len(files) for kind, files in result.classes.items()}
    for kind in _KINDS:
        if result.success[kind]:
            print(in_words(names[kind], numbers[kind], options))
        else:
            print(f"no {kind} master: {_why_not(kind, numbers, options)}")
    if result.frames is not None:
        _print_frames(files, result.frames)
    if last_good is not None and result.success["high"]:
        print(_compared(names["high"], last_good, options.last_good))
    return 0 if result.success["high"] else 1


def _print_frames(files: Sequence[str], table: "xr.Dataset") -> None:
    """Print every frame with its reason, by class, and the tests that could not be made."""
    kinds, reasons = (table[name].values.tolist() for name in ("class", "reason"))
    for kind in _CLASSES:
        rows = zip(files, kinds, reasons, strict=True)
        print_list(kind, [f"{file}: {reason}" for file, own, reason in rows if own == kind])
    print_list("notes", table.attrs["notes"])


def _arguments(options: Namespace) -> dict[str, Any]:
    """Return the arguments of MasterFlatMaker for the options.

    Raises
    ------
    OptionError
        If the levels of high and low frames overlap.
    """
    from autowisp_xr.image_smoothing import (
        ChainSmoother,
        PolynomialImageSmoother,
        SplineImageSmoother,
    )

    high, low = options.stamp_select_min_high_mean, options.stamp_select_max_low_mean
    if high is not None and low is not None and low > high:
        raise OptionError(
            f"--stamp-select-min-high-mean {high:g} is below --stamp-select-max-low-mean {low:g}: "
            "frames between them would be both high and low"
        )
    shape, clouds = "large_scale_smoothing_", "cloud_check_smoothing_"
    binning = ("bin_factor", "zoom_interp_order")
    return {
        "stamp_statistics_config": {
            "fraction": options.stamp_fraction,
            "smoother": PolynomialImageSmoother(**_named(options, "stamp_smoothing_")),
            **_named(options, "stamp_pixel_"),
        },
        "stamp_select_config": _named(options, "stamp_select_"),
        "large_scale_smoother": ChainSmoother(
            _filter(options, shape),
            SplineImageSmoother(**_named(options, f"{shape}spline_")),
            **_named(options, shape, binning),
        ),
        "cloud_check_smoother": _filter(options, clouds, binning),
        "master_stack_config": {
            **options.groups["combining"],
            **_named(options, "", ("min_pointing_separation", "large_scale_deviation_threshold")),
            "large_scale_stack_options": _named(options, "large_scale_stack_"),
            "master_stack_options": {
                **options.groups["averaging-flats"],
                "add_averaged_keywords": options.add_averaged_keywords,
            },
        },
    }


def _filter(options: Namespace, prefix: str, binning: Sequence[str] = ()) -> "WrapFilterAsSmoother":
    from autowisp_xr.image_smoothing import WrapFilterAsSmoother

    given = _named(options, prefix, ("filter", "filter_size"))
    filter, config = filter_and_options(given["filter"], given["filter_size"])
    return WrapFilterAsSmoother(filter, **config, **_named(options, prefix, binning))


def _named(options: Namespace, prefix: str, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the options whose names begin alike, by what follows: all of them, or these names."""
    given = vars(options)
    if names is None:
        names = [name.removeprefix(prefix) for name in given if name.startswith(prefix)]
    return {name: given[f"{prefix}{name}"] for name in names}


def _master_names(files: Sequence[str], options: Namespace) -> dict[str, str]:
    """Return the names of the high and the low master.

    Parameters
    ----------
    files
        The frames; the headers of all of them are read.
    options
        Of the step.

    Raises
    ------
    OptionError
        If two frames give different names, or a name asks for a keyword that a header lacks.
    """
    given = {"add_averaged_keywords": options.add_averaged_keywords, "compress": options.compress}
    for group in _NAMED:
        given |= options.groups[group]
    found: dict[str, str] = {}
    for file in files:
        header = header_of(file)
        for kind in _KINDS:
            name = master_name(f"{kind}_flat_master_fname", header, given, options)
            if found.setdefault(kind, name) != name:
                raise OptionError(
                    f"--{kind}-flat-master-fname: the master of {files[0]} would be {found[kind]}, "
                    f"that of {file} {name}; name frames of one master only, or leave out of the "
                    "name what differs"
                )
    return found


def _why_not(kind: str, numbers: Mapping[str, int], options: Namespace) -> str:
    """Describe why there is no master."""
    fewest = getattr(options, f"min_{kind}_combine")
    if numbers[kind] < fewest:
        total = sum(numbers.values())
        return f"{numbers[kind]} of {total} frames are {kind}, --min-{kind}-combine is {fewest}"
    return (
        "its large-scale shape would be that of high frames, of which there are "
        f"{numbers['high']}, and --min-high-combine is {options.min_high_combine}"
    )


def _flat_of(file: str) -> "xr.Dataset":
    """Open the master flat of a file."""
    from autowisp_xr import schema
    from autowisp_xr.frames import open_records, scan

    ds = open_records(scan(file))
    if ds.sizes["frame"] != 1 or "variance" not in ds:
        raise OptionError(f"--last-good: {file} is no file of one master with an error plane")
    # flats of the original, divided by their mean, state ADU or no unit
    return schema.with_attributes(ds, "1")


def _compared(name: str, last_good: "xr.Dataset", file: str) -> str:
    """Describe how the new high master differs from the last good one."""
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
