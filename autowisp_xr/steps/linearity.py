r"""The step that makes the response of the pixels linear, by a polynomial of the signal.

Of a signal I above the level without light, in ADU, I' = I + c2 I^2 + c3 I^3 + ... is proportional
to the light; above the range where that holds it goes on as a straight line, and pixels are flagged
NONLINEAR. What variance there is before the noise of photons and of reading is added goes with
the square of the slope s = dI'/dI. The uncertainty of the coefficients is one for all frames:

.. math:: V \leftarrow s^2 V + \sum_{pq} C_{pq} I^p I^q

The sum, and s^2 - 1 times what frames share of their variance already, go into ``shared_variance``,
which has a plane a frame then.

Decision: the gain of a camera is that of the linear signal, electrons per ADU of I', since light is
what photons make noise of: in raw ADU their variance is I'/g / s^2, which s^2 brings back to I'/g.
The read noise is that of faint signals, where s = 1; where the response bends by a tenth, the
slope would add a few ADU^2 to thousands.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats, Numbers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.camera.response import Linearity
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.steps.base import Along, RowIndex, Step, absent, frame_row, plane_row
from autowisp_xr.steps.geometry import amplifier_map

_NONLINEAR = np.uint8(Flag.NONLINEAR)


class LinearityOperands(NamedTuple):
    """The polynomials, of one or each amplifier, and the variances that their slopes multiply."""

    coefficients: Floats = absent(3)
    """(channel, amplifier, term): of I^2, I^3, ..."""
    covariance: Floats = absent(4)
    """(channel, amplifier, term, term); of no size where none is known."""
    limit: Floats = absent(2)
    """(channel, amplifier): the largest signal where it holds; infinite where not known."""
    reader: Bits = absent(3, np.uint8)
    """(channel, y, x): number of the amplifier that reads each pixel."""
    variance: Planes = absent(3, "f4")
    """(channel, y, x): what a bias of the same pass adds to the variance, for all frames alike."""
    shared: Cube = absent(4, "f4")
    """(frame, channel, y, x), or of one frame: what frames share of the variance they have."""


@kernel
def linear(signal: float, coefficients: Floats, limit: float) -> tuple[float, float]:
    """Return the linear signal of a pixel, and the slope there."""
    inside = min(signal, limit)
    value, slope = 0.0, 0.0
    for term in range(coefficients.size - 1, -1, -1):
        slope = slope * inside + (term + 2) * coefficients[term]
        value = value * inside + coefficients[term]
    slope = 1.0 + slope * inside
    return inside + value * inside * inside + slope * (signal - inside), slope


@kernel
def variance_of_curve(signal: float, covariance: Floats) -> float:
    """Return what the uncertainty of the coefficients adds to the variance of a linear signal."""
    total, outer = 0.0, signal * signal
    for row in range(covariance.shape[0]):
        inner = 0.0
        for column in range(covariance.shape[0] - 1, -1, -1):
            inner = inner * signal + covariance[row, column]
        total += outer * inner
        outer *= signal
    return max(total * signal * signal, 0.0)


@kernel
def linearise_row(
    linearity: LinearityOperands,
    at: RowIndex,
    signal: Floats,
    before: Numbers,
    constant: float,
    along: Along,
    flags: Bits,
) -> None:
    """Make a row linear by what is subtracted from it, and add what that does to its variance.

    Parameters
    ----------
    linearity, at
        The polynomials, and where the row is.
    signal
        (x): what level and bias have left of the row.
    before, constant
        (x) and a number: variance that it has, beside that in ``along`` and of the bias.
    along
        Where level, variance, and what of this all frames share go.
    flags
        (x): where pixels above the range are flagged.
    """
    amplifiers = linearity.coefficients.shape[1]
    none = np.zeros(signal.size, linearity.variance.dtype)
    of_bias = plane_row(linearity.variance, at, none)
    known = frame_row(linearity.shared, at, none)
    for x in range(signal.size):
        one = min(linearity.reader[at.channel, at.y, x], amplifiers - 1) if amplifiers > 1 else 0
        limit = linearity.limit[at.channel, one]
        value, slope = linear(signal[x], linearity.coefficients[at.channel, one], limit)
        along.offset[x] += signal[x] - value
        variance = before[x] + (constant + along.variance[x]) + of_bias[x]
        common = (slope * slope - 1.0) * (np.float64(of_bias[x]) + known[x])
        more = 0.0
        if linearity.covariance.size:
            more = variance_of_curve(signal[x], linearity.covariance[at.channel, one])
        along.variance[x] += (slope * slope - 1.0) * variance + more
        along.shared[x] = common + more
        flags[x] = _NONLINEAR if signal[x] > limit else 0


@dataclass(frozen=True, kw_only=True)
class Linearise(Step):
    """I = I + c2 I^2 + c3 I^3 + ...; V = (dI'/dI)^2 V + var(I'); M |= NONLINEAR above the range."""

    operand = "linearity"
    before_noise = True
    keeps_ceiling = False
    camera: Camera
    channels: Sequence[str]
    """Of the frames."""
    bias: xr.Dataset | None = None
    """What is subtracted before in the same pass."""
    reader: xr.Variable | None = None
    """(channel, y, x): amplifier of each pixel; None where there is one only."""

    @property
    def line(self) -> dict[str, Any]:
        """The linearity, as the camera has it."""
        given = self.camera.linearity
        if isinstance(given, Mapping):
            return {"linearity": {channel: one.record() for channel, one in given.items()}}
        return {"linearity": given.record() if given else []}

    @cached_property
    def curves(self) -> list[list[Linearity]]:
        """The linearity of each amplifier in each channel, all with as many coefficients."""
        found = [self.camera.linearities_of(channel) for channel in self.channels]
        most = max(map(len, found))
        return [own * most if len(own) == 1 else own for own in found]

    @property
    def uncertain(self) -> bool:
        """Whether the uncertainty of a coefficient is known."""
        return any(one.covariance for own in self.curves for one in own)

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """Return the polynomials, filled up with zeros, and the variances of bias and frames."""
        terms = max(len(one.coefficients) for own in self.curves for one in own)
        shape = (len(self.channels), len(self.curves[0]))
        coefficients, limit = np.zeros((*shape, terms)), np.full(shape, np.inf)
        covariance = np.zeros((*shape, terms, terms))
        for channel, own in enumerate(self.curves):
            for number, one in enumerate(own):
                size = len(one.coefficients)
                coefficients[channel, number, :size] = one.coefficients
                if one.covariance:
                    covariance[channel, number, :size, :size] = one.covariance
                if one.limit is not None:
                    limit[channel, number] = one.limit
        dims = ("channel", "linearity_amplifier", "term", "other_term")
        return {
            "coefficients": xr.Variable(dims[:3], coefficients),
            "covariance": xr.Variable(dims, covariance) if self.uncertain else None,
            "limit": xr.Variable(dims[:2], limit),
            "reader": self.reader,
            "variance": blocks.plane(self.bias, "variance"),
            "shared": blocks.plane(ds, "shared_variance"),
        }

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name the curves, whose uncertainty all frames share."""
        named = {one.identity for own in self.curves for one in own if one.covariance}
        for names in subtracted:
            names |= named

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return values that follow the polynomial, of the amplifier where that gives least."""
        moved = zip(levels, self.curves, strict=True)
        return np.array([min(float(one.linear(level)) for one in own) for level, own in moved])


def linearity_step(ds: xr.Dataset, camera: Camera, bias: xr.Dataset | None = None) -> Linearise:
    """Return the step for frames from which this bias, if any, is subtracted in the same pass."""
    channels = schema.names(ds, "channel")
    step = Linearise(camera=camera, channels=channels, bias=bias)
    if len(step.curves[0]) == 1:
        return step
    return replace(step, reader=amplifier_map(ds, camera))


def warn_of_response(flat: xr.Dataset, ds: xr.Dataset, *, linear: bool | None = None) -> None:
    """Warn of a flat whose frames were made linear where those that it divides are not, or reverse.

    Parameters
    ----------
    flat
        A master whose history may state it; of others nothing is known.
    ds
        The frames.
    linear
        Whether they are made linear; None where their history states it.
    """
    own, made = (_made_linear(one) for one in (ds, flat))
    own = own if linear is None else linear
    if None in (own, made) or own == made:
        return
    states = {True: "made linear", False: "not made linear"}
    warnings.warn(
        f"the frames are {states[bool(own)]}, those of the master flat were "
        f"{states[bool(made)]}: bright and dim parts are off by what the response bends from one "
        "to the other; make the flat with the same Camera",
        AutowispWarning,
        stacklevel=4,
    )


def _made_linear(ds: xr.Dataset) -> bool | None:
    """Return whether frames were made linear; None where their history does not state it."""
    steps = [step for step in provenance.history(ds) if step["verb"] in ("calibrate", "linearise")]
    linear = [
        step["verb"] == "linearise" or bool(step["options"].get("linearity")) for step in steps
    ]
    return any(linear) if steps else None
