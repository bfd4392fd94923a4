"""Which cosmic rays ``flag_cosmic_rays`` finds, and which stars and empty pixels it takes for some.

    python -m tests.monte_carlo.cosmic_rays [--objlim N ...] [--side PIXELS]

Frames in plain NumPy: a sky of 100 electrons a pixel and a read noise of 5 electrons, in which
stand stars (a Gaussian, integrated over each pixel), or straight tracks of rays of so many
uncertainties of the sky in each pixel. Of a Bayer mosaic stars have the colours of stars: red and
blue pixels see half of what green ones do, give or take a factor of two.
The numbers in the docstring of ``flag_cosmic_rays`` are those of its default on a side of 1000.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.ndimage import maximum_filter
from scipy.special import erf

import autowisp_xr as aw
from autowisp_xr import Camera, Flag
from tests.steps.frames import frame_set

__all__ = [
    "BAYER",
    "CAMERA",
    "flagged",
    "main",
    "observed",
    "places",
    "star_cores_lost",
    "stars",
    "tracks",
]

SKY, READ_NOISE = 100.0, 5.0
NOISE = (SKY + READ_NOISE**2) ** 0.5
CAMERA = Camera(gain=1.0, read_noise=READ_NOISE)
BAYER = Camera(gain=1.0, read_noise=READ_NOISE, channels="RGGB")

ENERGIES = (6, 8, 10, 15, 20, 30, 50, 200)
LENGTHS = (1, 3, 10)
FWHMS = (1.2, 1.35, 1.5, 2.0, 3.0)
FLUXES = (300.0, 3000.0, 1e5)
"""Electrons."""

_APART = 14
"""Pixels from a star or track to the next."""


def places(side: int, rng: np.random.Generator) -> Any:
    """(place, 2): y and x in a square, anywhere inside a pixel."""
    grid = np.arange(_APART, side - _APART, _APART)
    corners = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    return corners + rng.uniform(-0.5, 0.5, corners.shape)


def stars(side: int, at: Any, fwhm: float, flux: Any) -> Any:
    """(y, x): electrons of stars of one flux, or of one for each."""
    field, width, reach = np.zeros((side, side)), fwhm / 2.3548 * 2**0.5, 7
    for middle, light in zip(at, np.broadcast_to(flux, len(at)), strict=True):
        near = [np.arange(round(m) - reach, round(m) + reach + 1) for m in middle]
        near = [one[(one >= 0) & (one < side)] for one in near]
        share = [
            erf((n - m + 0.5) / width) - erf((n - m - 0.5) / width)
            for n, m in zip(near, middle, strict=True)
        ]
        field[np.ix_(*near)] += light / 4 * np.outer(*share)
    return field


def tracks(side: int, at: Any, length: float, rng: np.random.Generator) -> Any:
    """(y, x): the number of the track in each pixel, from 1; 0 where there is none."""
    hit = np.zeros((side, side), int)
    for number, middle in enumerate(at, start=1):
        angle = rng.uniform(0, np.pi)
        along = np.linspace(-0.5, 0.5, 300) * (length - 1)
        y, x = (
            np.rint(m + along * f).astype(int)
            for m, f in zip(middle, (np.sin(angle), np.cos(angle)), strict=True)
        )
        hit[y.clip(0, side - 1), x.clip(0, side - 1)] = number
    return hit


def coloured(side: int, at: Any, fwhm: float, flux: float, rng: np.random.Generator) -> Any:
    """(y, x): electrons of stars in the pixels of a Bayer mosaic."""
    red = 2 ** rng.uniform(-1, 1, len(at))
    field = stars(side, at, fwhm, flux)
    for start, share in ((0, red / 2), (1, 1 / red / 2)):
        where = np.s_[start::2, start::2]
        field[where] = stars(side, at, fwhm, flux * share)[where]
    return field


def observed(
    electrons: Any,
    rng: np.random.Generator,
    number: int = 1,
    rays: Any = 0.0,
    camera: Camera = CAMERA,
) -> xr.Dataset:
    """Calibrated frames of a mean (y, x) of electrons, and of rays of so many beside."""
    mean = np.broadcast_to(electrons, (number, *electrons.shape))
    image = rng.poisson(mean + rays) + rng.normal(0, READ_NOISE, mean.shape)
    variance = np.maximum(image, 0) + READ_NOISE**2
    planes = {"variance": variance.astype("f4")[:, None], "mask": 0}
    ds = frame_set(image.astype("f4")[:, None], camera=CAMERA, **planes)
    return aw.split_channels(ds, camera.channels) if camera.channels else ds


def flagged(ds: xr.Dataset, **options: Any) -> Any:
    """(y, x): whether a pixel of the first frame, or its mosaic, is flagged COSMIC."""
    found = aw.flag_cosmic_rays(ds, **options)
    found = aw.merge_channels(found) if found.sizes["channel"] > 1 else found
    return found["mask"].values[0, 0] & Flag.COSMIC > 0


def star_cores_lost(
    fwhm: float, flux: float, side: int, seed: int, camera: Camera = CAMERA, **options: Any
) -> float:
    """Return the share of stars that have a flag at the brightest pixel or beside it."""
    rng = np.random.default_rng(seed)
    at = places(side, rng)
    light = coloured(side, at, fwhm, flux, rng) if camera.channels else stars(side, at, fwhm, flux)
    found = flagged(observed(SKY + light, rng, camera=camera), **options)
    y, x = np.rint(at).astype(int).T
    return float(maximum_filter(found, 3)[y, x].mean())


def rays_found(
    energy: float, length: float, side: int, seed: int, camera: Camera = CAMERA, **options: Any
) -> tuple[float, float]:
    """Return the share of hit pixels, and of tracks, that are flagged."""
    rng = np.random.default_rng(seed)
    at = places(side, rng)
    hit = tracks(side, at, length, rng)
    ds = observed(
        np.full(hit.shape, SKY), rng, rays=np.where(hit, energy * NOISE, 0), camera=camera
    )
    found = flagged(ds, **options)
    return float(found[hit > 0].mean()), np.unique(hit[found & (hit > 0)]).size / len(at)


def false_alarms(side: int, seed: int, camera: Camera = CAMERA, **options: Any) -> float:
    """Return the share of flagged pixels of an empty sky."""
    rng = np.random.default_rng(seed)
    sky = observed(np.full((side, side), SKY), rng, camera=camera)
    return float(flagged(sky, **options).mean())


def table(side: int, objlim: float) -> Iterator[str]:
    """Give the lines of the table of one ``objlim``."""
    for camera, what in ((CAMERA, "mono"), (BAYER, "Bayer")):
        limits: Any = {"side": side, "objlim": objlim, "camera": camera}
        alarms = 1e6 * false_alarms(seed=1, **limits)
        yield f"{what}, objlim = {objlim:g}: of an empty sky {alarms:.0f} of 1e6 pixels"
        yield "  stars flagged, % of those of " + ", ".join(f"{flux:g}" for flux in FLUXES) + " e"
        for fwhm in FWHMS:
            lost = [star_cores_lost(fwhm, flux, seed=2, **limits) for flux in FLUXES]
            yield f"    FWHM {fwhm:4}      " + "".join(f"{100 * one:8.1f}" for one in lost)
        yield "  rays found, % of pixels / of tracks"
        yield "    sigma a pixel   " + "".join(f"{energy:8}" for energy in ENERGIES)
        for length in LENGTHS:
            found = [rays_found(energy, length, seed=3, **limits) for energy in ENERGIES]
            cells = (f"{100 * pixels:4.0f}/{100 * whole:3.0f}" for pixels, whole in found)
            yield f"    {length:3} pixels      " + "".join(cells)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="What flag_cosmic_rays finds, and what it spares.")
    add = parser.add_argument
    add("--side", type=int, default=1000, help="of each frame (default: %(default)s)")
    add("--objlim", type=float, nargs="+", default=[5.0, aw.CosmicRays().objlim])
    given = parser.parse_args(arguments)
    for objlim in given.objlim:
        for line in table(given.side, objlim):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
