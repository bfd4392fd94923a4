"""The step that subtracts a master dark, scaled to the exposure of each frame.

A dark made with the bias that is subtracted here shares its noise: I - B - k D with D = d - B is
I - (1-k) B - k d, so that of the variance of the bias (1-k)^2 is left: with var(D) = var(d) +
var(B), bias and dark add var(B) + k^2 var(D) - 2 k var(B).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import provenance
from autowisp_xr.arrays import Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.steps.base import MasterStep, Term, absent
from autowisp_xr.steps.saturation_level import typical
from autowisp_xr.steps.shared_noise_names import lender


class DarkOperands(NamedTuple):
    """What is subtracted as dark."""

    image: Planes = absent(3, "f4")
    """(channel, y, x)."""
    factor: Floats = absent(1)
    """(frame): how often."""


@kernel
def factor_of(dark: DarkOperands, frame: int) -> float:
    """Factor of the dark in a frame."""
    return dark.factor[frame] if dark.factor.size else 1.0


@dataclass(frozen=True, kw_only=True)
class SubtractDark(MasterStep):
    """I -= k D; V += k^2 var(D), less what cancels of the bias; all frames share it."""

    place = "dark"
    factor: Any = 1.0
    """k: one number, or one a frame."""
    bias: xr.Variable | None = None
    """Variance of the bias that the dark was made with, and that was subtracted from the frames,
    too."""
    scale_dark: Any = False
    """As the user asked for."""

    @property
    def line(self) -> dict[str, Any]:
        """What was asked for, and what came of it."""
        return {"scale_dark": self.scale_dark, "factor": np.unique(self.factor)}

    def factors(self, ds: xr.Dataset) -> xr.Variable:
        """The factor as a number, or (frame) where it differs; as lazy as the frames."""
        factors = np.unique(np.atleast_1d(self.factor))
        if factors.size == 1:
            return xr.Variable((), factors[0])
        k = xr.Variable(("frame",), np.asarray(self.factor))
        # it makes a plane for each frame, as large as the cube
        chunks = blocks.pixelwise(ds["image"].variable).chunksizes
        return k.chunk({"frame": chunks["frame"]}) if chunks else k

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """The image of the dark, and its factor in each frame."""
        factors = np.broadcast_to(self.factor, (ds.sizes["frame"],)).astype(np.float64)
        return {
            "image": blocks.plane(self.master, "image"),
            "factor": xr.Variable(("frame",), factors),
        }

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """The variance of the scaled dark, and what cancels of the bias."""
        variance, k = blocks.plane(self.master, "variance"), self.factors(ds)
        if variance is None:
            return []
        return [Term(variance, k**2), *([] if self.bias is None else [Term(self.bias, -2 * k)])]

    def name_lenders(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """The dark lends its noise to all; in frames of its exposure, that of its bias is gone."""
        own = lender(self.master)
        gone = provenance.identities(self.master) if own and self.bias is not None else set()
        factors = np.broadcast_to(self.factor, (len(subtracted),)).tolist()
        for names, factor in zip(subtracted, factors, strict=True):
            names |= own
            if factor == 1.0:
                names -= gone

    def moved_saturation(self, levels: Floats) -> Floats:
        """They are less by the median of the dark."""
        return levels - float(np.median(self.factor)) * typical(self.master, 0.5)
