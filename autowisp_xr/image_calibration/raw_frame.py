"""A raw frame read whole: one image, or those of its channels interleaved; their slices."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from os.path import expanduser
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.arrays import Bools, Image
from autowisp_xr.errors import CalibrationError
from autowisp_xr.fits.layout import read_header
from autowisp_xr.frames.names import raw_name
from autowisp_xr.frames.open import open_planes
from autowisp_xr.frames.product_hdus import plain_header
from autowisp_xr.headers.cards import value_of, without_remarks, write_card
from autowisp_xr.regions import Region

HduNumbers = int | Mapping[str | None, int] | None
"""None for the first HDU that holds an image; a number; or a number for each channel."""

Slices = tuple[slice, slice]
"""The slices of rows and of columns."""
Channels = dict[str | None, Slices]
"""Where the pixels of each channel lie; the key of the only channel of a camera may be None."""


@dataclass(frozen=True)
class RawFrame:
    """A raw frame in memory."""

    path: str
    image: Image
    """The pixels in the type of the file; channels interleaved as on the detector."""
    unread: Bools | None
    """The pixels (y, x) of channels that were not asked for; None where all were read."""
    headers: dict[str | None, fits.Header]
    """The header of each channel, without structural cards, with RAWFNAME."""


def read_raw(path: str | PathLike[str], raw_hdu: HduNumbers, channels: Channels) -> RawFrame:
    """Read the raw frame of a FITS file.

    Parameters
    ----------
    path
        The file.
    raw_hdu
        Where there is a number for each channel, its pixels are put in the places of its slices.
    channels
        As from :func:`~autowisp_xr.image_calibration.raw_frame.channel_slices`.

    Notes
    -----
    The header is that of the first image in the file, under that of the HDU that was chosen.
    """
    path = expanduser(path)
    headers = raw_headers(path, raw_hdu, channels)
    if not isinstance(raw_hdu, Mapping):
        return RawFrame(path, _pixels(path, raw_hdu), None, headers)
    planes = {name: _pixels(path, raw_hdu[name]) for name in channels}
    # up to where each channel would have its next pixel; the pixels between may be of channels
    # that were not asked for
    ends = [
        [
            (part.start or 0) + size * (part.step or 1)
            for part, size in zip(channels[name], plane.shape, strict=True)
        ]
        for name, plane in planes.items()
    ]
    height, width = np.min(ends, axis=0).tolist()
    image, read = interleaved(planes, channels, (height, width), "HDU")
    return RawFrame(path, image, None if read.all() else ~read, headers)


def raw_headers(
    path: str, raw_hdu: HduNumbers, channels: Channels
) -> dict[str | None, fits.Header]:
    """Return the headers of the channels of a raw frame; see :func:`read_raw`."""
    numbers = raw_hdu if isinstance(raw_hdu, Mapping) else dict.fromkeys(channels, raw_hdu)
    missing = [name for name in channels if name not in numbers]
    if missing:
        raise CalibrationError(
            f"raw_hdu has the channels {list(numbers)}, there is no HDU for {missing}"
        )
    first = plain_header(read_header(path, inherit=False))
    headers = {}
    for name in channels:
        header, number = first.copy(), numbers[name]
        if not isinstance(number, Integral | None):
            raise CalibrationError(
                f"raw_hdu is None, the number of an HDU, or {{channel: number}}, not {raw_hdu!r}"
            )
        if number is not None:
            _update(header, plain_header(read_header(path, int(number), inherit=False)))
        write_card(header, "RAWFNAME", raw_name(path))
        headers[name] = header
    return headers


def _pixels(path: str, hdu: int | None) -> Image:
    pixels: Image = open_planes([path], hdu=hdu)["image"].values[0, 0]
    return pixels


def _update(header: fits.Header, own: fits.Header) -> None:
    """Put the cards of another header in place of those of the same names."""
    if own.tostring() == header.tostring():
        return
    with without_remarks():
        for card in own.cards:
            if card.keyword in ("COMMENT", "HISTORY"):
                header.append(card, end=True)
            elif card.keyword and value_of(own, card.keyword) is not None:
                header[card.keyword] = (card.value, card.comment)


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
