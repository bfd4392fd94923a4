"""Planes and rules of a stack in one call, as most tests of its kernels want them."""

from autowisp_xr.stats.through_frames import Frames, average_through_frames

__all__ = ["averaged_columns"]


def averaged_columns(values, mask=None, **given):
    """What comes of frames; planes of them go by their names, all other options are rules."""
    planes = {name: given.pop(name) for name in Frames._fields if name in given}
    return average_through_frames(Frames(values, mask, **planes), **given)
