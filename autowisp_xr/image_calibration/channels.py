"""The colour channels of the classes: slices of the raw frame, or one channel without a name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from autowisp_xr.arrays import Bools, Image
from autowisp_xr.errors import CalibrationError
from autowisp_xr.regions import Region

Slices = tuple[slice, slice]
"""The slices of rows and of columns."""
Channels = dict[str | None, Slices]
"""Where the pixels of each channel lie; the key of the only channel of a camera may be None."""


def channel_slices(split_channels: object) -> Channels:
    """Return the slices of ``split_channels``, in each form that it may have.

    False, None and {None: slice(None)} are a single channel; one slice stands for both axes.
    """
    if split_channels is None or split_channels is False:
        return {None: (slice(None), slice(None))}
    if not isinstance(split_channels, Mapping) or not split_channels:
        raise CalibrationError(
            "split_channels is False, or {channel: (slice of rows, slice of columns)}, not "
            f"{split_channels!r}"
        )
    channels: Channels = {}
    for name, given in split_channels.items():
        if not isinstance(name, str | None):
            raise CalibrationError(f"the name of a channel is a text or None, not {name!r}")
        match (given, given) if isinstance(given, slice) else given:
            case (slice() as rows, slice() as columns):
                channels[name] = rows, columns
            case _:
                raise CalibrationError(
                    f"the channel {name!r} is a pair of slices (rows, columns), not {given!r}"
                )
    return channels


def inside(channels: Channels, area: Region) -> Channels:
    """Return the same channels as slices of a frame that has been trimmed to ``area``.

    The slices count raw pixels: an area that starts at an odd pixel swaps no colours.
    """
    height, width = area.shape
    return {
        name: (_moved(rows, area.ymin, height, name), _moved(columns, area.xmin, width, name))
        for name, (rows, columns) in channels.items()
    }


def _moved(given: slice, offset: int, size: int, name: str | None) -> slice:
    start, step = given.start or 0, given.step or 1
    # where the frame, or the area as the original counts, ends
    reaches_the_end = given.stop in (None, size) or given.stop >= offset + size
    if step < 1 or start < 0 or not reaches_the_end:
        raise CalibrationError(
            f"the channel {name!r} is every n-th pixel from a first one to the end of the frame, "
            f"not {given!r}; image_area cuts frames"
        )
    start -= offset
    if start < 0:
        start %= step
    if start >= size:
        raise CalibrationError(
            f"the channel {name!r}, {given!r}, has no pixel in the image area, which starts at "
            f"{offset} and has {size} pixels"
        )
    return slice(start, None, step)


def by_channel(given: object, channels: Channels, what: str) -> dict[str | None, Any]:
    """Return the entry of each channel, from {channel: entry} or the one of the only channel."""
    if not isinstance(given, Mapping):
        if len(channels) > 1:
            raise CalibrationError(
                f"{what} is one of {{channel: file}} for the channels {list(channels)}, not "
                f"{given!r}"
            )
        return dict.fromkeys(channels, given)
    if len(channels) == len(given) == 1 and None in (*channels, *given):
        # the only channel, which bears no name on one side
        return dict.fromkeys(channels, *given.values())
    missing = [name for name in channels if name not in given]
    if missing:
        raise CalibrationError(
            f"{what} is given for the channels {list(given)}, there is none for {missing}"
        )
    return {name: given[name] for name in channels}


def interleaved(
    planes: Mapping[str | None, Image], channels: Channels, shape: tuple[int, int], what: str
) -> tuple[Image, Bools]:
    """Return one plane with the pixels of all channels, 0 elsewhere, and which pixels those are.

    Raises
    ------
    CalibrationError
        Where a plane does not have the shape of its channel, or two channels share pixels; the
        message names the planes by ``what``.
    """
    whole = np.zeros(shape, np.result_type(*planes.values()))
    taken = np.zeros(shape, bool)
    for name, plane in planes.items():
        place = channels[name]
        if taken[place].shape != plane.shape or taken[place].any():
            raise CalibrationError(
                f"the {what} of channel {name!r}, of {plane.shape[0]} x {plane.shape[1]} pixels, "
                f"does not fit between the others at {place}, or shares pixels with another; check "
                "split_channels, or calibrate the channels one after the other"
            )
        whole[place] = plane
        taken[place] = True
    return whole, taken
