"""Make the HDUs of a FITS file of ours: the header of a frame, and its planes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.fits.image_cards import history_cards, split_history
from autowisp_xr.fits.writing import NewHdu, write_plain, write_tiled
from autowisp_xr.flags import Flag
from autowisp_xr.frames.atomic_write import Content
from autowisp_xr.frames.names import bare_name
from autowisp_xr.headers.cards import STRUCTURAL, add_doubts, parse_header, value_of, write_card
from autowisp_xr.headers.fate_rules import StoredPixels, product_cards, set_facts
from autowisp_xr.headers.place import PRODUCT_CARDS, name_place
from autowisp_xr.headers.product import steps_of_product, true_cards
from autowisp_xr.headers.sensor_grid import PixelGrid, grid_of, grid_of_plane, moved
from autowisp_xr.regions import ChannelSlice, Region

_REMARKS = {
    "mask": [
        "0 is a good pixel, else the sum of",
        *(f"{flag.value:4d} {str(flag.name).lower()}" for flag in Flag),
    ],
    "count": ["values that went into each pixel"],
    "rejected_low": ["values of each pixel rejected below the others"],
    "rejected_high": ["values of each pixel rejected above the others"],
    "rate": ["dark current in ADU per second"],
    "scatter": ["scatter through frames without light, by the expected one"],
    "response": ["response to light, by that of the surroundings"],
}
"""Comments in the headers of planes."""


def output_headers(ds: xr.Dataset, records: Sequence[Mapping[str, Any]]) -> list[fits.Header]:
    """Make headers of the channels of a frame, or of a master, without structural cards.

    Parameters
    ----------
    ds
        Without ``frame``, or with that dimension selected away.
    records
        Its history, with the digests of files that are to be named.

    Returns
    -------
    The cards of the coordinate ``header``, each with the fate that
    :data:`autowisp_xr.headers.fates.TABLE` gives it; RDNOISE waits for the pixels
    (:func:`autowisp_xr.frames.noise_cards.with_noise`). A raw frame that is whole keeps all, and
    gets no more than its name and unit.

    Raises
    ------
    ImageMismatchError
        Where the pixels were picked from the raw frame in no regular way.
    """
    header = plain_header(schema.text(ds, "header"))
    if "frame" in ds.coords and value_of(header, "RAWFNAME") is None:
        path = schema.text(ds, "path")
        name = bare_name(path) if path else schema.text(ds, "frame").rpartition("/")[2]
        write_card(header, "RAWFNAME", name)
    return [_output_header(ds, channel, records, header) for channel in range(ds.sizes["channel"])]


def _output_header(
    ds: xr.Dataset, channel: int, records: Sequence[Mapping[str, Any]], header: fits.Header
) -> fits.Header:
    """The header of one channel, made of that of its frame."""
    grid, cut = grid_of_plane(ds, channel), schema.channel_slices(ds)[channel]
    placed = any(card in header for card in PRODUCT_CARDS)
    header = moved(header, grid_of(header), grid)
    name = str(ds["channel"].values[channel]) if "channel" in ds.coords else schema.MONO
    if name == schema.MONO and ds.sizes["channel"] == 1:
        header.remove("CLRCHNL", ignore_missing=True, remove_all=True)
    else:
        write_card(header, "CLRCHNL", name)
    if placed or not schema.is_raw(ds) or grid != PixelGrid():
        place = replace(cut, y_step=grid.y_step, x_step=grid.x_step)
        name_place(header, place, _area(ds, cut))
    steps = steps_of_product(ds, header, records, split=grid != PixelGrid())
    if not schema.is_raw(ds):
        gain = schema.camera_of(ds).only_number("gain", name)
        if gain is not None:
            write_card(header, "CALBGAIN", gain)
    facts = true_cards(ds, header, records, steps, name)
    pixels = StoredPixels(height=ds.sizes["y"], width=ds.sizes["x"], grid=grid)
    product_cards(header, steps, facts, pixels)
    set_facts(header, {"unit": facts["unit"]})
    add_doubts(header, schema.text(ds, "doubts"))
    return header


def history_of(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return values of the HISTORY cards that hold a history; none for none."""
    return history_cards(json.dumps(records)) if records else []


def content_of(
    planes: Mapping[str, Any],
    header: fits.Header,
    history: Sequence[str],
    *,
    exact: bool,
    tiles: bool,
    quantize: float | None,
    rows: int | None = None,
) -> Content:
    """Return what writes a file: image, and what there is of error, mask and numbers of values.

    Parameters
    ----------
    planes
        "image" and, where there are any, "variance" (of which the error is the root), "mask" and
        those of ``schema.NUMBERS_OF_VALUES``: (y, x), in memory, or some rows at a time.
    header
        As :func:`output_headers` gives it.
    history
        Values of the HISTORY cards that go along.
    exact
        Whether the error is stored in float64, so that its square, in float32, is the variance
        again, whatever the type of the image.
    tiles
        Whether to compress tile by tile, behind an empty primary HDU.
    quantize
        As for :func:`autowisp_xr.fits.writing.write_tiled`.
    rows
        As for :func:`autowisp_xr.fits.writing.write_plain`.
    """
    image = planes["image"]
    header = header.copy()
    for card in history:
        header.add_history(card)
    hdus = [NewHdu(header, image, image.dtype)]
    errors = []
    if "variance" in planes:
        kind = image.dtype if image.dtype.kind == "f" and not exact else np.dtype(np.float64)
        error = _own_header("error")
        error["BUNIT"] = header.get("BUNIT", "adu")
        error["UTYPE"] = ("StdDevUncertainty", "Kind of error, as CCDData calls it")
        errors = [NewHdu(error, planes["variance"], kind, squared=True)]
    others = []
    for name, remarks in _REMARKS.items():
        if name in planes:
            own = _own_header(name)
            for remark in remarks:
                own.add_comment(remark)
            others.append(NewHdu(own, planes[name], planes[name].dtype))
    # of a mosaic, Siril takes images of one size and type that follow each other for a sequence
    hdus += [*others, *errors] if "BAYERPAT" in header else [*errors, *others]
    if tiles:
        return partial(write_tiled, planes=hdus, quantize=quantize)
    return partial(write_plain, planes=hdus, rows=rows)


def are_alike(one: str, other: str) -> bool:
    """Return whether two files have the same planes and cards, and differ at most by their dates.

    Pixels are compared by their sums, as FITS has them.
    """
    found: list[Any] = []
    for path in (one, other):
        try:
            with fits.open(path) as hdus:
                cards = [card for hdu in hdus for card in hdu.header.cards]
        except OSError:
            return False
        # dates are in the comments, which the sums of whole HDUs include
        found.append([(c.keyword, c.value) for c in cards if c.keyword != "CHECKSUM"])
    return bool(found[0] == found[1])


_NO_TEXT = re.compile("CONTINUE(?! *')")
"""A card that continues a text, and has none: it cannot be written."""


def _own_header(kind: str) -> fits.Header:
    return fits.Header([("IMAGETYP", kind), ("EXTNAME", kind.upper())])


def plain_header(text: str) -> fits.Header:
    """Parse a header, without the cards that describe bytes, and without our history."""
    images, _ = split_history(text.split("\n") if text else [])
    header = parse_header("\n".join(one for one in images if not _NO_TEXT.match(one)))
    kept = fits.Header()
    for card in header.cards:
        # what continues no text is a card of its own, which cannot be written
        if not STRUCTURAL.fullmatch(card.keyword) and card.keyword != "CONTINUE":
            kept.append(card, useblanks=False, end=True)
    while len(kept) and kept.cards[-1].is_blank:
        del kept[-1]
    return kept


def _area(ds: xr.Dataset, cut: ChannelSlice) -> Region:
    """Return the raw-frame pixels from the first super-pixel to the end of the last one."""
    (xmin, xmax), (ymin, ymax) = (
        (int(ds[dim].values[0]), int(ds[dim].values[-1]) + step)
        if dim in ds.coords
        else (0, ds.sizes[dim] * step)
        for dim, step in (("x", cut.x_step), ("y", cut.y_step))
    )
    return Region(xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax)
