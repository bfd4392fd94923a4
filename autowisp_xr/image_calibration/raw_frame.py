"""Read a raw frame whole: one image, or the images of its channels interleaved."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from os.path import expanduser

import numpy as np
from astropy.io import fits

from autowisp_xr.arrays import Bools, Image
from autowisp_xr.errors import CalibrationError
from autowisp_xr.fits.layout import read_header
from autowisp_xr.frames.names import raw_name
from autowisp_xr.frames.open import open_planes
from autowisp_xr.frames.product_hdus import plain_header
from autowisp_xr.headers.cards import value_of, without_remarks, write_card
from autowisp_xr.image_calibration.channels import Channels, interleaved

HduNumbers = int | Mapping[str | None, int] | None
"""None for the first HDU that holds an image; a number; or a number for each channel."""


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
        As from :func:`~autowisp_xr.image_calibration.channels.channel_slices`.

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
