"""Cosmic rays in single frames, found by L.A.Cosmic as astroscrappy has it.

Decision: the defaults spare stars before they find faint rays. A star that is as sharp as a ray is
one to this method, and the photometry of a star without its core is worse than a faint ray that a
stack rejects anyway. With the usual ``objlim`` of 5 and separable medians, 99 % of bright stars of
a FWHM of 1.5 pixels are flagged; with full medians and 15, none are, and 1 to 3 % at 1.2 pixels,
where every second one was. The price is paid by rays of 10 uncertainties a pixel
(``python -m tests.monte_carlo.cosmic_rays`` prints all of it).

Decision: planes of a mosaic are looked at twice, each for itself and side by side, as the sensor
has them; a ray is one in both. In a plane a star of a DSLR may be one pixel wide, and side by side
its colour is a pattern: of a real frame of such stars, 2861 pixels are flagged in planes, 110 side
by side, and 16 in both.

Astroscrappy is given planes in units of the typical uncertainty, so that the unit of the image and
its gain do not matter. Pixels without a value are filled for it from their neighbours. They are not
given as its mask, which grows by a pixel, and with it what nobody would look at. Frames are
mirrored at their edges, which it leaves out or judges without sparing stars.
"""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any, Literal, NamedTuple, overload

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import CalibrationError, MissingPackageError
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.cold_pixels import cold_pixels
from autowisp_xr.options import CosmicRays, CosmicRaysChoice, with_options
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.steps.cold_pixels import COLD

_MARGIN = 8
"""Pixels that are mirrored at the edges: more than half of its widest filter, and it looks at no
frame that is smaller."""

_INSIDE = np.s_[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]

_FILLED = np.uint8(Flag.UNUSABLE & ~Flag.SATURATED | Flag.HOT)
_STAYS = np.uint8(Flag.BAD)

_OF_FULL, _OF_STAR = 0.1, 4
"""Of its saturated pixels, what is left of a star by a median of 5 x 5, where a saturated ray is
gone; and the pixels around them that belong to it. Astroscrappy has the same by a level."""

_ONE_AT_A_TIME = Lock()
"""Astroscrappy takes all cores for each image; of two at a time, each waits for the other."""

_Image = Any
"""(y, x) of some type."""

_Mosaic = tuple[tuple[slice, slice], ...]
"""The pixels of each channel among those of a mosaic."""

NOISE_NEEDED = """\
the variance of the frames is not known, by which cosmic rays differ from noise; calibrate them \
with Camera(gain=..., read_noise=...): aw.measure.gain_and_read_noise measures both"""


@with_options(vars(CosmicRays()))
def flag_cosmic_rays(ds: xr.Dataset, **options: Any) -> xr.Dataset:
    r"""Flag pixels COSMIC that a cosmic ray has hit, each frame for itself.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x) with a known variance: calibrated ones, in any unit.
    sigclip, sigfrac, objlim, niter, sepmed
        As for :class:`~autowisp_xr.CosmicRays`.

    Returns
    -------
    Frames with the flags added to their mask, and nothing else changed: no value, no variance. What
    is in memory is computed at once; what is lazy stays so, in chunks of whole frames, and each
    task looks at one.

    Raises
    ------
    CalibrationError
        Where the variance of the frames is not known.
    MissingPackageError
        Without astroscrappy; before any pixel is read.

    Notes
    -----
    L.A.Cosmic [1]_, by astroscrappy [2]_, on each channel for itself. A ray has sharper edges than
    optics can make. Its sharpness S, from a Laplacian, is held against the noise of the
    surroundings (the median of ``variance``: what the ray itself adds to it does not count), and
    against F, what a small median leaves of its shape: S > ``sigclip`` and S / F > ``objlim``.

    The sky may have been subtracted: only differences between neighbours count, and the noise
    comes from ``variance``, which still knows of it.

    A pixel that bears a flag already stays as it is, but for NONLINEAR, which a strong ray is. A
    star that is saturated is left out with 4 pixels around it, and so are the neighbours of pixels
    that are LEAKED. Planes of a mosaic are looked at once more side by side, where stars are less
    sharp, and a ray has to be one there, too.

    Of single pixels, 83 % are found at 8 uncertainties, 98 % at 15 and all from 30; of tracks of 10
    pixels, 84 % of the pixels at 15 uncertainties a pixel, 97 % at 30, and some of 99 % of them. In
    an empty sky 3 of 100,000 pixels are flagged without cause. Stars with a FWHM of 1.5 pixels and
    more keep their cores; of a FWHM of 1.2, 1 to 3 % are flagged. In a mosaic a single pixel is
    found in 65 % at 8 uncertainties and 95 % at 15, no empty pixel is flagged of 250,000, and stars
    with a FWHM of 2 pixels of the sensor keep their cores.

    What has sharp edges and is no ray is flagged as well, unless a mask states it: the border of
    rows without light, a pixel that is noisier than its neighbours and not HOT. Where a variance is
    too small, as it is without the right gain, so is noise; ``reduce`` doubts more than 1 %.

    Medians of a plane take most of the time: three seconds of a core for a million pixels, six for
    those of a mosaic, a third of it with ``sepmed``; and 70 bytes of memory a pixel of one frame.

    References
    ----------
    .. [1] P. G. van Dokkum 2001, PASP 113, 1420
    .. [2] C. McCully et al. 2018, Astro-SCRAPPY, doi:10.5281/zenodo.1482019

    Examples
    --------
    >>> from autowisp_xr import calibrate, simulate
    >>> night = simulate.Night(shape=(64, 64), seed=1)
    >>> science = calibrate(night.objects(2), camera=night.camera)
    >>> found = flag_cosmic_rays(science, objlim=5)
    >>> int((found["mask"] & 4).astype(bool).sum()) > 0
    True
    """
    schema.check(ds)
    wanted = as_cosmic_rays(CosmicRays(**options))
    if schema.is_raw(ds) or not provenance.noise_known(ds):
        raise CalibrationError(NOISE_NEEDED)
    return with_cosmic_rays(blocks.load_coordinates(ds).drop_encoding().copy(deep=True), wanted)


@overload
def as_cosmic_rays(given: CosmicRays | Literal[True]) -> CosmicRays: ...
@overload
def as_cosmic_rays(given: CosmicRaysChoice) -> CosmicRays | None: ...
def as_cosmic_rays(given: CosmicRaysChoice) -> CosmicRays | None:
    """Return how rays are to be found, or None; MissingPackageError where they cannot be."""
    if given is None or given is False:
        return None
    wanted = CosmicRays() if given is True else given
    if not isinstance(wanted, CosmicRays):
        raise ValueError(f"cosmic_rays is True, None or a CosmicRays, not {given!r}")
    _astroscrappy()
    return wanted


def with_cosmic_rays(ds: xr.Dataset, wanted: CosmicRays) -> xr.Dataset:
    """Return calibrated frames whose mask has the rays, too; see :func:`flag_cosmic_rays`."""
    # whole frames, in all planes alike
    whole = {name: blocks.framewise(plane.variable) for name, plane in ds.data_vars.items()}
    planes = [whole["image"], whole["variance"], whole.get("mask")]
    kernel = partial(_flagged, wanted=wanted, mosaic=_mosaic(schema.channel_slices(ds)))
    (mask,) = blocks.apply(kernel, planes, schema.DIMS, [np.uint8], free=("frame",))
    mask.attrs = schema.variable_attributes("mask")
    result = ds.assign({**whole, "mask": mask})
    packages = ["astroscrappy"]
    return provenance.record(result, "flag_cosmic_rays", vars(wanted), source=ds, packages=packages)


def _mosaic(channels: Sequence[ChannelSlice]) -> _Mosaic | None:
    """Return where in a mosaic each channel is; None where they do not fill one together."""
    height, width = channels[0].y_step, channels[0].x_step
    places = {(one.y_offset, one.x_offset) for one in channels}
    if len(channels) == 1 or not len(channels) == len(places) == height * width:
        return None
    return tuple(np.s_[one.y_offset :: height, one.x_offset :: width] for one in channels)


def _astroscrappy() -> Any:
    try:
        import astroscrappy.utils
    except ImportError as error:
        raise MissingPackageError(
            f"cosmic rays are found by astroscrappy, which cannot be imported ({error}); it comes "
            "with pip install '.[cosmic]'"
        ) from error
    return astroscrappy


def _flagged(
    image: Cube, variance: Cube, mask: Bits | None, *, wanted: CosmicRays, mosaic: _Mosaic | None
) -> tuple[Bits]:
    """Return the mask of frames with the rays."""
    result = np.zeros(image.shape, np.uint8) if mask is None else mask.copy()
    for frame in zip(image, variance, result, strict=True):
        planes = [_prepared(*of_channel) for of_channel in zip(*frame, strict=True)]
        found = np.stack([_rays(plane, wanted) for plane in planes])
        if mosaic is not None and found.any():
            joined = _rays(_joined(planes, mosaic), wanted)
            found &= np.stack([joined[place] for place in mosaic])
        bits = frame[-1]
        bits[found & (bits & _STAYS == 0)] |= np.uint8(Flag.COSMIC)
    return (result,)


class _Prepared(NamedTuple):
    """An image (y, x) as astroscrappy is given it."""

    values: _Image
    variance: _Image
    hidden: _Image
    """Where it does not look, nor one pixel around."""


def _prepared(image: _Image, variance: _Image, mask: _Image) -> _Prepared:
    """Return a plane in units of its typical uncertainty."""
    missing = (mask & _FILLED != 0) | ~np.isfinite(image) | ~(variance > 0) | np.isinf(variance)
    # beside a cold pixel, what is as it should be stands out like a ray
    missing |= cold_pixels(image, variance, mask, int(Flag.UNUSABLE), COLD)
    if missing.all():
        nothing = np.zeros(image.shape, np.float32)
        return _Prepared(nothing, nothing, missing)
    unit = np.sqrt(np.median(variance[~missing].astype(np.float64)))
    values = _filled((image / unit).astype(np.float32), missing)
    noise = _filled((variance / unit**2).astype(np.float32), missing)
    hidden = mask & Flag.LEAKED != 0
    full = (mask & Flag.OVERSATURATED != 0) & ~missing
    if full.any():
        smooth = _around(values, _astroscrappy().utils.medfilt5)
        hidden |= _widened(full & (smooth > _OF_FULL * values[full].min()), _OF_STAR)
    return _Prepared(values, noise, hidden)


def _joined(planes: Sequence[_Prepared], mosaic: _Mosaic) -> _Prepared:
    """Return the planes side by side, as the sensor has them, each less what is around a pixel.

    Without that, the colours of the sky would be a pattern.
    """
    height, width = planes[0].values.shape
    size = (height * mosaic[0][0].step, width * mosaic[0][1].step)
    whole = _Prepared(*(np.empty(size, part.dtype) for part in planes[0]))
    for plane, place in zip(planes, mosaic, strict=True):
        for part, own in zip(whole, plane, strict=True):
            part[place] = own
        whole.values[place] -= _around(plane.values, _astroscrappy().utils.sepmedfilt7)
    return whole


def _around(plane: _Image, median: Callable[[_Image], _Image]) -> _Image:
    return median(_framed(plane))[_INSIDE]


def _rays(given: _Prepared, wanted: CosmicRays) -> _Image:
    """Return whether a pixel of an image is of a ray."""
    if given.hidden.all():
        return np.zeros_like(given.hidden)
    values, variance, hidden = map(_framed, given)
    with _ONE_AT_A_TIME:
        found, _ = _astroscrappy().detect_cosmics(
            values, inmask=hidden, invar=variance, satlevel=np.inf, **vars(wanted)
        )
    return found[_INSIDE]


def _framed(plane: _Image) -> _Image:
    return np.pad(plane, _MARGIN, mode="reflect")


def _widened(pixels: _Image, reach: int) -> _Image:
    """Return pixels with those around them."""
    # takes a while to import, and few need it
    from scipy.ndimage import maximum_filter

    return maximum_filter(pixels, 2 * reach + 1, mode="constant")


def _filled(plane: _Image, missing: _Image) -> _Image:
    """Return a plane with the median of good neighbours where pixels are missing.

    Where there are none within 3 pixels, it is that of the plane.
    """
    if not missing.any():
        return plane
    plane = np.where(missing, np.nan, plane)
    middle = np.nanmedian(plane)
    for reach in (1, 3):
        side, rest = 2 * reach + 1, np.isnan(plane)
        y, x = np.nonzero(rest & _widened(~rest, reach))
        around = np.pad(plane, reach, constant_values=np.nan)
        windows = np.lib.stride_tricks.sliding_window_view(around, (side, side))
        plane[y, x] = np.nanmedian(windows[y, x].reshape(-1, side**2), axis=1)
    return np.where(np.isnan(plane), middle, plane)
