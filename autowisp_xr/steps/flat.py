r"""The step that divides by a master flat.

To first order in the noise of both, with i the image before:

.. math:: V \leftarrow V / F^2 + \sigma_F^2 i^2 / F^4
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Floats, Numbers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.steps.base import MasterStep, absent
from autowisp_xr.steps.lit_pixels import lit_only
from autowisp_xr.steps.saturation_level import typical
from autowisp_xr.steps.shared_noise_names import lender

_BRIGHT = 0.99
"""Quantile of a flat that few pixels exceed, noise or not."""


class FlatOperands(NamedTuple):
    """What frames are divided by."""

    image: Planes = absent(3, "f4")
    """(channel, y, x), with a mean of one."""


@kernel
def divided(image: float, variance: float, flat: float, relative: float) -> tuple[float, float]:
    """Image and variance after the flat, whose variance over its square is ``relative``."""
    if not flat > 0.0:
        return np.nan, np.nan
    image = image / flat
    return image, variance / (flat * flat) + relative * image * image


@dataclass(frozen=True, kw_only=True)
class DivideFlat(MasterStep):
    """I /= F; what is not lit in F is NaN. The relative variance of F is shared."""

    place = "flat"
    min_flat: float | None
    """Share of the mean from which on a pixel is lit; None takes the flat as it is."""

    @cached_property
    def lit(self) -> xr.Dataset:
        """The flat, NaN where it is not lit."""
        return self.master if self.min_flat is None else lit_only(self.master, self.min_flat)

    @property
    def line(self) -> dict[str, Any]:
        """What counted as lit."""
        return {} if self.min_flat is None else {"min_flat": self.min_flat}

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """The image of the flat where it is lit."""
        return {"image": blocks.plane(self.lit, "image")}

    def name_lenders(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """The flat lends its relative noise to all."""
        for names in divided:
            names |= lender(self.master)

    def moved_saturation(self, levels: Floats) -> Floats:
        """They are divided by what the brightest pixels of the flat have."""
        return levels / typical(self.master, _BRIGHT)


def quotient(plane: Numbers, flat: Planes, power: int = 1) -> Floats:
    """Planes, or their variance, divided by (a power of) a flat; NaN where it is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = np.asarray(flat, dtype=np.float64)
        return np.where(flat > 0, plane / flat**power, np.nan)
