"""A step of calibration, and what its arithmetic is given in the kernel.

A step is one module. It has the named tuple of its operands, its arithmetic on a row or a pixel
(compiled), and a :class:`Step` that gives the operands, what flags it sets, what it adds to the
variance that all frames share, and its line in the history. A list of steps is run by
:mod:`autowisp_xr.steps.fused_pass`.

Decision: the camera that travels with a Dataset gives its saturation on the scale of the image, as
:meth:`~autowisp_xr.Camera.at_level` has it for a constant level. A master takes its median off, and
a flat divides by the values of its brightest pixels, so that what is saturated is never below. Of
masters that are still to be computed, and of the overscan of lazy frames, nobody knows the level
yet, and then the saturation is not known either. Flags are set on raw pixels, and do not ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Cube, Floats, Mask, Numbers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.schema import DIMS, MONO, names
from autowisp_xr.steps.noise_sources import noise_source
from autowisp_xr.steps.pedestals import samples


class RowIndex(NamedTuple):
    """The row of the frames that the kernel is at."""

    frame: int
    channel: int
    y: int


class Along(NamedTuple):
    """Numbers that vary along a row, (x) float64 each; zero where nothing does."""

    offset: Floats
    """Level that is subtracted."""
    variance: Floats
    """Variance of the level, and of reading."""
    inverse_gain: Floats
    """ADU per electron."""
    shared: Floats
    """What of the variance all frames share, beside that of masters."""


class Term(NamedTuple):
    """A summand of the variance that all frames share."""

    plane: xr.Variable
    """([frame,] channel, y, x)."""
    factor: xr.Variable | None = None
    """A number, or one a frame, or for each of its channels; None for 1."""


def absent(axes: int, dtype: Any = np.float64) -> Any:
    """Return what stands for an operand that is not given, with its axes and type, of no size.

    A type of float32 stands for that of the planes of the pass, which may be float64, and one of
    object for any.
    """
    none = np.empty((0,) * axes, dtype)
    none.flags.writeable = False
    return none


@kernel
def plane_row(planes: Planes, at: RowIndex, neutral: Numbers) -> Any:
    """Return a row of planes (channel, y, x), or what is neutral where there are none."""
    return planes[at.channel, at.y] if planes.size else neutral


@kernel
def frame_row(cube: Cube, at: RowIndex, neutral: Numbers) -> Any:
    """Return a row of (frame, channel, y, x), or of one frame that stands for all."""
    return cube[at.frame % cube.shape[0], at.channel, at.y] if cube.size else neutral


def over_frames(factor: Floats) -> Floats:
    """Return a factor (frame[, channel]) as it goes with planes of frames; a number as it is."""
    return factor.reshape(*factor.shape, *[1] * (4 - factor.ndim)) if factor.ndim else factor


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of calibration; one that overrides nothing does nothing."""

    operand: ClassVar[str] = ""
    """Name of its operands among those of the pass; "" where it has none."""

    before_noise: ClassVar[bool] = False
    """Whether it goes before the noise; after it, nobody knows what is that of photons."""
    keeps_ceiling: ClassVar[bool] = True
    """Whether pixels have a largest value in common after it, as they had before."""

    def __bool__(self) -> bool:
        """Return whether the step does anything."""
        return True

    @property
    def line(self) -> Mapping[str, Any]:
        """The options of the step in its line of the history."""
        return {}

    @property
    def masters(self) -> dict[str, xr.Dataset]:
        """The masters in its line of the history."""
        return {}

    def by_frame(self, ds: xr.Dataset) -> Mapping[str, Any]:
        """Return what it does to each frame, by name, for its line of the history."""
        return {}

    def operands(self, ds: xr.Dataset) -> Mapping[str, xr.Variable | None]:
        """Return variables that become its operands in the kernel, by name, for frames before."""
        return {}

    def masks(self) -> list[xr.Variable]:
        """Return flags to add, over (channel, y, x) or (frame, channel, y, x)."""
        return []

    def shares(self, ds: xr.Dataset) -> list[Term]:
        """Return what it adds to the variance of all frames alike, before any flat."""
        return []

    def lends(self, ds: xr.Dataset) -> list[Term]:
        """Return what it adds to the variance of each frame, which no other shares."""
        return []

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Add the names of masters, whose noise frames share, to the sets of each frame."""

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return the values (channel) of saturated pixels after the step; NaN where not known."""
        return levels


@dataclass(frozen=True, kw_only=True)
class MasterStep(Step):
    """A step that corrects frames by a master."""

    keeps_ceiling = False
    master: xr.Dataset

    @property
    def masters(self) -> dict[str, xr.Dataset]:
        """The master, by its kind."""
        return {self.operand: self.master}

    def operands(self, ds: xr.Dataset) -> Mapping[str, xr.Variable | None]:
        """Return the image of the master."""
        return {"image": blocks.plane(self.master, "image")}

    def masks(self) -> list[xr.Variable]:
        """Return the flags of the master, as frames inherit them."""
        plane = blocks.plane(self.master, "mask")
        if plane is None:
            return []
        return list(blocks.apply(_inherited, [plane], DIMS[1:], ["u1"], free=DIMS[1:]))

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name the master, which is subtracted from all frames and lends them its noise."""
        own = noise_source(self.master)
        for noise_sources in subtracted:
            noise_sources |= own

    def typical(self, quantile: float) -> Floats:
        """Return a quantile of the good pixels of each channel; NaN where the master is lazy."""
        planes = [self.master[name].variable for name in ("image", "mask") if name in self.master]
        if any(plane.chunks is not None for plane in planes):
            return np.full(self.master.sizes["channel"], np.nan)
        pixels = samples(self.master)
        return np.array([np.quantile(some, quantile) if some.size else np.nan for some in pixels])


def _inherited(mask: Mask) -> tuple[Mask]:
    return (transferred(mask),)


def transferred(mask: Mask) -> Mask:
    """Return the mask that a frame inherits from a master, whose saturation is a fault there."""
    saturated = np.uint8(Flag.SATURATED)
    fault = np.where(mask & saturated, np.uint8(Flag.FAULT), np.uint8(0))
    return (mask & ~saturated) | fault


def per_channel(given: Any, channels: list[str], what: str) -> Floats:
    """Return one number a channel, (channel) float64, from a number or {channel: number}."""
    if isinstance(given, dict):
        missing = [channel for channel in channels if channel not in given]
        if missing:
            raise CalibrationError(f"the camera has no {what} for the channels {missing}")
        return np.array([given[channel] for channel in channels], dtype=np.float64)
    return np.full(len(channels), given, dtype=np.float64)


def on_scale(camera: Camera, ds: xr.Dataset, steps: Sequence[Step]) -> Camera:
    """Return the camera with its saturation on the scale of what some steps make of frames.

    Parameters
    ----------
    camera
        Its saturation holds for ``ds``, less its bias level.
    ds
        The frames, for the names of their channels.
    steps
        What is done to them beside.

    Returns
    -------
    The same camera where nothing is done to the scale. Its saturation is None where that is not
    known, or nothing would be left of it.
    """
    if camera.saturation is None:
        return camera
    channels = names(ds, "channel")
    found = before = per_channel(camera.saturation, channels, "saturation")
    for step in filter(None, steps):
        found = step.moved_saturation(found)
    if found is before:
        return camera
    if not ((found > 0) & np.isfinite(found)).all():
        return replace(camera, saturation=None)
    levels = dict(zip(channels, found.tolist(), strict=True))
    if len(set(levels.values())) == 1:
        return replace(camera, saturation=found[0].item())
    # by channel, where the camera knows all of them by these names
    known = set(levels) == set(camera.channels or (MONO,))
    return replace(camera, saturation=levels if known else None)
