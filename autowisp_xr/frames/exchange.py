"""Frames as CCDData of astropy, with which ccdproc and photutils work, and back.

Decision: a CCDData is what the file of a frame is: its meta has the cards that
:func:`~autowisp_xr.to_fits` would write, our history among them, and reading one is opening that
file. The variance goes along as it is, and the flags of all pixels beside the mask, which only
states which are bad, so that nothing is lost there and back but what files lose, too.
"""

import os
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.flags import Flag, as_flag
from autowisp_xr.frames.noise_cards import with_noise
from autowisp_xr.frames.open import open_records
from autowisp_xr.frames.parallel_scanning import scan
from autowisp_xr.frames.product_hdus import history_of, output_headers

if TYPE_CHECKING:
    from astropy.nddata import CCDData

_SOLVED = "CTYPE1"


def to_ccddata(ds: xr.Dataset, *, mask: str | int | Flag = "UNUSABLE") -> "CCDData":
    """Return a frame, or a master, as CCDData of astropy.

    Parameters
    ----------
    ds
        One frame and one channel, (1, 1, y, x) or with these dimensions selected away in ``frame``:
        ``ds.isel(frame=[0]).sel(channel=["G1"])``; or a master of one channel. What is lazy is
        computed.
    mask
        The flags whose pixels are masked, such as "BAD" for any. By default those of
        ``Flag.UNUSABLE``; a hot pixel is not among them. NaN is always masked.

    Returns
    -------
    A CCDData in the unit of ``ds``, with a VarianceUncertainty where there is a variance, a mask
    and the flags of all pixels (``flags``), the header that ``to_fits(hashes=False)`` would write
    as ``meta``, and the coordinate system of the sky of a solved frame as ``wcs``.

    Raises
    ------
    ValueError
        For several frames or channels.

    Examples
    --------
    ``ccdproc.combine([aw.to_ccddata(ds.isel(frame=[i])) for i in range(ds.sizes["frame"])])``
    """
    from astropy.nddata import CCDData, VarianceUncertainty
    from astropy.wcs import WCS

    schema.check(ds, master="frame" not in ds.dims)
    sizes = {dim: ds.sizes.get(dim, 1) for dim in ("frame", "channel")}
    if set(sizes.values()) != {1}:
        raise ValueError(
            f"a CCDData is one frame and channel, and there are {sizes['frame']} frames and "
            f"{sizes['channel']} channels; choose, as by ds.isel(frame=[0], channel=[0])"
        )
    wanted = [name for name in ("image", "variance", "mask") if name in ds]
    planes = {name: np.array(ds[name].values.squeeze()) for name in wanted}
    planes = {name: plane.reshape(ds["image"].shape[-2:]) for name, plane in planes.items()}
    head = ds.drop_vars([name for name in ds.data_vars if name not in ("image", "variance")])
    head = head.isel(frame=0) if "frame" in ds.dims else head
    steps = provenance.history(ds)
    if "frame" in ds.dims:
        (steps,) = provenance.own_histories(ds)
    (header,) = output_headers(head, steps)
    header = with_noise(header, planes)
    for card in history_of(steps):
        header.add_history(card)
    flags = planes.get("mask")
    masked = None if flags is None else flags & np.uint8(as_flag(mask)) != 0
    if masked is not None and planes["image"].dtype.kind == "f":
        masked |= np.isnan(planes["image"])
    variance = planes.get("variance")
    return CCDData(
        planes["image"],
        unit={"1": ""}.get(unit := schema.units_of(ds), unit),
        uncertainty=None if variance is None else VarianceUncertainty(variance),
        mask=masked,
        flags=flags,
        meta=header,
        wcs=WCS(header) if _SOLVED in header else None,
    )


def from_ccddata(
    ccd: "CCDData", *, camera: Camera | None = None, types: Mapping[str, str] | None = None
) -> xr.Dataset:
    """Return a CCDData of astropy as a frame set of one frame.

    Parameters
    ----------
    ccd
        An image of two dimensions; its ``meta`` are read like the header of a file.
    camera, types
        As for :func:`~autowisp_xr.open_fits`.

    Returns
    -------
    (1, channel, y, x), in memory: ``image`` in the unit of ``ccd``; ``variance`` of its
    uncertainty, of whatever kind; ``mask`` with its ``flags`` where they are ours (uint8), else
    FAULT where its mask is True. Raw frames of a colour camera are split into its channels, as from
    files. What :func:`to_ccddata` made comes back with its history.

    Raises
    ------
    HeaderError, ImageMismatchError
        As by :func:`~autowisp_xr.open_fits`; and for an image that is not of two dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import CCDData, StdDevUncertainty
    >>> pixels = np.full((4, 6), 100.0)
    >>> error = StdDevUncertainty(pixels / 50)
    >>> frame = from_ccddata(CCDData(pixels, unit="adu", uncertainty=error))
    >>> dict(frame.sizes), float(frame.variance[0, 0, 0, 0])
    ({'frame': 1, 'channel': 1, 'y': 4, 'x': 6}, 4.0)
    """
    from astropy.nddata import VarianceUncertainty

    image = np.asarray(ccd.data)
    if image.ndim != 2:
        raise ImageMismatchError(
            f"a frame has two dimensions, and the CCDData has {image.ndim}; give its planes one by "
            "one"
        )
    header = _header_of(ccd)
    with tempfile.TemporaryDirectory() as folder:
        # cards mean what they mean in a file, by the very same code
        path = os.path.join(folder, "ccd.fits")
        fits.PrimaryHDU(image, header).writeto(path, output_verify="silentfix+ignore")
        ds = open_records(scan([path], types=types), camera=camera).load()
    # the last step is that of a file that nobody needs to know of
    *steps, _ = provenance.history(ds)
    ds = ds.drop_vars([name for name in ("path", "channel_path") if name in ds.coords])
    variance, flags = None, None
    if ccd.uncertainty is not None:
        # as in files, what is below zero is not known, nor an inverse variance of zero
        known = np.asarray(ccd.uncertainty.array) >= 0
        with np.errstate(divide="ignore"):
            found = ccd.uncertainty.represent_as(VarianceUncertainty)
        variance = np.where(known & ~np.isinf(found.array), found.array, np.nan)
        if found.unit is not None and ccd.unit is not None:
            variance = variance * found.unit.to(ccd.unit**2)
    if ccd.flags is not None and np.asarray(ccd.flags).dtype == np.uint8:
        flags = np.array(ccd.flags)
    elif ccd.mask is not None or variance is not None:
        flags = np.zeros(image.shape, np.uint8)
        flags[np.broadcast_to(False if ccd.mask is None else ccd.mask, image.shape)] = Flag.FAULT
    if flags is not None and image.dtype.kind == "f":
        flags[np.isnan(image)] |= np.uint8(Flag.FAULT)
    kind = image.dtype if image.dtype.kind == "f" else np.dtype(np.float32)
    cuts = schema.channel_slices(ds) if ds.sizes["channel"] > 1 else [None]
    for name, plane in (("variance", variance), ("mask", flags)):
        if plane is None:
            continue
        planes = [_cut(plane, cut, ds["image"].shape[-2:]) for cut in cuts]
        typed = np.stack(planes)[None].astype(np.uint8 if name == "mask" else kind)
        ds = ds.assign({name: (schema.DIMS, typed)})
    if variance is not None and ds["image"].dtype.kind != "f":
        ds = ds.assign(image=ds["image"].astype(kind))
    ds = schema.with_attributes(ds, schema.units_of(ds))
    del ds.attrs["history"]
    return provenance.with_history(ds, steps) if steps else provenance.record(ds, "from_ccddata")


def _cut(plane: np.ndarray[Any, Any], cut: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return the pixels of a channel."""
    if cut is None:
        return plane
    part = plane[cut.y_offset :: cut.y_step, cut.x_offset :: cut.x_step]
    return part[: shape[0], : shape[1]]


def _header_of(ccd: "CCDData") -> fits.Header:
    """Return the cards of a CCDData, its coordinate system and its unit among them."""
    meta = ccd.meta
    header = meta.copy() if isinstance(meta, fits.Header) else fits.Header()
    if not isinstance(meta, fits.Header):
        for keyword, value in meta.items():
            if isinstance(value, str | int | float | bool):
                header[str(keyword)] = value
    if ccd.wcs is not None and _SOLVED not in header:
        # CCDData.read takes these cards away
        header.update(ccd.wcs.to_header(relax=True))
    if ccd.unit is not None:
        header["BUNIT"] = str(ccd.unit) or "1"
    return header
