"""What frames from files share of their variance by a curve of linearity, found by their values.

The signal before the flat and the dark shows where on the curve a pixel was; its slope and its
uncertainty there are those that the step of :mod:`autowisp_xr.steps.linearity` had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Cube, Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.response import Linearity
from autowisp_xr.steps.base import Step, Term, over_frames
from autowisp_xr.steps.dark import SubtractDark
from autowisp_xr.steps.flat import DivideFlat


@dataclass(frozen=True, kw_only=True)
class RestoredCurve(Step):
    """Adds nothing to the pixels; shares what a curve had added to the variance of all frames."""

    curves: Sequence[Linearity]
    """Of each channel."""
    bias: xr.Dataset | None = None
    """What was subtracted before the frames were made linear."""
    dark: SubtractDark | None = None
    flat: DivideFlat | None = None
    """What was done after."""

    @classmethod
    def of(
        cls, ds: xr.Dataset, recorded: Any, bias: xr.Dataset | None, steps: Sequence[Step]
    ) -> Self:
        """Return the step of what the history records of a linearity.

        Parameters
        ----------
        ds
            The frames.
        recorded
            What :meth:`~autowisp_xr.Linearity.record` gave, perhaps by channel.
        bias
            Master that was subtracted, if any.
        steps
            The steps of the same verb.
        """
        channels = schema.names(ds, "channel")
        own = isinstance(recorded, Mapping) and set(channels) <= set(recorded)
        given = [recorded[channel] if own else recorded for channel in channels]
        return cls(
            curves=[Linearity.parse(one) for one in given],
            bias=bias,
            dark=next((step for step in steps if isinstance(step, SubtractDark)), None),
            flat=next((step for step in steps if isinstance(step, DivideFlat)), None),
        )

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """Return a plane a frame."""
        dark = flat = factor = None
        if self.dark is not None:
            dark, factor = blocks.plane(self.dark.master, "image"), self.dark.factors(ds)
        if self.flat is not None:
            flat = blocks.plane(self.flat.lit, "image")
        operands = [ds["image"].variable, flat, dark, factor, blocks.plane(self.bias, "variance")]
        kernel = partial(_shared, curves=self.curves)
        free = ("frame", "y", "x")
        (plane,) = blocks.apply(kernel, operands, schema.DIMS, [ds["variance"].dtype], free=free)
        return [Term(plane)]

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name the curves."""
        named = {one.identity for one in self.curves if one.covariance}
        for names in subtracted:
            names |= named


def _shared(
    image: Cube,
    flat: Planes | None,
    dark: Planes | None,
    factor: Floats | None,
    of_bias: Planes | None,
    *,
    curves: Sequence[Linearity],
) -> tuple[Floats]:
    light: Any = image.astype(np.float64)
    if flat is not None:
        light = light * flat
    if dark is not None and factor is not None:
        light = light + over_frames(factor) * dark
    shared = np.empty_like(light)
    for channel, curve in enumerate(curves):
        signal = curve.signal(light[:, channel])
        shared[:, channel] = curve.error(signal) ** 2
        if of_bias is not None:
            shared[:, channel] += (curve.slope(signal) ** 2 - 1) * of_bias[channel]
    return (shared,)
