"""The step that makes the response of the pixels linear, by a polynomial of the signal.

Of a signal I above the level without light, in ADU, I' = I + c2 I^2 + c3 I^3 + ... is proportional
to the light. What variance there is before the noise of photons and of reading is added goes with
the square of the slope, dI'/dI. Of what frames share (``shared_variance``), the slope is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Floats, Numbers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.steps.base import Along, RowIndex, Step, absent, plane_row


class LinearityOperands(NamedTuple):
    """The polynomial, and the variance that its slope multiplies."""

    coefficients: Floats = absent(2)
    """(channel, term): of I^2, I^3, ..."""
    variance: Planes = absent(3, "f4")
    """(channel, y, x): what a bias of the same pass adds to the variance."""


@kernel
def linear(signal: float, coefficients: Floats) -> tuple[float, float]:
    """Return the linear signal of a pixel, and the slope there."""
    value, slope = 0.0, 0.0
    for term in range(coefficients.size - 1, -1, -1):
        slope = slope * signal + (term + 2) * coefficients[term]
        value = value * signal + coefficients[term]
    return signal + value * signal * signal, 1.0 + slope * signal


@kernel
def linearise_row(
    linearity: LinearityOperands,
    at: RowIndex,
    signal: Floats,
    before: Numbers,
    constant: float,
    along: Along,
) -> None:
    """Make a row linear by what is subtracted from it, and add what the slope does to its variance.

    Parameters
    ----------
    linearity, at
        The polynomial, and where the row is.
    signal
        (x): what level and bias have left of the row.
    before, constant
        (x) and a number: variance that it has, beside that in ``along`` and of the bias.
    along
        Where both go.
    """
    coefficients = linearity.coefficients[at.channel]
    none = np.zeros(signal.size, linearity.variance.dtype)
    of_bias = plane_row(linearity.variance, at, none)
    for x in range(signal.size):
        value, slope = linear(signal[x], coefficients)
        along.offset[x] += signal[x] - value
        variance = before[x] + (constant + along.variance[x]) + of_bias[x]
        along.variance[x] += (slope * slope - 1.0) * variance


@dataclass(frozen=True, kw_only=True)
class Linearise(Step):
    """I = I + c2 I^2 + c3 I^3 + ...; V *= (dI'/dI)^2."""

    operand = "linearity"
    before_noise = True
    keeps_ceiling = False
    camera: Camera
    channels: Sequence[str]
    """Of the frames."""
    bias: xr.Dataset | None = None
    """What is subtracted before in the same pass."""

    @property
    def line(self) -> dict[str, Any]:
        """The coefficients, as the camera has them."""
        return {"linearity": self.camera.linearity}

    @property
    def coefficients(self) -> Floats:
        """The coefficients (channel, term), filled up with zeros."""
        given = self.camera.linearity
        rows = [given[one] if isinstance(given, Mapping) else given for one in self.channels]
        return np.array(list(zip_longest(*rows, fillvalue=0.0)), np.float64).T

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """Return the coefficients, and the variance of the bias."""
        coefficients = xr.Variable(("channel", "power"), self.coefficients)
        return {"coefficients": coefficients, "variance": blocks.plane(self.bias, "variance")}

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return values that follow the polynomial."""
        moved = map(linear, levels, self.coefficients)
        return np.array([value for value, _ in moved])
