"""What a FITS file of ours consists of: the header of a frame, and its HDUs."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance, schema
from autowisp_xr.cards import STRUCTURAL, ascii_text, parse_header, value_of
from autowisp_xr.flags import Flag
from autowisp_xr.io.coordinates import is_master
from autowisp_xr.io.history import history_cards, split_history
from autowisp_xr.io.lost_cards import add_lost_cards
from autowisp_xr.io.names import raw_name
from autowisp_xr.io.place import PRODUCT_CARDS, name_place
from autowisp_xr.io.spellings import Spellings
from autowisp_xr.pixel_grid import PixelGrid, grid_of, grid_of_plane, moved
from autowisp_xr.regions import ChannelSlice, Region

__all__ = ["image_hdus", "output_header", "plain_header", "product_hdus"]


def output_header(ds: xr.Dataset, channel: int) -> fits.Header:
    """Header of one channel of one frame, or of a master, without structural cards.

    Parameters
    ----------
    ds
        Without ``frame``, or with that dimension selected away.
    channel
        Which channel, by number.

    Returns
    -------
    The cards of the coordinate ``header``, and those that say where the image lies: RAWFNAME,
    CLRCHNL, CHNLXOFF, CHNLXSTP, CHNLYOFF, CHNLYSTP, IMAGAREA, CALBGAIN, BUNIT; a raw frame that is
    whole needs to say no more than its name and unit. Cards that count pixels (coordinate systems
    of the sky, LTV, LTM) count those of the channel, all others are as they are. What the merged
    header of a master has lost of temperature, time, exposure and filter comes from coordinates.

    Raises
    ------
    ImageMismatchError
        Where the pixels were picked from the raw frame in no regular way.
    """
    header = plain_header(_scalar(ds, "header"))
    is_frame = "frame" in ds.coords
    if is_frame and value_of(header, "RAWFNAME") is None:
        path = _scalar(ds, "path")
        name = raw_name(path) if path else _scalar(ds, "frame").rpartition("/")[2]
        header["RAWFNAME"] = (ascii_text(name), "Name of the raw file")
    if not is_frame:
        kind, known = value_of(header, "IMAGETYP"), _scalar(ds, "image_type")
        if known in ("bias", "dark", "flat") and Spellings().image_type_of(kind) != known:
            # a type rule, or another card, knew better
            kind = known
        if kind is not None and not str(kind).lower().startswith("master"):
            header["IMAGETYP"] = f"master{kind}"
        add_lost_cards(header, ds)
    grid, cut = grid_of_plane(ds, channel), schema.channel_slices(ds)[channel]
    placed = any(card in header for card in PRODUCT_CARDS)
    header = moved(header, grid_of(header), grid)
    name = str(ds["channel"].values[channel]) if "channel" in ds.coords else schema.MONO
    if name == schema.MONO and ds.sizes["channel"] == 1:
        header.remove("CLRCHNL", ignore_missing=True, remove_all=True)
    else:
        header["CLRCHNL"] = (name, "Colour channel")
    if placed or not schema.is_raw(ds) or grid != PixelGrid():
        place = replace(cut, y_step=grid.y_step, x_step=grid.x_step)
        name_place(header, place, _area(ds, cut))
    gain = schema.camera_of(ds).gain
    if isinstance(gain, Mapping):
        gain = gain.get(name)
    if gain is not None and not schema.is_raw(ds):
        header["CALBGAIN"] = (float(gain), "Electrons/ADU assumed during calib")
    header["BUNIT"] = (str(ds["image"].attrs.get("units", "adu")), "Unit of the image")
    return header


def image_hdus(
    ds: xr.Dataset, channel: int, header: fits.Header, *, tiles: bool, quantize: float | None
) -> fits.HDUList:
    """HDUs of one channel: image, and error = sqrt(variance) and mask where there are any.

    Parameters
    ----------
    ds
        In memory; without ``frame``, or with that dimension selected away.
    channel
        Which channel, by number.
    header
        As :func:`output_header` gives it.
    tiles
        Whether to compress tile by tile, behind an empty primary HDU.
    quantize
        None for lossless, else floats are rounded to the scatter of a row divided by this.
    """
    image = ds["image"].values[channel]
    error = None
    if "variance" in ds:
        # the error of a master in float64, so that its square, in float32, is the variance again
        master = "frame" not in ds.coords or is_master(header)
        kind = image.dtype if image.dtype.kind == "f" and not master else np.float64
        with np.errstate(invalid="ignore"):
            error = np.sqrt(ds["variance"].values[channel], dtype=np.float64).astype(kind)
    mask = ds["mask"].values[channel] if "mask" in ds else None
    records = provenance.history(ds)
    return product_hdus(header, records, image, error, mask, tiles=tiles, quantize=quantize)


def product_hdus(
    header: fits.Header,
    records: Sequence[Mapping[str, Any]],
    image: np.ndarray[Any, Any],
    error: np.ndarray[Any, Any] | None = None,
    mask: np.ndarray[Any, Any] | None = None,
    *,
    tiles: bool,
    quantize: float | None,
) -> fits.HDUList:
    """HDUs of planes (y, x): the image with its header and history, its error, its mask.

    Parameters
    ----------
    header
        Without structural cards.
    records
        The history, as :func:`autowisp_xr.provenance.history` gives it.
    image, error, mask
        In the types that the file is to have; None where there is none.
    tiles, quantize
        As for :func:`image_hdus`.
    """
    header = header.copy()
    if records:
        for card in history_cards(json.dumps(records)):
            header.add_history(card)
    planes: list[tuple[np.ndarray[Any, Any], fits.Header]] = [(image, header)]
    if error is not None:
        cards = [("IMAGETYP", "error"), ("EXTNAME", "ERROR"), ("BUNIT", header.get("BUNIT", "adu"))]
        planes.append((error, fits.Header(cards)))
    if mask is not None:
        planes.append((mask, _mask_header()))
    arrays = [np.ascontiguousarray(data) for data, _ in planes]
    if tiles:
        hdus = _tiled(arrays, quantize)
        carriers = hdus[1:]
    else:
        hdus = fits.HDUList([fits.PrimaryHDU(arrays[0]), *map(fits.ImageHDU, arrays[1:])])
        carriers = hdus
    # card by card behind the structural ones: handing the header over would merge cards that
    # repeat a keyword, and trip over those that cannot be read
    for hdu, (_, cards) in zip(carriers, planes, strict=True):
        for card in cards.cards:
            hdu.header.append(card, useblanks=False, end=True)
    return hdus


def _mask_header() -> fits.Header:
    header = fits.Header([("IMAGETYP", "mask"), ("EXTNAME", "MASK")])
    header.add_comment("0 is a good pixel, else the sum of")
    for flag in Flag:
        header.add_comment(f"{flag.value:4d} {str(flag.name).lower()}")
    return header


def _tiled(arrays: Sequence[np.ndarray[Any, Any]], quantize: float | None) -> fits.HDUList:
    """Compressed images behind an empty primary, as the tables that they are in the file.

    As a CompImageHDU, astropy would put the cards of the header in an order of its own, and drop
    those that repeat a keyword.
    """
    content = io.BytesIO()
    images = [_tiled_image(array, quantize) for array in arrays]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(content)
    content.seek(0)
    hdus = fits.open(content, disable_image_compression=True, lazy_load_hdus=False)
    for hdu in hdus[1:]:
        hdu.header.remove("EXTNAME", ignore_missing=True)
    return hdus


def _tiled_image(values: np.ndarray[Any, Any], quantize: float | None) -> fits.CompImageHDU:
    tile = (1, values.shape[1])
    if values.dtype.kind == "f":
        if quantize is None:
            return fits.CompImageHDU(
                values, compression_type="GZIP_2", quantize_level=0.0, tile_shape=tile
            )
        return fits.CompImageHDU(
            values,
            compression_type="RICE_1",
            quantize_level=float(quantize),
            quantize_method=fits.hdu.compressed.NO_DITHER,
            tile_shape=tile,
        )
    # RICE is not defined for 64 bits
    method = "RICE_1" if values.dtype.itemsize <= 4 else "GZIP_2"
    return fits.CompImageHDU(values, compression_type=method, tile_shape=tile)


def plain_header(text: str) -> fits.Header:
    """Header of a text, without the cards that describe bytes, and without our history."""
    images, _ = split_history(text.split("\n") if text else [])
    header = parse_header("\n".join(images))
    kept = fits.Header()
    for card in header.cards:
        if not STRUCTURAL.fullmatch(card.keyword):
            kept.append(card, useblanks=False, end=True)
    while len(kept) and kept.cards[-1].is_blank:
        del kept[-1]
    return kept


def _scalar(ds: xr.Dataset, name: str) -> str:
    return str(ds.coords[name].values.item()) if name in ds.coords and not ds[name].ndim else ""


def _area(ds: xr.Dataset, cut: ChannelSlice) -> Region:
    """Raw-frame pixels from the first super-pixel to the end of the last one."""
    (xmin, xmax), (ymin, ymax) = (
        (int(ds[dim].values[0]), int(ds[dim].values[-1]) + step)
        if dim in ds.coords
        else (0, ds.sizes[dim] * step)
        for dim, step in (("x", cut.x_step), ("y", cut.y_step))
    )
    return Region(xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax)
