"""Frames that go together become their average: band by band of rows, through all of them.

Decision: how frames are digitised is read off a few rows of three of them, as late as all: where
they are stacked, from their values. So raw and calibrated frames, of files, a store or memory, in
ADU or electrons, show it alike, and nothing has to be carried along. Frames that were divided by a
flat, or scaled each by a number of its own, have no step in common; those from each of which a
level of its own was taken off do not round alike.
"""

import warnings
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats, Integers
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.lines import Lines
from autowisp_xr.kernels.pixels import UNKNOWN, Digitisation
from autowisp_xr.kernels.survivors import add_by_number
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.coordinates import summarised
from autowisp_xr.stack.engine import Averages, FramePlanes, Rules, average_through_frames
from autowisp_xr.stack.levels import FrameLines, applied, matched_lines
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.weights import echoed, weights_of
from autowisp_xr.stats.quantisation import digitisation_of, frames_to_look_at, rows_to_look_at
from autowisp_xr.stats.rounding import rounding_variances
from autowisp_xr.steps.noise_sources import groups_of, warn_if_lost

FRAME_PLANES = ("image", "mask", "variance", *SHARED, *schema.PHOTON_PLANES, "count")
"""Variables in the order of :class:`autowisp_xr.stack.engine.FramePlanes`."""

_PIECE = 3 * 2**17
"""Values that are scaled at a time: their planes stay in the cache until they are averaged."""

_UNEQUAL = 2.0
"""Exposures that differ by it make noise that makes a median from the scatter 1.1 of the truth."""


def stacked(ds: xr.Dataset, options: StackOptions) -> xr.Dataset:
    """See :func:`stack`; whether the frames go together has been judged."""
    number, quantile, reject = ds.sizes["frame"], options.quantile, options.rejection
    if number < options.min_frames:
        raise ImageMismatchError(
            f"there are {number} frames to stack, min_frames is {options.min_frames}"
        )
    has_variance, known = "variance" in ds, provenance.noise_known(ds)
    propagate = propagates(ds, options)
    if reject is not None:
        reject.check(number, of_mean=quantile == MEAN, has_variance=has_variance)
    errors = propagate or options.noise == "required"
    as_mean = options.error == "standard_error"
    if number == 1 and not propagate and errors and not as_mean:
        _warn_of_no_error(ds)
    ds = blocks.load_coordinates(ds)
    check_one_type(ds)
    shared, relative = (groups_of(ds, plane) for plane in SHARED)
    if propagate:
        warn_if_lost(ds)
    lines, to_reject = matched_lines(ds, options)
    weights = weights_of(ds, options.weights, quantile, int(options.excluded), lines)
    # a mean of one is a quantile, too
    is_mean = quantile == MEAN and number - sum(options.dropped) != 1
    unequal = has_variance and (options.error == "propagate" or known) and not (is_mean or as_mean)
    if not (unequal or quantile == MEAN or as_mean):
        _warn_of_unequal_exposures(ds)
    rules = Rules(
        quantile=quantile,
        reject=reject,
        exclude=int(options.excluded),
        groups=(shared, relative),
        propagate=propagate,
        as_mean=as_mean,
        unequal=unequal,
        min_values=options.min_values if errors else max(options.min_values, min(number, 2)),
        reach=options.reach,
        errors=errors,
        dtype=np.dtype(options.dtype),
        apart=reject is not None and options.apart,
        times=float(number) if options.average == "sum" else 1.0,
    )
    variables = _averages(ds, rules, weights, (lines, to_reject), rejected=options.rejected)
    ds = ds.drop_encoding()
    result = xr.Dataset(variables, summarised(ds, options, weights, lines), ds.attrs)
    result = schema.with_attributes(result, schema.units_of(ds))
    chosen = options.echo() | {"weights": echoed(options.weights, weights)}
    chosen |= applied(lines, to_reject) | errors_used(options, propagate, variables)
    # without frames that were opened with these and selected away
    own = provenance.with_history(ds, provenance.own_history(ds))
    return provenance.record(result, "stack", chosen, source=own)


def propagates(ds: xr.Dataset, options: StackOptions) -> bool:
    """Return whether the variance of an average comes from those of the frames.

    Raises
    ------
    ImageMismatchError
        Where it is to, and the frames have none.
    """
    has_variance = "variance" in ds
    if options.error == "propagate" and not has_variance:
        raise ImageMismatchError(
            "the frames have no variance to propagate; calibrate them, or choose error='scatter'"
        )
    auto = options.error == "auto" and provenance.noise_known(ds)
    return has_variance and (options.error == "propagate" or auto)


def errors_used(
    options: StackOptions, propagate: bool, variables: Collection[str]
) -> dict[str, str]:
    """Return what the history states of the errors of a stack that has these variables."""
    used = {}
    if options.error == "auto" or propagate:
        used["error"] = "propagate" if propagate else "scatter"
    if propagate:
        used["photons"] = "of the average" if "photon_slope" in variables else "of each frame"
    return used


def _averages(
    ds: xr.Dataset,
    rules: Rules,
    weights: xr.Variable | None,
    lines: tuple[FrameLines | None, FrameLines | None],
    *,
    rejected: bool,
) -> dict[str, xr.Variable]:
    """Average the variables of frames, lazily where these are lazy."""
    needed = {name: ds[name].variable for name in FRAME_PLANES if name in ds}
    by_variance = rules.reject is not None and rules.reject.takes_variance
    if not (rules.propagate or rules.unequal or by_variance):
        for name in ("variance", *schema.PHOTON_PLANES):
            needed.pop(name, None)
    # along the chunks of the store, which the encoding names
    in_bands = blocks.bands(xr.Dataset(needed)).drop_encoding()
    planes = {name: blocks.stackwise(in_bands[name].variable) for name in needed}
    outputs: dict[str, Any] = {"image": rules.dtype, "variance": rules.dtype}
    outputs |= {"mask": "u1", "count": "u2"}
    outputs |= dict.fromkeys(_shared_by(planes, lines[0]), rules.dtype)
    if rules.propagate and "photon_slope" in planes:
        outputs |= dict.fromkeys(schema.PHOTON_PLANES, rules.dtype)
    if rejected:
        outputs |= {"rejected_low": "u2", "rejected_high": "u2"}
    digits: tuple[xr.Variable | None, ...] = (None,) * 6
    by_step = rules.reject is not None and rules.reject.by_step
    if ds.sizes["frame"] > 1 and (not rules.as_mean or by_step):
        image, mask = ds["image"].variable, needed.get("mask")
        digits = digits_of(image, mask, lines[0], rules.exclude)
        digits += digits_of(image, mask, lines[1], rules.exclude) if rules.apart else digits
    operands = [*(planes.get(name) for name in FRAME_PLANES), weights, *_flat_lines(lines), *digits]
    matched = any(each is not None for each in lines)
    run = partial(_run_in_pieces if matched else _run, rules=rules, rejected=rejected)
    dims = schema.DIMS[1:]
    found = blocks.apply(run, operands, dims, list(outputs.values()), free=dims, alone=True)
    return dict(zip(outputs, found, strict=True))


def _shared_by(planes: Collection[str], lines: FrameLines | None) -> list[str]:
    """Return the planes of what is shared that the stack has, in their order."""
    shared = [name for name in SHARED if name in planes]
    if shared and lines is not None and lines.sky is not None:
        # without the sky, what is relative to the light is not relative to the image any more
        return ["shared_variance"]
    return shared


def _flat_lines(lines: tuple[FrameLines | None, ...]) -> list[xr.Variable | None]:
    return [each for line in lines for each in line or (None, None)]


def digits_of(
    image: xr.Variable, mask: xr.Variable | None, lines: FrameLines | None, exclude: int
) -> tuple[xr.Variable, ...]:
    """Return the step, noise and noise before rounding of a ``Digitisation``, as scalars.

    Lazy where the image is. Values with any of the flags ``exclude`` are not looked at.
    """
    sizes = image.sizes
    rows = rows_to_look_at(sizes["y"], sizes["channel"] * sizes["x"])
    number = frames_to_look_at(sizes["frame"], sizes["channel"] * sizes["x"] * rows)
    start = (sizes["y"] - rows) // 2
    # neighbours may be copies of each other
    frames = np.linspace(0, sizes["frame"] - 1, number).round().astype(int)
    where = {"frame": frames, "y": slice(start, start + rows)}
    samples = [
        plane if plane is None else plane.isel(where, missing_dims="ignore")
        for plane in (image, mask, *_flat_lines((lines,)))
    ]
    samples = [
        each if each is None or blocks.in_memory(each) else each.chunk(dict.fromkeys(each.dims, -1))
        for each in samples
    ]
    return blocks.apply(partial(_digits, exclude=exclude), samples, (), [np.float64] * 3)


def _digits(
    image: Cube, mask: Bits | None, scale: Floats | None, sky: Floats | None, *, exclude: int
) -> list[Any]:
    bad = None if mask is None else (mask & exclude) != 0
    if scale is not None:
        taken_off = 0.0 if sky is None else sky[..., None, None]
        values = scale[..., None, None] * (image.astype(np.float64) - taken_off)
        image = values.astype(np.result_type(image.dtype, np.float32))
    return list(digitisation_of(image, bad))


def _run_in_pieces(*operands: Any, rules: Rules, rejected: bool) -> list[Any]:
    """As :func:`_run`, some rows after others: a scaled copy of all would be as large again."""
    image = operands[0]
    height = image.shape[-2]
    rows = max(1, _PIECE * height // image.size)

    def cut(operand: Any, first: int) -> Any:
        planes = operand is not None and operand.ndim >= image.ndim - 1
        return operand[..., first : first + rows, :] if planes else operand

    parts = [
        _run(*(cut(operand, first) for operand in operands), rules=rules, rejected=rejected)
        for first in range(0, height, rows)
    ]
    return [np.concatenate(planes, axis=-2) for planes in zip(*parts, strict=True)]


def _run(*operands: Any, rules: Rules, rejected: bool) -> list[Any]:
    """Average blocks of the planes of a frame set.

    ``operands`` are arrays of planes, of weights, of lines, and of how values are digitised.
    """
    *planes, scale, sky, scale_to_reject, sky_to_reject = operands[:-6]
    lines = None if scale is None else Lines(scale, sky)
    to_reject = None if scale_to_reject is None else Lines(scale_to_reject, sky_to_reject)
    frames = FramePlanes(*planes)._replace(lines=lines, to_reject=to_reject)
    digits, of_judged = (
        UNKNOWN if each[0] is None else Digitisation(*map(float, each))
        for each in (operands[-6:-3], operands[-3:])
    )
    if frames.weights is not None:
        frames = frames._replace(weights=frames.weights.reshape(len(frames.weights), -1))
    found = average_through_frames(frames, rules, of_judged)
    found = with_rounding(found, len(frames.values), digits, rules)
    return list(variables_of(found, rejected=rejected).values())


def variables_of(found: Averages, *, rejected: bool) -> dict[str, Any]:
    """Return the planes of averages by the names of the variables that they become."""
    light = (None,) * 3 if found.light is None else found.light
    planes = {
        "image": found.image,
        "variance": found.variance,
        "mask": found.mask,
        "count": _counted(found.number if found.total is None else found.total),
        "shared_variance": found.shared_variance,
        "shared_relative_variance": found.shared_relative_variance,
        **dict(zip(schema.PHOTON_PLANES, light, strict=True)),
        "rejected_low": _counted(found.low) if rejected else None,
        "rejected_high": _counted(found.high) if rejected else None,
    }
    return {name: plane for name, plane in planes.items() if plane is not None}


def with_rounding(found: Averages, frames: int, digits: Digitisation, rules: Rules) -> Averages:
    """Correct the variance of averages for digits that do not round each value for itself."""
    if rules.as_mean or not (digits.step > 0 and np.isfinite(digits.smooth)):
        return found
    counts = np.flatnonzero(np.bincount(found.number.ravel()))
    tables = np.zeros((3, frames + 1))
    tables[:, counts] = rounding_variances(
        counts, frames, rules.quantile, digits.smooth, rules.propagate, *rules.dropped
    )
    times, lacks, common = tables
    square = (digits.step * rules.times) ** 2
    variance, shared = found.variance, found.shared_variance
    if (times[counts] != 1).any():
        apart: Any = 0.0 if shared is None else shared
        if found.shared_relative_variance is not None:
            apart = apart + found.image.astype(np.float64) ** 2 * found.shared_relative_variance
        variance = apart + (variance.astype(np.float64) - apart) * times[found.number]
    variance = _with_added(variance, found.number, square * lacks, found.variance.dtype)
    if shared is not None:
        shared = _with_added(shared, found.number, square * common, shared.dtype)
    return found._replace(variance=variance, shared_variance=shared)


def _with_added(values: Any, number: Integers, table: Floats, kind: Any) -> Any:
    """Return values and what a table has for the number of each."""
    result = np.empty(number.size, kind)
    add_by_number(np.ascontiguousarray(values).reshape(-1), number.reshape(-1), table, result)
    return result.reshape(number.shape)


def _counted(numbers: Integers) -> Integers:
    return np.minimum(numbers, np.iinfo(np.uint16).max).astype(np.uint16)


def _warn_of_no_error(ds: xr.Dataset) -> None:
    warnings.warn(
        f"a stack of one frame ({schema.names(ds, 'frame')[0]}) has no scatter that would give its "
        "error, so every pixel is flagged FAULT; stack more frames, or calibrate it with a camera "
        "whose gain and read noise are known",
        AutowispWarning,
        stacklevel=4,
    )


def check_one_type(ds: xr.Dataset) -> None:
    """Raise ImageMismatchError for frames of several types."""
    if "image_type" not in ds.coords:
        return
    types = sorted({str(kind) for kind in np.atleast_1d(ds["image_type"].values).tolist()})
    if len(types) > 1:
        raise ImageMismatchError(
            f"frames of the types {', '.join(types)} cannot go into one stack; select one by "
            "where_type"
        )


def _warn_of_unequal_exposures(ds: xr.Dataset) -> None:
    """Warn of frames whose noise must differ, where a quantile from the scatter takes it for equal.

    Flats are exposed until they have the same light.
    """
    if "exposure" not in ds.coords or ds["exposure"].dims != ("frame",):
        return
    exposures = ds["exposure"].values.astype(np.float64)
    known = exposures[exposures > 0]
    kinds = np.atleast_1d(ds["image_type"].values).tolist() if "image_type" in ds.coords else []
    if not known.size or "flat" in kinds or known.max() < _UNEQUAL * known.min():
        return
    names = schema.names(ds, "frame")
    least, most = (names[list(exposures).index(end)] for end in (known.min(), known.max()))
    warnings.warn(
        f"exposures go from {known.min():g} s ({least}) to {known.max():g} s ({most}), so the "
        "noise of the frames is not equal, for which the scatter of a median takes it: its "
        "variance may be several times too large. Calibrate with a camera whose gain and read "
        "noise are known, or choose average='mean'",
        AutowispWarning,
        stacklevel=4,
    )
