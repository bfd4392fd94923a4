"""Read a raw frame whole: one image, or the images of its channels interleaved."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from os.path import expanduser
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import CalibrationError
from autowisp_xr.fits.layout import read_header
from autowisp_xr.frames.names import raw_name
from autowisp_xr.frames.planes import open_planes
from autowisp_xr.frames.product_hdus import plain_header
from autowisp_xr.headers.cards import ascii_text, value_of, without_remarks
from autowisp_xr.image_calibration.channels import Channels

__all__ = ["RawFrame", "raw_headers", "read_raw"]


@dataclass(frozen=True)
class RawFrame:
    """A raw frame in memory."""

    path: str
    image: Any
    """(y, x), in the type of the file; channels interleaved as on the detector."""
    unread: Any
    """(y, x) bool: pixels of channels that were not asked for; None where all were read."""
    headers: dict[str | None, fits.Header]
    """Of each channel, without structural cards, with RAWFNAME."""


def read_raw(
    path: str | PathLike[str], raw_hdu: int | Mapping[str, int] | None, channels: Channels
) -> RawFrame:
    """Raw frame of a FITS file.

    Parameters
    ----------
    path
        The file.
    raw_hdu
        None for the first HDU that holds an image; a number; or a number for each channel, whose
        pixels are then put in the places of its slices.
    channels
        As from :func:`~autowisp_xr.image_calibration.channels.channel_slices`.

    Notes
    -----
    The header is that of the first image in the file, under that of the HDU that was chosen.
    """
    path = expanduser(path)
    headers = raw_headers(path, raw_hdu, channels)
    if not isinstance(raw_hdu, Mapping):
        image = open_planes([path], hdu=raw_hdu)["image"].values[0, 0]
        return RawFrame(path, image, None, headers)
    images = {
        name: open_planes([path], hdu=number)["image"].values[0, 0]
        for name, number in _hdu_of(raw_hdu, channels).items()
    }
    image, unread = _interleaved(images, channels)
    return RawFrame(path, image, unread if unread.any() else None, headers)


def raw_headers(
    path: str, raw_hdu: int | Mapping[str, int] | None, channels: Channels
) -> dict[str | None, fits.Header]:
    """Headers of the channels of a raw frame; see :func:`read_raw`."""
    first = plain_header(read_header(path, inherit=False))
    headers = {}
    for name, number in _hdu_of(raw_hdu, channels).items():
        header = first.copy()
        if number is not None:
            header = _under(first, plain_header(read_header(path, number, inherit=False)))
        header["RAWFNAME"] = (ascii_text(raw_name(path)), "Name of the raw file")
        headers[name] = header
    return headers


def _hdu_of(
    raw_hdu: int | Mapping[str, int] | None, channels: Channels
) -> dict[str | None, int | None]:
    """Number of the HDU of each channel."""
    numbers = raw_hdu if isinstance(raw_hdu, Mapping) else dict.fromkeys(channels, raw_hdu)
    missing = [name for name in channels if name not in numbers]
    if missing:
        raise CalibrationError(
            f"raw_hdu has the channels {list(numbers)}, there is no HDU for {missing}"
        )
    chosen: dict[str | None, int | None] = {name: numbers[name] for name in channels}  # type: ignore[index]
    for number in chosen.values():
        if number is not None and not isinstance(number, Integral):
            raise CalibrationError(
                f"raw_hdu is None, the number of an HDU, or {{channel: number}}, not {raw_hdu!r}"
            )
    return chosen


def _interleaved(images: Mapping[str | None, Any], channels: Channels) -> tuple[Any, Any]:
    # up to where each channel would have its next pixel; the pixels between may be of channels
    # that were not asked for
    shape = tuple(
        min(
            (channels[name][axis].start or 0) + plane.shape[axis] * (channels[name][axis].step or 1)
            for name, plane in images.items()
        )
        for axis in (0, 1)
    )
    image = np.zeros(shape, np.result_type(*images.values()))
    unread = np.ones(shape, bool)
    for name, plane in images.items():
        if image[channels[name]].shape != plane.shape or not unread[channels[name]].all():
            raise CalibrationError(
                f"the HDU of channel {name!r}, of {plane.shape[0]} x {plane.shape[1]} pixels, does "
                f"not fit between the others at {channels[name]}; check raw_hdu and split_channels"
            )
        image[channels[name]] = plane
        unread[channels[name]] = False
    return image, unread


def _under(first: fits.Header, own: fits.Header) -> fits.Header:
    """The first header, with the cards of another in place of its own."""
    merged = first.copy()
    if own.tostring() == first.tostring():
        return merged
    with without_remarks():
        for card in own.cards:
            if card.keyword in ("COMMENT", "HISTORY"):
                merged.append(card, end=True)
            elif card.keyword and value_of(own, card.keyword) is not None:
                merged[card.keyword] = (card.value, card.comment)
    return merged
