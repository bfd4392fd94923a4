"""Compute EGAIN and RDNOISE of a product from the very pixels that are written.

Decision: what a program makes of these two cards, V = max(I, 0) / EGAIN + (RDNOISE / EGAIN)^2, is
held against the error plane. The gain is that of the camera times the frames that count; all else
that is in the errors (reading, dark current, masters) goes into RDNOISE, as the median over the
image. Errors that come from the scatter of few frames are skewed, so that means of 16 neighbours
are taken before the median. Where half of the image has errors that are off by more than 5 %, as
behind the flat of a strong vignette, no number is true, and there are no cards.
"""

import math
from collections.abc import Mapping
from typing import Any

import bottleneck
import numpy as np
from astropy.io import fits

from autowisp_xr.arrays import Bools, Image, Numbers
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.fate_rules import set_facts
from autowisp_xr.headers.fates import EFFECTIVE
from autowisp_xr.headers.product import gain_facts
from autowisp_xr.headers.values import to_number
from autowisp_xr.stats.sampling import grid_step

_LOOKED_AT = ("image", "variance", "mask", "count")
_TOGETHER = 16
_TILES, _TILE = 8, 256
_NEAR, _SHARE = 0.05, 0.5
_LEAST = 0.05
"""Electrons of read noise that no reader believes to be less."""


def with_noise(header: fits.Header, planes: Mapping[str, Any]) -> fits.Header:
    """Return the header of a product with EGAIN and RDNOISE of its pixels, or without both.

    Parameters
    ----------
    header
        As :func:`autowisp_xr.frames.product_hdus.output_headers` gives it. One without EFFNCOMB has
        no gain that could be true, and stays as it is.
    planes
        "image", "variance", "mask" and, of a stack, "count", each (y, x), in memory. Pixels that
        are flagged are left out.
    """
    effective = to_number(value_of(header, EFFECTIVE))
    if math.isnan(effective) or "variance" not in planes:
        return header
    gain = to_number(value_of(header, "EGAIN")) / effective
    step = grid_step(*planes["image"].shape)
    part = (slice(None, None, step),) * 2
    image, variance = (planes[name][part].astype(np.float64) for name in ("image", "variance"))
    good = np.isfinite(image) & np.isfinite(variance)
    if "mask" in planes:
        good &= planes["mask"][part] == 0
    if "count" in planes and good.any():
        counted = planes["count"][part][good]
        effective *= float(np.median(counted)) / float(counted.max())
    header = header.copy()
    facts = gain_facts(gain, effective)
    noise = _read_noise(image, variance, good, gain * effective)
    if noise is None:
        facts = gain_facts(None, math.nan)
    elif noise >= _LEAST:
        facts["read_noise"] = float(f"{noise:.5g}")
    set_facts(header, facts)
    return header


def on_grid(planes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`with_noise` looks at of planes of which a part is made when asked for.

    The grid of what is on a grid is all of it.
    """
    part = (slice(None, None, grid_step(*planes["image"].shape)),) * 2
    return {name: planes[name][part] for name in _LOOKED_AT if name in planes}


def _read_noise(image: Image, variance: Image, good: Bools, gain: float) -> float | None:
    """Return the read noise [electrons] that explains the variances of an image; None for none."""
    photons = np.maximum(image, 0) / gain
    number = int(np.clip(math.sqrt(image.size / _TILE), 1, _TILES))
    rest, tiles = [], []
    bands = (np.array_split(plane, number) for plane in (good, photons, variance))
    for of_rows in zip(*bands, strict=True):
        parts = (np.array_split(plane, number, axis=1) for plane in of_rows)
        for of_tile, *of_planes in zip(*parts, strict=True):
            means = [_means(plane[of_tile]) for plane in of_planes]
            if means[0].size:
                rest.append(means[1] - means[0])
                tiles.append([float(bottleneck.median(plane)) for plane in means])
    if not tiles:
        return None
    constant = max(float(np.median(np.concatenate(rest))), 0.0)
    light, whole = np.transpose(tiles)
    known = whole > 0
    if not known.any():
        return None
    near = np.abs(np.sqrt((light[known] + constant) / whole[known]) - 1) <= _NEAR
    return gain * math.sqrt(constant) if near.mean() >= _SHARE else None


def _means(values: Numbers) -> Numbers:
    """Return means of neighbours; of less than a group, that of all."""
    whole = values.size // _TOGETHER * _TOGETHER
    if not whole:
        return values.mean(keepdims=True) if values.size else values
    return values[:whole].reshape(-1, _TOGETHER).mean(axis=1)
