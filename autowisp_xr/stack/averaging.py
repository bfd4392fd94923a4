"""Frames that go together become their average: band by band of rows, through all of them."""

import json
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, get_args

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.flags import as_flag
from autowisp_xr.kernels.averages import MEAN, Averages, average_through_frames
from autowisp_xr.matching import allowed
from autowisp_xr.options import (
    Average,
    ErrorSource,
    NoiseClip,
    NoiseWanted,
    RejectChoice,
    Weights,
)
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.coordinates import summarised
from autowisp_xr.stack.digitisation import digits_of
from autowisp_xr.stack.photon_counts import effective_frames
from autowisp_xr.stack.rejection import (
    check_rejection,
    dropped_by,
    needs_digits,
    rejection_of,
    rejection_of_keywords,
    unequal_noise,
    warn_of_unequal_exposures,
)
from autowisp_xr.stack.weights import echoed, weights_of
from autowisp_xr.stats.averages import quantile_of
from autowisp_xr.stats.order_statistics import variance_factors
from autowisp_xr.stats.quantisation import Digitisation
from autowisp_xr.stats.rounding import rounding_variances
from autowisp_xr.stats.trimmed import trimmed_factors
from autowisp_xr.steps.lenders import groups_of, warn_if_lost

__all__ = ["stacked"]


def stacked(
    ds: xr.Dataset,
    average: Average = "median",
    *,
    reject: RejectChoice = None,
    exclude: str | int | Iterable[str | int] = "BAD",
    weights: Weights = None,
    min_frames: int = 1,
    min_values: int = 1,
    error: ErrorSource = "auto",
    average_keywords: Sequence[str] = (),
    allow_mismatch: Collection[str] = (),
    rejected: bool = False,
    reach: float = np.inf,
    noise: NoiseWanted = "required",
    dtype: Any = "float32",
) -> xr.Dataset:
    """See :func:`stack`; whether the frames go together has been judged.

    ``reach`` is how many times the average a saturated value may be whose flags a pixel inherits
    though the value was left out: any, because frames of the sky differ in what they see. Where
    ``noise`` is wanted "if known", what no pixel has an error for (one frame, or a bias of one) is
    no fault of theirs.
    """
    keywords = [average_keywords] if isinstance(average_keywords, str) else list(average_keywords)
    number = ds.sizes["frame"]
    if number < min_frames:
        raise ImageMismatchError(f"there are {number} frames to stack, min_frames is {min_frames}")
    quantile = quantile_of(average)
    if error not in get_args(ErrorSource):
        raise ValueError(f"error is one of {', '.join(get_args(ErrorSource))}, not {error!r}")
    if error == "propagate" and "variance" not in ds:
        raise ImageMismatchError(
            "the frames have no variance to propagate; calibrate them, or choose error='scatter'"
        )
    if noise not in get_args(NoiseWanted):
        raise ValueError(f"noise is one of {', '.join(get_args(NoiseWanted))}, not {noise!r}")
    propagate = "variance" in ds and error in ("auto", "propagate")
    propagate = propagate and (error == "propagate" or provenance.noise_known(ds))
    check_rejection(ds, reject, quantile)
    excluded = as_flag(exclude)
    errors = propagate or noise == "required"
    if number == 1 and not propagate and errors and error != "standard_error":
        _warn_of_no_error(ds)
    ds = blocks.load_coordinates(ds)
    _check_one_type(ds)
    groups = tuple(groups_of(ds, plane) for plane in SHARED)
    if propagate:
        warn_if_lost(ds)
    frame_weights = weights_of(ds, weights, quantile, int(excluded))
    names = ("image", "mask", "variance", *SHARED, *schema.PHOTON_PLANES, "count")
    needed = {name: ds[name].variable for name in names if name in ds}
    unequal = unequal_noise(ds, reject, quantile, error)
    if unequal is None and quantile != MEAN and error != "standard_error":
        warn_of_unequal_exposures(ds)
    if not propagate and not isinstance(reject, NoiseClip) and unequal is None:
        for name in ("variance", *schema.PHOTON_PLANES):
            needed.pop(name, None)
    # along the chunks of the store, which the encoding tells
    in_bands = blocks.bands(xr.Dataset(needed)).drop_encoding()
    ds = ds.drop_encoding()
    planes = {name: blocks.stackwise(in_bands[name].variable) for name in needed}
    options = {
        "exclude": int(excluded),
        "quantile": quantile,
        "factors": variance_factors(MEAN, number)
        if error == "standard_error"
        else trimmed_factors(quantile, number, *dropped_by(reject)),
        "propagate": propagate,
        "min_values": min_values if errors else max(min_values, min(number, 2)),
        "reach": reach,
        "errors": errors,
        "groups": groups,
        "dtype": np.dtype(dtype),
    }
    outputs = {"image": dtype, "variance": dtype, "mask": np.uint8, "count": np.uint16}
    outputs |= {name: dtype for name in SHARED if name in planes}
    of_average = propagate and "photon_slope" in planes
    if of_average:
        outputs |= dict.fromkeys(schema.PHOTON_PLANES, dtype)
    if rejected:
        outputs |= {"rejected_low": np.uint16, "rejected_high": np.uint16}
    rounds = error != "standard_error"
    looks = number > 1 and (rounds or needs_digits(reject))
    digits = (
        digits_of(ds["image"].variable, needed.get("mask"), int(excluded))
        if looks
        else (None, None, None)
    )
    operands = [*(planes.get(name) for name in names), frame_weights, *digits]
    run = partial(_run, chosen=reject, unequal=unequal, rounds=rounds, rejected=rejected, **options)
    stacked = blocks.apply(run, operands, schema.DIMS[1:], list(outputs.values()))
    variables = dict(zip(outputs, stacked, strict=True))
    coords = summarised(ds, keywords, quantile, rejection_of_keywords(reject), frame_weights)
    coords["effective_frames"] = effective_frames(ds, frame_weights, quantile, reject)
    units = ds["image"].attrs.get("units", "adu")
    result = schema.with_attributes(xr.Dataset(variables, coords, ds.attrs), units)
    chosen = {
        "average": average,
        "reject": reject,
        "exclude": str(excluded.name or int(excluded)),
        "weights": echoed(weights, frame_weights),
        "min_values": min_values,
        "error": "propagate" if propagate else "scatter" if error == "auto" else error,
        "average_keywords": keywords,
        "allow_mismatch": sorted(allowed(allow_mismatch)),
        "rejected": rejected,
        "dtype": str(np.dtype(dtype)),
    }
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
    image: Any,
    mask: Any,
    variance: Any,
    shared: Any,
    relative: Any,
    slope: Any,
    zero: Any,
    photons: Any,
    counts: Any,
    weights: Any,
    step: Any,
    noise: Any,
    smooth: Any,
    *,
    chosen: RejectChoice,
    unequal: Callable[[], Any] | None,
    rounds: bool,
    rejected: bool,
    **options: Any,
) -> list[Any]:
    """Run the kernel on blocks of the planes of a frame set; ``rounds``: as digits err."""
    digits = None if step is None else Digitisation(float(step), float(noise), float(smooth))
    if weights is not None:
        weights = weights.reshape(len(weights), -1)
    found = average_through_frames(
        image,
        mask,
        variance=variance,
        shared=shared,
        relative=relative,
        light=(slope, zero, photons),
        counts=counts,
        frame_weights=weights,
        reject=rejection_of(chosen, digits),
        unequal=unequal and unequal(),
        **options,
    )
    if rounds and digits is not None and digits.step > 0 and np.isfinite(digits.smooth):
        found = _with_rounding(found, digits, chosen, options)
    planes = (found.shared_variance, found.shared_relative_variance)
    common = [plane for plane in planes if plane is not None]
    light = [] if found.light is None else list(found.light)
    numbers = [_counted(found.low), _counted(found.high)] if rejected else []
    count = _counted(found.count if found.total is None else found.total)
    return [found.image, found.variance, found.mask, count, *common, *light, *numbers]


def _with_rounding(
    found: Averages, digits: Digitisation, reject: RejectChoice, options: dict[str, Any]
) -> Averages:
    """Averages whose variance knows that digits do not round each value for itself."""
    counts, which = np.unique(found.count, return_inverse=True)
    times, lacks, common = rounding_variances(
        counts,
        options["quantile"],
        digits.smooth,
        options["factors"],
        options["propagate"],
        *dropped_by(reject),
    )

    def of_pixels(table: Any) -> Any:
        return table[which].reshape(found.variance.shape)

    kind, square = found.variance.dtype, digits.step**2
    variance, shared = found.variance.astype(np.float64), found.shared_variance
    if (times != 1).any():
        apart = 0.0 if shared is None else shared
        if found.shared_relative_variance is not None:
            apart = apart + found.image.astype(np.float64) ** 2 * found.shared_relative_variance
        variance = apart + (variance - apart) * of_pixels(times)
    variance += of_pixels(square * lacks)
    if shared is not None:
        shared = (shared + of_pixels(square * common)).astype(kind)
    return found._replace(variance=variance.astype(kind), shared_variance=shared)


def _counted(numbers: Any) -> Any:
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
