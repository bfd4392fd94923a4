"""A whole night: which frames belong together, and from them masters and calibrated frames."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.night.group import Setup, sort_frames
    from autowisp_xr.night.reduction import reduce
    from autowisp_xr.night.summary import Summary

__all__ = ["Setup", "Summary", "reduce", "sort_frames"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Setup": f"{__name__}.group",
        "Summary": f"{__name__}.summary",
        "reduce": f"{__name__}.reduction",
        "sort_frames": f"{__name__}.group",
    },
)
