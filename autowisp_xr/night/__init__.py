"""A whole night: which frames belong together, and from them masters and calibrated frames."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.night.choosing import Candidate, Choice, choose, match
    from autowisp_xr.night.library import masters_in
    from autowisp_xr.night.listing import info
    from autowisp_xr.night.opening import open_night
    from autowisp_xr.night.reduction import reduce
    from autowisp_xr.night.sets import FrameSet, sort_frames
    from autowisp_xr.night.summary import Made, Summary

_MODULES = {
    "library": ("masters_in",),
    "listing": ("info",),
    "choosing": ("Candidate", "Choice", "choose", "match"),
    "opening": ("open_night",),
    "reduction": ("reduce",),
    "sets": ("FrameSet", "sort_frames"),
    "summary": ("Made", "Summary"),
}

__all__ = [
    "Candidate",
    "Choice",
    "FrameSet",
    "Made",
    "Summary",
    "choose",
    "info",
    "masters_in",
    "match",
    "open_night",
    "reduce",
    "sort_frames",
]

__getattr__, __dir__ = attach(
    __name__,
    {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names},
)
