"""The frames with which a running stack begins: held until they are judged together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.kernels.pixels import UNKNOWN, Digitisation
from autowisp_xr.kernels.running_sums import ALL_STAY, Judgement
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.base import Rejection
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.averaging import FRAME_PLANES, digits_of
from autowisp_xr.stack.engine import FramePlanes
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.parts import is_common
from autowisp_xr.stack.running_average import RunningAverage
from autowisp_xr.steps.noise_sources import noise_sources_of

WEIGHT = "running_weight"
"""The coordinate of a frame that holds its weights, (frame, channel)."""


def begun(held: Sequence[xr.Dataset], options: StackOptions) -> tuple[RunningAverage, Digitisation]:
    """Return what the frames that are held make, and how they are digitised."""
    first = _planes(held[0])
    shape = first.values.shape[1:]
    weighed = options.weights is not None
    average = RunningAverage(shape, first, int(options.excluded), weighed=weighed)
    digits = UNKNOWN
    dropped: Any = [None] * len(held)
    if len(held) > 1:
        together = _together(held)
        image, mask = xr.Variable(schema.DIMS, together.values), None
        if together.mask is not None:
            mask = xr.Variable(schema.DIMS, together.mask)
        found = digits_of(image, mask, None, int(options.excluded))
        digits = Digitisation(*(float(each.values) for each in found))
        if options.rejection is not None:
            dropped = average.outliers(together, options.rejection, digits)
    for frame, gone in zip(held, dropped, strict=True):
        taken_in(average, frame, ALL_STAY, gone)
    return average, digits


def judgement_of(reject: Rejection | None, digits: Digitisation) -> Judgement:
    """Return how values are judged that come later."""
    if not isinstance(reject, SigmaClip):
        return ALL_STAY
    upper, lower = upper_and_lower(reject.threshold)
    least = max(digits.step * reject.by_step, digits.noise * reject.by_noise)
    return Judgement(upper, lower, float(least), reject.by_noise)


def taken_in(
    average: RunningAverage, frame: xr.Dataset, judgement: Judgement, gone: Any = None
) -> float:
    """Take in a frame, and return which share of it was rejected."""
    names = tuple(noise_sources_of(frame, plane)[0] for plane in SHARED)
    weights: Floats = np.ones(frame.sizes["channel"])
    if WEIGHT in frame.coords:
        weights = frame[WEIGHT].values[0]
    number = average.take_in(_planes(frame), (names[0], names[1]), weights, judgement, gone)
    return number / frame["image"].size


def _planes(frame: xr.Dataset) -> FramePlanes:
    planes: Any = (frame[name].values if name in frame else None for name in FRAME_PLANES)
    return FramePlanes(*planes)


def _together(frames: Sequence[xr.Dataset]) -> FramePlanes:
    """Return planes of several frames; what one has not of flags and shared noise is 0."""
    shape = tuple(frames[0].sizes[dim] for dim in schema.DIMS[1:])

    def plane(name: str) -> Any:
        given = [frame[name].variable if name in frame else None for frame in frames]
        there = [variable for variable in given if variable is not None]
        if not there or is_common(given):
            return there[0].values if there else None
        kind = np.result_type(*(variable.dtype for variable in there))
        planes = np.zeros((len(frames), *shape), kind)
        for out, variable in zip(planes, given, strict=True):
            out[:] = 0 if variable is None else variable.values.reshape(shape)
        return planes

    return FramePlanes(*map(plane, FRAME_PLANES))
