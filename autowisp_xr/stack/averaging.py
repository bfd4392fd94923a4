"""Frames that go together become their average: band by band of rows, through all of them."""

import json
import warnings
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.pixels import UNKNOWN, Digitisation
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.coordinates import summarised
from autowisp_xr.stack.digitisation import digits_of
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.photon_counts import effective_frames
from autowisp_xr.stack.unequal_exposures import warn_of_unequal_exposures
from autowisp_xr.stack.weights import echoed, weights_of
from autowisp_xr.stats.rounding import rounding_variances
from autowisp_xr.stats.through_frames import Averages, Frames, average_through_frames
from autowisp_xr.steps.shared_noise_names import groups_of, warn_if_lost

_PLANES = ("image", "mask", "variance", *SHARED, *schema.PHOTON_PLANES, "count")
"""Variables in the order of :class:`autowisp_xr.stats.through_frames.Frames`."""


def stacked(ds: xr.Dataset, options: StackOptions) -> xr.Dataset:
    """See :func:`stack`; whether the frames go together has been judged."""
    number, quantile, reject = ds.sizes["frame"], options.quantile, options.rejection
    if number < options.min_frames:
        raise ImageMismatchError(
            f"there are {number} frames to stack, min_frames is {options.min_frames}"
        )
    has_variance, known = "variance" in ds, provenance.noise_known(ds)
    if options.error == "propagate" and not has_variance:
        raise ImageMismatchError(
            "the frames have no variance to propagate; calibrate them, or choose error='scatter'"
        )
    propagate = has_variance and (
        options.error == "propagate" or (options.error == "auto" and known)
    )
    if reject is not None:
        reject.check(number, of_mean=quantile == MEAN, has_variance=has_variance)
    errors = propagate or options.noise == "required"
    as_mean = options.error == "standard_error"
    if number == 1 and not propagate and errors and not as_mean:
        _warn_of_no_error(ds)
    ds = blocks.load_coordinates(ds)
    _check_one_type(ds)
    groups = tuple(groups_of(ds, plane) for plane in SHARED)
    if propagate:
        warn_if_lost(ds)
    weights = weights_of(ds, options.weights, quantile, int(options.excluded))
    # a mean of one is a quantile, too
    is_mean = quantile == MEAN and number - sum(options.dropped) != 1
    unequal = has_variance and (options.error == "propagate" or known) and not (is_mean or as_mean)
    if not (unequal or quantile == MEAN or as_mean):
        warn_of_unequal_exposures(ds)
    needed = {name: ds[name].variable for name in _PLANES if name in ds}
    if not (propagate or unequal or (reject and reject.takes_variance)):
        for name in ("variance", *schema.PHOTON_PLANES):
            needed.pop(name, None)
    # along the chunks of the store, which the encoding tells
    in_bands = blocks.bands(xr.Dataset(needed)).drop_encoding()
    ds = ds.drop_encoding()
    planes = {name: blocks.stackwise(in_bands[name].variable) for name in needed}
    outputs = {"image": options.dtype, "variance": options.dtype, "mask": "u1", "count": "u2"}
    outputs |= {name: options.dtype for name in SHARED if name in planes}
    of_average = propagate and "photon_slope" in planes
    if of_average:
        outputs |= dict.fromkeys(schema.PHOTON_PLANES, options.dtype)
    if options.rejected:
        outputs |= {"rejected_low": "u2", "rejected_high": "u2"}
    digits: tuple[xr.Variable | None, ...] = (None, None, None)
    if number > 1 and (not as_mean or (reject and reject.by_step)):
        digits = digits_of(ds["image"].variable, needed.get("mask"), int(options.excluded))
    run = partial(
        _run,
        reject=reject,
        unequal=unequal,
        as_mean=as_mean,
        rejected=options.rejected,
        exclude=int(options.excluded),
        quantile=quantile,
        propagate=propagate,
        min_values=options.min_values if errors else max(options.min_values, min(number, 2)),
        reach=options.reach,
        errors=errors,
        groups=groups,
        dtype=np.dtype(options.dtype),
    )
    operands = [*(planes.get(name) for name in _PLANES), weights, *digits]
    averages = blocks.apply(run, operands, schema.DIMS[1:], list(outputs.values()))
    variables = dict(zip(outputs, averages, strict=True))
    coords = summarised(ds, options, weights)
    coords["effective_frames"] = effective_frames(ds, weights, quantile, options.dropped)
    units = ds["image"].attrs.get("units", "adu")
    result = schema.with_attributes(xr.Dataset(variables, coords, ds.attrs), units)
    chosen = options.echo() | {"weights": echoed(options.weights, weights)}
    if options.error == "auto" or propagate:
        chosen["error"] = "propagate" if propagate else "scatter"
    if propagate:
        chosen["photons"] = "of the average" if of_average else "of each frame"
    return provenance.record(result, "stack", chosen, source=_with_own_history(ds))


def _with_own_history(ds: xr.Dataset) -> xr.Dataset:
    """Frames whose history names none of those that were opened with them, and selected away."""
    if "history" not in ds.attrs or "frame" not in ds.coords:
        return ds
    names = map(str, ds["frame"].values.tolist())
    paths = map(str, np.ravel(ds["path"].values).tolist()) if "path" in ds.coords else ()
    records = provenance.of_frames(provenance.history(ds), set(names), set(paths))
    return ds.assign_attrs(history=json.dumps(records))


def _run(
    *operands: Any,
    rejected: bool,
    **rules: Any,
) -> list[Any]:
    """Average blocks of the planes of a frame set.

    ``operands`` are arrays of planes, of weights, and of how values are digitised.
    """
    *planes, step, noise, smooth = operands
    frames = Frames(*planes)
    digits = UNKNOWN if step is None else Digitisation(float(step), float(noise), float(smooth))
    if frames.weights is not None:
        frames = frames._replace(weights=frames.weights.reshape(len(frames.weights), -1))
    found = average_through_frames(frames, digits=digits, **rules)
    if not rules["as_mean"] and digits.step > 0 and np.isfinite(digits.smooth):
        found = _with_rounding(found, len(frames.values), digits, rules)
    common = [found.shared_variance, found.shared_relative_variance]
    light = [] if found.light is None else list(found.light)
    numbers = [_counted(found.low), _counted(found.high)] if rejected else []
    count = _counted(found.number if found.total is None else found.total)
    results = [found.image, found.variance, found.mask, count, *common, *light, *numbers]
    return [plane for plane in results if plane is not None]


def _with_rounding(
    found: Averages, frames: int, digits: Digitisation, rules: dict[str, Any]
) -> Averages:
    """Averages whose variance knows that digits do not round each value for itself."""
    dropped = rules["reject"].dropped if rules["reject"] else (0, 0)
    counts, which = np.unique(found.number, return_inverse=True)
    times, lacks, common = rounding_variances(
        counts, frames, rules["quantile"], digits.smooth, rules["propagate"], *dropped
    )

    def of_pixels(table: Floats) -> Floats:
        return table[which].reshape(found.variance.shape)

    kind, square = found.variance.dtype, digits.step**2
    variance, shared = found.variance.astype(np.float64), found.shared_variance
    if (times != 1).any():
        apart: Any = 0.0 if shared is None else shared
        if found.shared_relative_variance is not None:
            apart = apart + found.image.astype(np.float64) ** 2 * found.shared_relative_variance
        variance = apart + (variance - apart) * of_pixels(times)
    variance += of_pixels(square * lacks)
    if shared is not None:
        shared = (shared + of_pixels(square * common)).astype(kind)
    return found._replace(variance=variance.astype(kind), shared_variance=shared)


def _counted(numbers: Integers) -> Integers:
    return np.minimum(numbers, np.iinfo(np.uint16).max).astype(np.uint16)


def _warn_of_no_error(ds: xr.Dataset) -> None:
    warnings.warn(
        f"a stack of one frame ({schema.names(ds, 'frame')[0]}) has no scatter that would say its "
        "error, so every pixel is flagged FAULT; stack more frames, or calibrate it with a camera "
        "whose gain and read noise are known",
        AutowispWarning,
        stacklevel=4,
    )


def _check_one_type(ds: xr.Dataset) -> None:
    if "image_type" not in ds.coords:
        return
    types = sorted({str(kind) for kind in np.atleast_1d(ds["image_type"].values).tolist()})
    if len(types) > 1:
        raise ImageMismatchError(
            f"frames of the types {', '.join(types)} cannot go into one stack; select one by "
            "where_type"
        )
