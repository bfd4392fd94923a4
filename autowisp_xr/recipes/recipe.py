"""The recipe of calibrated frames: all that makes them of raw frames and masters."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import steps
from autowisp_xr.arrays import Bits
from autowisp_xr.bridge import blocks
from autowisp_xr.options import CosmicRays
from autowisp_xr.schema import DIMS, variable_attributes
from autowisp_xr.steps.cold_pixels import COLD, with_cold_pixels
from autowisp_xr.steps.cosmic_rays import with_cosmic_rays
from autowisp_xr.steps.fringe import Scale

ARITHMETIC = 1
"""Number of the arithmetic of calibration. Whoever changes a bit of what the same recipe makes of
the same frames raises it: stored recipes of other numbers are refused then, not computed otherwise
in silence. A test holds the bits of a small set."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What was found in the frames when the recipe was first applied, and need not be again.

    Flags that depend on the surroundings of a pixel need whole frames: with those known, frames are
    made in bands of rows.
    """

    flags: xr.Variable
    """At least the flags (frame, channel, y, x) of cold pixels and cosmic rays, and no others than
    the frames have."""
    fringe_scale: Scale | None = None
    """The scale (frame, channel) of the fringes."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How science frames are calibrated, beside their camera."""

    options: Mapping[str, Any]
    """Those of :func:`~autowisp_xr.calibrate` that JSON can hold."""
    cold_pixels: float = COLD
    """The threshold of :func:`~autowisp_xr.flag_cold_pixels`."""
    cosmic_rays: CosmicRays | None = None

    def apply(
        self,
        raw: xr.Dataset,
        masters: Mapping[str, xr.Dataset | None],
        masks: Sequence[Any] = (),
        known: Known | None = None,
    ) -> xr.Dataset:
        """Calibrate raw frames; see :func:`~autowisp_xr.calibrate`.

        Parameters
        ----------
        raw
            The frames (frame, channel, y, x), with their camera.
        masters
            By kind: bias, dark, flat, fringe.
        masks
            Further masks of the image area.
        known
            Of the same frames; looked for where it is not given.
        """
        given: dict[str, Any] = {**masters, "masks": list(masks)}
        fringe = given.pop("fringe", None)
        frames = steps.calibrate(raw, **given, **self.options)
        if fringe is not None:
            # as calibrate does, but for a scale that is known
            shared = {k: v for k, v in self.options.items() if k in ("allow_mismatch", "dtype")}
            scale = known.fringe_scale if known is not None else None
            frames = steps.subtract_fringe(frames, fringe, scale, **shared)
        if known is not None:
            return _with_flags(frames, known.flags)
        # before the rays, which stand out like the neighbours of cold pixels
        frames = with_cold_pixels(frames, self.cold_pixels)
        return with_cosmic_rays(frames, self.cosmic_rays) if self.cosmic_rays else frames

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON holds it."""
        return asdict(self) | {"options": dict(self.options)}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "Recipe":
        """Return the recipe of :meth:`to_json`."""
        rays = given["cosmic_rays"]
        return cls(
            options=dict(given["options"]),
            cold_pixels=given["cold_pixels"],
            cosmic_rays=rays and CosmicRays(**rays),
        )


def _with_flags(frames: xr.Dataset, flags: xr.Variable) -> xr.Dataset:
    planes = [frames["mask"].variable, flags]
    (mask,) = blocks.apply(_union, planes, DIMS, [np.uint8], free=DIMS)
    mask.attrs = variable_attributes("mask")
    return frames.assign(mask=mask)


def _union(mask: Bits, flags: Bits) -> tuple[Bits]:
    return (mask | flags,)
