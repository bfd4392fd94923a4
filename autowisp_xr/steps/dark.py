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


class DarkOperands(NamedTuple):
    """The planes that are subtracted as dark, and how often."""

    image: Planes = absent(3, "f4")
    """(channel, y, x)."""
    factor: Floats = absent(2)
    """(frame, channel): how often."""


@kernel
def factor_of(dark: DarkOperands, frame: int, channel: int) -> float:
    """Return the factor of the dark in a channel of a frame."""
    return dark.factor[frame, channel] if dark.factor.size else 1.0


def in_chunks_of(ds: xr.Dataset, factor: xr.Variable) -> xr.Variable:
    """Return factors, which make planes as large as the cube, in the chunks of lazy frames."""
    chunks = blocks.pixelwise(ds["image"].variable).chunksizes
    return factor.chunk({dim: chunks[dim] for dim in factor.dims}) if chunks else factor


@dataclass(frozen=True, kw_only=True)
class SubtractDark(MasterStep):
    """I -= k D; V += k^2 var(D), less what cancels of the bias; all frames share it."""

    operand = "dark"
    factor: Floats
    """(frame): k."""
    bias: xr.Variable | None = None
    """Variance of the bias that the dark was made with, and that was subtracted from the frames,
    too."""
    scale_dark: Any = False
    """As the user asked for."""

    @property
    def line(self) -> dict[str, Any]:
        """How the user wanted it scaled, and how it was."""
        return {"scale_dark": self.scale_dark, "factor": np.unique(self.factor)}

    def factors(self, ds: xr.Dataset) -> xr.Variable:
        """Return the factor as a number, or (frame) where it differs; as lazy as the frames."""
        k = xr.Variable(("frame",), self.factor)
        return k[0] if np.unique(self.factor).size == 1 else in_chunks_of(ds, k)

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """Return the image of the dark, and its factor in each channel of each frame."""
        of_all = np.repeat(self.factor[:, None], ds.sizes["channel"], axis=1)
        factor = xr.Variable(("frame", "channel"), of_all)
        return {"image": blocks.plane(self.master, "image"), "factor": factor}

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """Return the variance of the scaled dark, and what cancels of the bias."""
        variance, k = blocks.plane(self.master, "variance"), self.factors(ds)
        if variance is None:
            return []
        return [Term(variance, k**2), *([] if self.bias is None else [Term(self.bias, -2 * k)])]

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name the dark; in frames of its exposure, the noise of its bias is gone."""
        super().name_noise_sources(subtracted, divided)
        if self.bias is None or "variance" not in self.master:
            return
        gone = provenance.identities(self.master)
        for noise_sources, factor in zip(subtracted, self.factor.tolist(), strict=True):
            if factor == 1.0:
                noise_sources -= gone

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return values that are less by the median of the dark."""
        return levels - float(np.median(self.factor)) * self.typical(0.5)
