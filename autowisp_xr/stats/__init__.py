"""Statistics of plain arrays that outliers do not spoil: averages and fits with rejection."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.stats.averages import iterative_rejection_average

__all__ = ["iterative_rejection_average"]

__getattr__, __dir__ = attach(__name__, {"iterative_rejection_average": f"{__name__}.averages"})
