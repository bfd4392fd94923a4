"""The frames that a running stack has taken in: all but their pixels.

Sets that went through the same steps are kept as one; others side by side, until their stack is
asked for. An outline has one pixel of each channel, which holds nothing, so that it is a frame set
like any other.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.errors import ImageMismatchError
from autowisp_xr.provenance.frame_records import united
from autowisp_xr.schema import SHARED
from autowisp_xr.stack.concatenation import check_pixels, check_steps, concat
from autowisp_xr.stack.parts import Part, joined_coordinates

_PRESENT = ("image", "variance", *SHARED, *schema.PHOTON_PLANES)
_MUST_AGREE = ("variance", "photon_slope", "photon_variance")

Outline = xr.Dataset


def outline_of(ds: xr.Dataset, height: int = 1, width: int = 1) -> Outline:
    """Return frames whose planes have so many pixels at their corner, and no memory."""
    cut = ds.isel(y=slice(height), x=slice(width))
    present = cut[[name for name in cut.data_vars if name in _PRESENT]]
    return cut.drop_vars(list(cut.data_vars)).assign(empty_planes(present, cut.sizes))


def empty_planes(ds: Outline, sizes: Mapping[Hashable, int]) -> dict[Hashable, Any]:
    """Return planes like those of an outline, of these sizes, as what to assign; of no memory."""
    return {
        name: (
            plane.dims,
            np.broadcast_to(plane.dtype.type(0), [sizes[dim] for dim in plane.dims]),
            plane.attrs,
        )
        for name, plane in ds.data_vars.items()
    }


def own_frames(ds: xr.Dataset) -> xr.Dataset:
    """Return frames with a history of their own, without others that were opened with them."""
    if provenance.has_history(ds):
        return provenance.with_history(ds, provenance.own_history(ds))
    return provenance.record(ds, "given")


class FramesSoFar:
    """Outlines of the frames that were taken in, in their order.

    Parameters
    ----------
    first
        Frames that show what all have to be like.
    """

    def __init__(self, first: xr.Dataset) -> None:
        self.pattern = outline_of(first.isel(frame=[0]), first.sizes["y"], first.sizes["x"])
        self.sets: list[Outline] = []

    def __len__(self) -> int:
        return sum(each.sizes["frame"] for each in self.sets)

    @property
    def place(self) -> dict[str, xr.DataArray]:
        """The coordinates of their pixels."""
        return {name: self.pattern[name] for name in ("y", "x") if name in self.pattern.coords}

    def check(self, ds: xr.Dataset) -> Outline:
        """Return the outline of all and of more frames, which have to go together.

        Raises
        ------
        ImageMismatchError
            For frames of other pixels, units or planes, of another state, or taken in before.
        """
        if self.sets:
            whole = outline_of(ds, ds.sizes["y"], ds.sizes["x"])
            parts = [Part(self.pattern), Part(whole)]
            check_pixels(parts)
            check_steps(parts)
            self._check_planes(ds)
            self._check_new(ds)
        return concat_outlines([*self.sets, outline_of(ds)])

    def add(self, ds: xr.Dataset) -> None:
        """Add frames that were checked."""
        more = outline_of(ds)
        joined = _joined(self.sets[-1], more) if self.sets else None
        self.sets[-1:] = [joined] if joined is not None else [*self.sets[-1:], more]

    def _check_planes(self, ds: xr.Dataset) -> None:
        for name in _MUST_AGREE:
            if (name in ds) != (name in self.pattern):
                has, has_not = ("they have", "has none") if name in self.pattern else ("no", "has")
                raise ImageMismatchError(
                    f"the frames so far {has} {name!r}, {schema.names(ds, 'frame')[0]} {has_not}; "
                    "calibrate all alike"
                )

    def _check_new(self, ds: xr.Dataset) -> None:
        """Raise ImageMismatchError for a frame that was taken in."""
        known = {key for each in self.sets for key in _keys(each)}
        again = known & set(_keys(ds))
        if again:
            raise ImageMismatchError(
                f"{' '.join(min(again)).strip()} is in the running stack already; give each frame "
                "once, as its noise is one"
            )


def concat_outlines(sets: Sequence[Outline]) -> Outline:
    """Return all frames as one set; in their order where they went through the same steps."""
    first, *others = sets
    for number, more in enumerate(others, 1):
        joined = _joined(first, more)
        if joined is None:
            return concat([first, *others[number - 1 :]])
        first = joined
    return first


def new_among(ds: xr.Dataset, sets: Sequence[Outline]) -> xr.Dataset | None:
    """Return those of some frames that are not in sets; None if these have others, or otherwise."""
    known = {one for each in sets for one in provenance.frame_identities(each)}
    given = provenance.frame_identities(ds)
    if not known <= set(given):
        return None
    return ds.isel(frame=[i for i, one in enumerate(given) if one not in known])


def _keys(ds: xr.Dataset) -> list[tuple[str, str]]:
    part = Part(ds)
    return list(zip(part.paths, part.names, strict=True))


def _joined(one: Outline, other: Outline) -> Outline | None:
    """Return two sets as one; None where they went through different steps."""
    parts = [Part(one), Part(other)]
    steps = united((part.names[0], provenance.history(part.ds)) for part in parts)
    if steps is None or one.attrs.get("camera") != other.attrs.get("camera"):
        return None
    runs = [(number, slice(0, part.number)) for number, part in enumerate(parts)]
    coords = joined_coordinates(parts, runs)
    planes = empty_planes(one, {**one.sizes, "frame": sum(part.number for part in parts)})
    return provenance.with_history(xr.Dataset(planes, coords, one.attrs), steps)
