"""Statistics of plain arrays that outliers do not spoil: averages and fits with rejection."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.stats.averages import iterative_rejection_average
    from autowisp_xr.stats.least_squares import (
        iterative_rejection_least_squares,
        iterative_rejection_polynomial_fit,
    )

__all__ = [
    "iterative_rejection_average",
    "iterative_rejection_least_squares",
    "iterative_rejection_polynomial_fit",
]

__getattr__, __dir__ = attach(
    __name__,
    {"iterative_rejection_average": f"{__name__}.averages"}
    | dict.fromkeys(
        ("iterative_rejection_least_squares", "iterative_rejection_polynomial_fit"),
        f"{__name__}.least_squares",
    ),
)
