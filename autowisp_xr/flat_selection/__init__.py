"""Which flats are good, from plain arrays: pointings, stamps, levels, large-scale shape, clouds."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.flat_selection.options import FlatSelection

__all__ = ["FlatSelection"]

__getattr__, __dir__ = attach(__name__, {"FlatSelection": f"{__name__}.options"})
