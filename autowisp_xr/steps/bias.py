"""The steps that subtract what pixels have without light: a constant, or a master bias."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.steps.base import MasterStep, Step, Term, absent


class BiasLevelOperands(NamedTuple):
    """The constant that is subtracted."""

    level: Floats = absent(1)
    """(1), in ADU."""


@dataclass(frozen=True, kw_only=True)
class SubtractBiasLevel(Step):
    """I = raw - level."""

    operand = "bias_level"
    before_noise = True
    level: float

    def __bool__(self) -> bool:
        """Return whether the level is not 0."""
        return self.level != 0

    @property
    def line(self) -> dict[str, Any]:
        """The level."""
        return {"level": self.level}

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable]:
        """Return the level."""
        return {"level": xr.Variable(("number",), np.array([self.level], np.float64))}


class BiasOperands(NamedTuple):
    """The planes that are subtracted as bias."""

    image: Planes = absent(3, "f4")
    """(channel, y, x)."""


@dataclass(frozen=True, kw_only=True)
class SubtractBias(MasterStep):
    """I -= B; V += var(B), which all frames share."""

    operand = "bias"
    before_noise = True

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """Return the variance of the bias."""
        variance = blocks.plane(self.master, "variance")
        return [] if variance is None else [Term(variance)]

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return values that are less by the median of the bias."""
        return levels - self.typical(0.5)
