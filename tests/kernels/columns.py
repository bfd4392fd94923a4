"""Planes and rules of a stack in one call, as most tests of its kernels want them."""

from autowisp_xr.stack.engine import FramePlanes, Rules, average_through_frames

__all__ = ["averaged_columns"]


def averaged_columns(values, mask=None, **given):
    """What comes of frames; planes of them go by their names, all other options are rules."""
    planes = {name: given.pop(name) for name in FramePlanes._fields if name in given}
    digits = [given.pop(name) for name in ("digits",) if name in given]
    return average_through_frames(FramePlanes(values, mask, **planes), Rules(**given), *digits)
