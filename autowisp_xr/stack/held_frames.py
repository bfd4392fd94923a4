"""The frames with which a running stack begins: held until they are judged together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.kernels.lines import Lines
from autowisp_xr.kernels.pixels import UNKNOWN, Digitisation
from autowisp_xr.kernels.running_sums import ALL_STAY, Judgement
from autowisp_xr.options import upper_and_lower
from autowisp_xr.outliers.base import Rejection
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.averaging import FRAME_PLANES, digits_of
from autowisp_xr.stack.engine import FramePlanes
from autowisp_xr.stack.levels import FrameLines, measured_levels
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.parts import is_common
from autowisp_xr.stack.running_average import RunningAverage
from autowisp_xr.steps.noise_sources import noise_sources_of

WEIGHT = "running_weight"
"""The coordinate of a frame that holds its weights, (frame, channel)."""

SCALE, SKY = "running_scale", "running_sky"
"""Those that hold its levels, by which it is matched where outliers are found."""

OWN = (WEIGHT, SCALE, SKY)
"""Coordinates that no other verb knows."""


class Begun(NamedTuple):
    """What frames make that were held."""

    average: RunningAverage
    as_read: Digitisation
    """How they are digitised."""
    judged: Digitisation
    """The same where outliers are found."""


def begun(held: Sequence[xr.Dataset], options: StackOptions) -> Begun:
    """Return what the frames that are held make."""
    first = _planes(held[0])
    shape = first.values.shape[1:]
    weighed = options.weights is not None or options.apart
    average = RunningAverage(shape, first, int(options.excluded), weighed=weighed)
    as_read = judged = UNKNOWN
    dropped: Any = [None] * len(held)
    lines = [line_between(frame, held[0]) for frame in held]
    if len(held) > 1:
        together, exclude = _together(held), int(options.excluded)
        as_read = judged = _digits(together, None, exclude)
        of_all = None
        if lines[0] is not None:
            of_all = Lines(*(np.concatenate(each) for each in zip(*lines, strict=True)))
            judged = _digits(together, of_all, exclude)
        if options.rejection is not None:
            dropped = average.outliers(together, options.rejection, judged, of_all)
    for frame, gone, line in zip(held, dropped, lines, strict=True):
        taken_in(average, frame, ALL_STAY, gone, line)
    return Begun(average, as_read, judged)


def _digits(frames: FramePlanes, lines: Lines | None, exclude: int) -> Digitisation:
    image, mask, of_frames = xr.Variable(schema.DIMS, frames.values), None, None
    if frames.mask is not None:
        mask = xr.Variable(schema.DIMS, frames.mask)
    if lines is not None:
        of_frames = FrameLines(*(xr.Variable(schema.DIMS[:2], each) for each in lines))
    found = digits_of(image, mask, of_frames, exclude)
    return Digitisation(*(float(each.values) for each in found))


def with_levels(frame: xr.Dataset, options: StackOptions) -> xr.Dataset:
    """Return a frame with its levels where outliers are matched, (frame, channel) coordinates.

    Raises
    ------
    ImageMismatchError
        For a frame without a level, or a scale that is not positive.
    """
    matched = {SCALE: options.scales.to_reject, SKY: options.skies.to_reject}
    for name, match in matched.items():
        if match is None:
            continue
        levels = measured_levels(frame, match, int(options.excluded)).values
        if not np.isfinite(levels).all() or (name == SCALE and (levels <= 0).any()):
            raise ImageMismatchError(
                f"{schema.names(frame, 'frame')[0]} has a {match.by} of {levels.ravel().tolist()}, "
                "to which no frame can be matched; leave it out"
            )
        frame = frame.assign_coords({name: (("frame", "channel"), levels)})
    return frame


def line_between(frame: xr.Dataset, first: xr.Dataset) -> Lines | None:
    """Return the line that brings a frame to the levels of the first one; None for none."""
    if SCALE not in frame.coords and SKY not in frame.coords:
        return None
    scale = np.ones((1, frame.sizes["channel"]))
    if SCALE in frame.coords:
        scale = first[SCALE].values / frame[SCALE].values
    sky = np.zeros_like(scale)
    if SKY in frame.coords:
        sky = frame[SKY].values - first[SKY].values / scale
    return Lines(scale, sky)


def judgement_of(reject: Rejection | None, digits: Digitisation) -> Judgement:
    """Return how values are judged that come later."""
    if not isinstance(reject, SigmaClip):
        return ALL_STAY
    upper, lower = upper_and_lower(reject.threshold)
    least = max(digits.step * reject.by_step, digits.noise * reject.by_noise)
    return Judgement(upper, lower, float(least), reject.by_noise)


def taken_in(
    average: RunningAverage,
    frame: xr.Dataset,
    judgement: Judgement,
    gone: Any = None,
    line: Lines | None = None,
) -> float:
    """Take in a frame, and return which share of it was rejected."""
    names = tuple(noise_sources_of(frame, plane)[0] for plane in SHARED)
    weights: Floats = np.ones(frame.sizes["channel"])
    if WEIGHT in frame.coords:
        weights = frame[WEIGHT].values[0]
    number = average.take_in(_planes(frame), (names[0], names[1]), weights, judgement, gone, line)
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
