"""The coordinate system of the sky of the pixels of a solved frame."""

import warnings
from numbers import Real
from typing import TYPE_CHECKING, Any

import xarray as xr
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.errors import CalibrationError, HeaderError
from autowisp_xr.headers.cards import parse_header, value_of
from autowisp_xr.headers.sensor_grid import grid_of, grid_of_plane, moved

if TYPE_CHECKING:
    from astropy.wcs import WCS


_LISTED = 5
_SCALES = ("CD1_1", "CD1_2", "CDELT1", "PC1_1", "PC1_2", "PC001001", "PC001002")


def wcs(ds: xr.Dataset, frame: str | int | None = None, channel: str | int | None = None) -> "WCS":
    """Return the coordinate system of the sky, in pixels of a plane as it is in memory.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) that were solved before they were opened (their header states
        where on the sky they lie), or a master of such; whatever was cut out of them since.
    frame, channel
        Which plane, by name or number; needed only where there are several.

    Returns
    -------
    An :class:`astropy.wcs.WCS` of the pixels (x, y) of ``ds.image[frame, channel]``, counted from
    0 in its ``pixel_to_world`` and with ``origin=0`` elsewhere; distortions included. A pixel has
    the same place on the sky before and after it is cut out, split off, written and read again.

    Raises
    ------
    CalibrationError
        If the frames came without headers.
    HeaderError
        If the frame is not solved; the message states which cards are missing.
    ImageMismatchError
        If the pixels were picked from the frame in no regular way.
    ValueError
        If there is no such frame or channel, or there are several and none is chosen.

    Examples
    --------
    ``ds.autowisp.wcs("light-0007", "G1").pixel_to_world(120, 80)`` is the place on the sky of
    ``ds.image.sel(frame="light-0007", channel="G1")[80, 120]``, as a SkyCoord;
    ``plt.subplot(projection=ds.autowisp.wcs(0, "G1"))`` gives a picture axes of the sky.
    """
    schema.check(ds, master="frame" not in ds.dims)
    if "header" not in ds.coords:
        raise CalibrationError(
            "the frames have no headers, which state where on the sky they lie; open them with "
            "open_fits"
        )
    which = _number(ds, "frame", frame)
    plane = _number(ds, "channel", channel)
    text = str(schema.along_frames(ds, "header")[which])
    what = f"frame {schema.names(ds, 'frame')[which]!r}" if "frame" in ds.coords else "the master"
    header = parse_header(text)
    _check_solved(header, what)
    system = _system(moved(header, grid_of(header), grid_of_plane(ds, plane)), what)
    system.array_shape = ds.sizes["y"], ds.sizes["x"]
    return system


def _number(ds: xr.Dataset, dim: str, wanted: str | int | None) -> int:
    """Return the number of the frame or channel that was asked for."""
    size = ds.sizes.get(dim, 1)
    names = schema.names(ds, dim) if dim in ds.coords else [str(i) for i in range(size)]
    few = ", ".join(names[:_LISTED]) + (", ..." if size > _LISTED else "")
    if wanted is None:
        if size > 1:
            raise ValueError(f"there are {size} {dim}s, {few}; choose one with {dim}=")
        return 0
    return schema.number_of(wanted, names, dim)


def _check_solved(header: fits.Header, what: str) -> None:
    """Raise HeaderError unless there is what the standard calls for, rather than its defaults."""
    kinds: dict[str, type[Any]] = {"CTYPE": str, "CRPIX": Real, "CRVAL": Real}
    missing = [
        f"{card}{axis}"
        for card, kind in kinds.items()
        for axis in "12"
        if not isinstance(value_of(header, f"{card}{axis}"), kind)
    ]
    if all(value_of(header, card) is None for card in _SCALES):
        missing.append("CD1_1 (or CDELT1)")
    if missing:
        raise HeaderError(
            f"{what} is not solved: its header has no (readable) {', '.join(missing)}; let a "
            "program of astrometry write them into the file, and open it again"
        )


def _system(header: fits.Header, what: str) -> "WCS":
    from astropy.utils.exceptions import AstropyWarning
    from astropy.wcs import WCS

    with warnings.catch_warnings():
        # what astropy repairs in dates and units of other people's cards does not move the sky
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            system = WCS(header, naxis=2)
        except (ValueError, TypeError, KeyError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise HeaderError(
                f"the coordinate system of {what} cannot be used ({reason}); solve the frame again"
            ) from error
    if not system.has_celestial:
        types = " and ".join(repr(value_of(header, f"CTYPE{axis}")) for axis in "12")
        raise HeaderError(
            f"{what} is not solved: CTYPE1 and CTYPE2 are {types}, which are no axes of the sky, "
            "such as 'RA---TAN' and 'DEC--TAN'"
        )
    return system
