"""The step that subtracts a master bias."""

from dataclasses import dataclass
from typing import NamedTuple

import xarray as xr

from autowisp_xr.arrays import Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.steps.base import MasterStep, Term, absent
from autowisp_xr.steps.saturation_level import typical
from autowisp_xr.steps.shared_noise_names import lender


class BiasOperands(NamedTuple):
    """What is subtracted as bias."""

    image: Planes = absent(3, "f4")
    """(channel, y, x)."""


@dataclass(frozen=True, kw_only=True)
class SubtractBias(MasterStep):
    """I -= B; V += var(B), which all frames share."""

    place = "bias"
    before_noise = True

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """The variance of the bias."""
        variance = blocks.plane(self.master, "variance")
        return [] if variance is None else [Term(variance)]

    def name_lenders(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """The bias lends its noise to all."""
        for names in subtracted:
            names |= lender(self.master)

    def moved_saturation(self, levels: Floats) -> Floats:
        """They are less by the median of the bias."""
        return levels - typical(self.master, 0.5)
