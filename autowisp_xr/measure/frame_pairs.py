"""Raw frames as they come, checked; pairs of them, cut in tiles and read one at a time."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bools, Floats, Integers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.flags import Flag
from autowisp_xr.measure.tile_scatter import Tiles
from autowisp_xr.options import OverscanChoice
from autowisp_xr.stats.digits import counted, floor_of, plateau_of
from autowisp_xr.steps.calibration import calibrated
from autowisp_xr.steps.overscan_choice import overscan_options
from autowisp_xr.steps.saturation import saturation_threshold

LEVELS = (0.5, 2.0)
"""Ratios of the levels of a pair, between which it is one."""

_SATURATED = 0.002
"""The share of the pixels of a tile; more are no hot pixels, but the end of its distribution."""

_GOOD = 0.5
"""The share of the pixels of a tile, and of the tiles of a channel, that stand for it."""


class Frame(NamedTuple):
    """A frame cut in tiles."""

    name: str
    group: str
    pixels: Floats
    """(channel, tile, pixel) float32, ADU."""
    good: Bools
    """(channel, tile, pixel): which are neither flagged nor lost."""
    usable: Bools
    """(channel, tile): which tiles stand for what is there."""
    level: Floats
    """(channel): median of the means of the tiles that are usable; NaN without any."""
    reason: str
    """Why no channel is of use; "" where one is."""


@dataclass(frozen=True)
class Frames:
    """A set of raw frames, trimmed and less their overscan, one at a time."""

    ds: xr.Dataset
    camera: Camera
    overscan: OverscanChoice
    tiles: Tiles
    channels: list[str]
    group: str = ""
    """Coordinate whose values part the frames in groups."""
    bias: Floats | None = None
    """(channel, tile, pixel): what is subtracted; pixels where it is NaN are lost."""
    lit: bool = True
    """Whether values may stop at the top; else they may at the bottom."""
    master: xr.Dataset | None = None
    """A master bias that is subtracted, too."""
    linear: bool = True
    """Whether frames are made linear, where the camera states how."""
    ends: list[tuple[int, float]] = field(default_factory=list)
    """Values at which frames that were read stop, where no camera states it, and which share of
    their pixels is there."""

    def order(self) -> Integers:
        """Return the numbers of the frames, by group, then by time, as far as they are known."""
        groups = self._along(self.group)
        times = np.zeros(len(groups))
        if "time" in self.ds.coords and self.ds["time"].dims == ("frame",):
            times = self.ds["time"].values
        return np.lexsort((times, np.array(groups)))

    def read(self, number: int) -> Frame:
        """Read one frame, computing what is lazy of it."""
        raw = self.ds.isel(frame=[number])
        # read at once: the ends of its values are looked at, too
        raw = raw.assign(image=raw["image"].compute())
        one = calibrated(
            raw,
            noise=None,
            camera=self._camera_of(raw),
            overscan=self.overscan,
            masters={"bias": self.master},
            linear=self.linear,
        )
        own = schema.names(one, "channel")
        channels = [own.index(name) for name in self.channels]
        place = {"frame": 0, "y": self.tiles.rows, "x": self.tiles.columns}
        # a list makes a copy
        place |= {} if channels == list(range(len(own))) else {"channel": channels}
        planes = one[["image", "mask"]].isel(place).compute()
        pixels, mask = (self.tiles.cut(planes[name].values) for name in ("image", "mask"))
        # a response that is not known (NONLINEAR) would bend the curve
        good = (mask == 0) & np.isfinite(pixels)
        if self.bias is not None:
            pixels = (pixels - self.bias).astype(np.float32)
            good &= np.isfinite(pixels)
        saturated = (mask & np.uint8(Flag.OVERSATURATED) != 0).mean(axis=-1) > _SATURATED
        whole = good.mean(axis=-1) >= _GOOD
        usable = whole & ~saturated
        usable[saturated.mean(axis=-1) > 1 - _GOOD] = False
        reason = ""
        if not usable.any():
            hidden = saturated.mean() < (~whole).mean()
            reason = "without good pixels" if hidden else "saturated"
        names, groups = schema.names(self.ds, "frame"), self._along(self.group)
        level = _level(pixels, good, usable)
        return Frame(names[number], groups[number], pixels, good, usable, level, reason)

    def _camera_of(self, raw: xr.Dataset) -> Camera:
        """Return the camera, with the saturation that a frame shows where that is lower."""
        planes = unflagged(raw.isel(frame=0))
        if not self.lit:
            floors = [floor_of(counts) for counts in map(counted, planes) if counts is not None]
            self.ends.extend(floor for floor in floors if floor is not None)
            return self.camera
        level = self.camera.bias_level
        limits = saturation_threshold(raw, self.camera, level)[0] + level
        lower = [
            (channel, value)
            for channel, value in enumerate(map(plateau_of, planes))
            if value is not None and not value >= limits[channel]
        ]
        if not lower:
            return self.camera
        for channel, value in lower:
            self.ends.append((value, float((planes[channel] >= value).mean())))
            limits[channel] = value
        limits = np.where(np.isfinite(limits), limits, np.nanmax(limits)) - level
        names = schema.names(raw, "channel")
        return replace(self.camera, saturation=by_channel(names, limits))

    def _along(self, name: str) -> list[str]:
        if name not in self.ds.coords or self.ds[name].dims != ("frame",):
            return [""] * self.ds.sizes["frame"]
        return [str(value) for value in self.ds[name].values.tolist()]


def _copy(first: Frame, second: Frame) -> str:
    """Return that two frames are copies of one exposure, in words; "" where they are not."""
    equal = np.array_equal(first.pixels, second.pixels, equal_nan=True)
    if equal and (first.pixels != first.pixels.flat[0]).any():
        return f"a copy of {second.name}: all pixels are equal, so it is one exposure"
    return ""


def _level(pixels: Floats, good: Bools, usable: Bools) -> Floats:
    total = np.where(good, pixels, 0.0).sum(axis=-1, dtype=np.float64)
    means = total / np.maximum(np.count_nonzero(good, axis=-1), 1)
    known = [mean[which] for mean, which in zip(means, usable, strict=True)]
    return np.array([np.median(of) if of.size else np.nan for of in known])


@dataclass
class Pairs:
    """Pairs of neighbours in time, each frame in one pair at most.

    Frames are read one after the other, in as many runs as there may be pairs: what is left of a
    run once it has given a pair is not read, so that pairs are spread over all frames, and no
    more than two frames are in memory.
    """

    frames: Frames
    most: int
    apart: Callable[[Frame, Frame], str] = lambda first, second: ""
    """Returns why two frames make no pair; "" where they do."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Frames that were read and not used, and why."""

    def __iter__(self) -> Iterator[tuple[Frame, Frame]]:
        order = self.frames.order()
        waiting: Frame | None = None
        for run in np.array_split(order, max(1, min(self.most, len(order) // 2))):
            for number in run:
                frame = self.frames.read(int(number))
                if frame.reason:
                    self.left_out[frame.name] = frame.reason
                    continue
                if waiting is not None:
                    why = _copy(waiting, frame) or self.apart(waiting, frame)
                    if not why:
                        yield waiting, frame
                        waiting = None
                        break
                    self.left_out[waiting.name] = why
                waiting = frame
        if waiting is not None:
            self.left_out[waiting.name] = "without a partner"


def check_raw(ds: xr.Dataset, what: str) -> None:
    """Raise CalibrationError for frames that have been calibrated."""
    if not schema.is_raw(ds):
        raise CalibrationError(
            f"the {what} have a variance, so they have been calibrated; give raw frames, as "
            "open_fits reads them"
        )


def ready(ds: xr.Dataset, what: str, measured: str) -> xr.Dataset:
    """Return raw frames in ADU with their coordinates in memory, or raise where they are none.

    Parameters
    ----------
    ds
        The frames.
    what
        What messages call them: "flats".
    measured
        What is measured of them, there: "a gain".
    """
    schema.check(ds, name=f"the set of {what}")
    check_raw(ds, what)
    units = schema.units_of(ds)
    if units != "adu":
        raise CalibrationError(
            f"the {what} are in units of {units!r}; {measured} is measured from raw frames in 'adu'"
        )
    return blocks.load_coordinates(ds)


def check_types(
    ds: xr.Dataset, what: str, kind: str, strange: AbstractSet[str], more: str = ""
) -> None:
    """Raise ImageMismatchError for frames of types that cannot be meant; ``more`` ends it."""
    if "image_type" in ds.coords:
        kinds = {str(one) for one in np.atleast_1d(ds["image_type"].values).tolist()}
        if found := sorted(kinds & strange):
            raise ImageMismatchError(
                f"among the {what} are frames of the type {' and '.join(found)}; select them by "
                f"where_type({kind!r}){more}"
            )


def preparation(camera: Camera, overscan: OverscanChoice) -> dict[str, Any]:
    """Return what the history records of how frames were prepared: area, level and overscan."""
    method, areas = overscan_options(overscan, camera)
    return {
        "image_area": str(camera.image_area) if camera.image_area else None,
        "bias_level": camera.bias_level,
        "overscan": method,
        "overscan_areas": areas,
    }


def unflagged(frame: xr.Dataset) -> Planes:
    """Return raw pixels (channel, y, x) of one frame, flagged ones as dark as the darkest."""
    planes = frame["image"].values
    if "mask" in frame:
        good = frame["mask"].values & np.uint8(Flag.BAD) == 0
        planes = np.where(good, planes, planes.min())
    return planes


def by_channel(channels: Sequence[str], values: Floats) -> float | dict[str, float]:
    """Return values as :class:`~autowisp_xr.Camera` takes them: of one channel, a number."""
    given = dict(zip(channels, values.tolist(), strict=True))
    return given if len(channels) > 1 else given[channels[0]]
