"""The step that subtracts a constant level from all pixels."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Floats
from autowisp_xr.steps.base import Step, absent


class BiasLevelOperands(NamedTuple):
    """The constant."""

    level: Floats = absent(1)
    """(1), in ADU."""


@dataclass(frozen=True, kw_only=True)
class SubtractBiasLevel(Step):
    """I = raw - level."""

    place = "bias_level"
    before_noise = True
    level: float

    def __bool__(self) -> bool:
        """A level of 0 does nothing."""
        return self.level != 0

    @property
    def line(self) -> dict[str, Any]:
        """The level."""
        return {"level": self.level}

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable]:
        """The level."""
        return {"level": xr.Variable(("number",), np.array([self.level], np.float64))}
