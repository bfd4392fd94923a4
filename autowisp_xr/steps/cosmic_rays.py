"""Cosmic rays in single frames, found by L.A.Cosmic as astroscrappy has it.

Decision: the defaults spare stars before they find faint rays. A star that is as sharp as a ray is
one to this method, and the photometry of a star without its core is worse than a faint ray that a
stack rejects anyway. With the usual ``objlim`` of 5 and separable medians, 99 % of bright stars of
a FWHM of 1.5 pixels are flagged; with full medians and 15, none are, and 0.4 to 2.4 % at 1.2
pixels, where every second one was. The price are rays of 10 uncertainties a pixel
(``python -m tests.monte_carlo.cosmic_rays`` prints all of it).

Astroscrappy is given planes in units of the typical uncertainty, so that the unit of the image and
its gain do not matter. Pixels without a value are filled for it from their neighbours. They are not
given as its mask, which grows by a pixel, and with it what nobody would look at. Frames are
mirrored at their edges, which it leaves out or judges without sparing stars.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, overload

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import CalibrationError, MissingPackageError
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.cold_pixels import cold_pixels
from autowisp_xr.options import CosmicRays, CosmicRaysChoice, with_options
from autowisp_xr.steps.cold_pixels import COLD

_MARGIN = 8
"""Pixels that are mirrored at the edges: more than half of its widest filter, and it looks at no
frame that is smaller."""

_FILLED = np.uint8(Flag.UNUSABLE & ~Flag.SATURATED | Flag.HOT)
_STAYS = np.uint8(Flag.BAD)

_Image = Any
"""(y, x) of some type."""


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
    that are LEAKED. A pixel whose noise is more than that of its neighbours without being HOT
    exceeds theirs too often.

    Of single pixels, 83 % are found at 8 uncertainties, 98 % at 15 and all from 30; of tracks of 10
    pixels, 83 % of the pixels at 15 and 95 % at 30 uncertainties a pixel. In empty sky 3 of 100,000
    pixels are flagged without cause. Stars with a FWHM of 1.5 pixels and more keep their cores; of
    a FWHM of 1.2, 0.4 to 2.4 % are flagged. In a plane of a Bayer mosaic, pixels are
    super-pixels, of which it sees a quarter: 0.7 % of stars of a FWHM of 1.5 are flagged.

    Medians of a plane take most of the time, about two seconds for a million pixels on a
    core.

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
    _detector()
    return wanted


def with_cosmic_rays(ds: xr.Dataset, wanted: CosmicRays) -> xr.Dataset:
    """Return calibrated frames whose mask has the rays, too; see :func:`flag_cosmic_rays`."""
    # whole frames, in all planes alike
    whole = {name: blocks.framewise(plane.variable) for name, plane in ds.data_vars.items()}
    planes = [whole["image"], whole["variance"], whole.get("mask")]
    (mask,) = blocks.apply(partial(_flagged, wanted=wanted), planes, schema.DIMS, [np.uint8])
    result = schema.with_attributes(ds.assign({**whole, "mask": mask}), schema.units_of(ds))
    packages = ["astroscrappy"]
    return provenance.record(result, "flag_cosmic_rays", vars(wanted), source=ds, packages=packages)


def _detector() -> Callable[..., Any]:
    try:
        from astroscrappy import detect_cosmics
    except ImportError as error:
        raise MissingPackageError(
            f"cosmic rays are found by astroscrappy, which cannot be imported ({error}); it comes "
            "with pip install 'autowisp-xr[cosmic]'"
        ) from error
    return detect_cosmics


def _flagged(image: Cube, variance: Cube, mask: Bits | None, *, wanted: CosmicRays) -> tuple[Bits]:
    """Return the mask of frames with the rays."""
    result = np.zeros(image.shape, np.uint8) if mask is None else mask.copy()
    for plane, noise, bits in zip(*(_planes(of) for of in (image, variance, result)), strict=True):
        bits |= _rays(plane, noise, bits, wanted)
    return (result,)


def _planes(cube: Any) -> Any:
    return cube.reshape(-1, *cube.shape[-2:])


def _rays(image: _Image, variance: _Image, mask: _Image, wanted: CosmicRays) -> _Image:
    """Return COSMIC where a plane has a ray, else 0."""
    nothing = np.zeros(image.shape, np.uint8)
    missing = (mask & _FILLED != 0) | ~np.isfinite(image) | ~(variance > 0) | np.isinf(variance)
    # beside a cold pixel, what is as it should be stands out like a ray
    missing |= cold_pixels(image, variance, mask, int(Flag.UNUSABLE), COLD)
    if missing.all():
        return nothing
    unit = np.sqrt(np.median(variance[~missing].astype(np.float64)))
    values, noise = (image / unit).astype(np.float32), (variance / unit**2).astype(np.float32)
    full = values[(mask & Flag.OVERSATURATED != 0) & ~missing]
    bits = _framed(mask)
    found, _ = _detector()(
        _framed(_filled(values, missing)),
        inmask=bits & Flag.LEAKED != 0,
        invar=_framed(_filled(noise, missing)),
        satlevel=full.min() if full.size else np.inf,
        **vars(wanted),
    )
    inside = found[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return np.where(inside & (mask & _STAYS == 0), np.uint8(Flag.COSMIC), nothing)


def _framed(plane: _Image) -> _Image:
    return np.pad(plane, _MARGIN, mode="reflect")


def _filled(plane: _Image, missing: _Image) -> _Image:
    """Return a plane with the median of good neighbours where pixels are missing.

    Where there are none within 3 pixels, it is that of the plane.
    """
    if not missing.any():
        return plane
    # takes a while to import, and few need it
    from scipy.ndimage import maximum_filter

    plane = np.where(missing, np.nan, plane)
    middle = np.nanmedian(plane)
    for reach in (1, 3):
        side, rest = 2 * reach + 1, np.isnan(plane)
        y, x = np.nonzero(rest & maximum_filter(~rest, side, mode="constant"))
        around = np.pad(plane, reach, constant_values=np.nan)
        windows = np.lib.stride_tricks.sliding_window_view(around, (side, side))
        plane[y, x] = np.nanmedian(windows[y, x].reshape(-1, side**2), axis=1)
    return np.where(np.isnan(plane), middle, plane)
