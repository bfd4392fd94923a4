"""Options of verbs, as frozen values that check themselves and enter the history."""

import inspect
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, SupportsIndex, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr.checked_numbers import is_positive, is_whole_number
from autowisp_xr.regions import parse_areas

Average = Literal["median", "mean"] | float
ErrorSource = Literal["auto", "scatter", "propagate", "standard_error"]
Photons = Literal["positive", "absolute", "none"]
NoiseWanted = Literal["required", "if known"]
ScaleDark = Literal[False, "down", "any"]
MIN_FLAT = 0.05
"""Fraction of the mean of a flat below which a pixel counts as unlit."""
SIGCLIP, OBJLIM = 4.5, 15.0
"""Limits of :class:`CosmicRays`."""
Masked = Literal["leave out", "take"]
"""The choice whether flagged pixels count."""


_Function = TypeVar("_Function", bound=Callable[..., Any])


def with_options(options: Mapping[str, Any]) -> Callable[[_Function], _Function]:
    """Show options in the signature, and so the help, of a function that takes them as ``**``.

    Parameters
    ----------
    options
        Their defaults by their names; one that is a parameter already is not shown again.

    Examples
    --------
    >>> @with_options({"size": 3})
    ... def smooth(image, **options): ...
    >>> inspect.signature(smooth)
    <Signature (image, *, size=3)>
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind != each.VAR_KEYWORD]
        shown = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
            for name, default in options.items()
            if name not in signature.parameters
        ]
        shown_signature = signature.replace(parameters=[*own, *shown])
        function.__signature__ = shown_signature  # type: ignore[attr-defined]
        return function

    return decorate


def check_min_flat(min_flat: float) -> None:
    """Raise ValueError for a number that is no fraction of the mean of a flat."""
    if not 0 <= min_flat < 1:
        raise ValueError(
            "min_flat is a share of the mean of a flat, from 0 (all positive pixels are lit) to "
            f"below 1, not {min_flat!r}"
        )


def plane_type(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """Return the type of planes that come out, or raise ValueError for one that they cannot have.

    Examples
    --------
    >>> plane_type("float64")
    dtype('float64')
    """
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = None
    if chosen not in (np.float32, np.float64):
        raise ValueError(f"dtype is 'float32' or 'float64', not {dtype!r}")
    return chosen


def whole_number(name: str, value: SupportsIndex, least: int) -> int:
    """Return a whole number that is not below the least, or raise ValueError that names it."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name} is a whole number from {least} on, not {value!r}")
    return number


def upper_and_lower(threshold: float | Sequence[float]) -> tuple[float, float]:
    """Return rejection thresholds as (upper > 0, lower < 0), in units of the scatter.

    Parameters
    ----------
    threshold
        A number for both sides, or two of opposite signs in any order.

    Raises
    ------
    ValueError
        If a threshold is zero or not finite, or a pair does not have one of each sign.

    Examples
    --------
    >>> upper_and_lower(3), upper_and_lower((-4, 3))
    ((3.0, -3.0), (3.0, -4.0))
    """
    try:
        values = [threshold] if isinstance(threshold, Real) else list(threshold)  # type: ignore[arg-type]
        numbers = [float(value) for value in values]
    except TypeError:
        numbers = []
    if len(numbers) == 1:
        numbers = [abs(numbers[0]), -abs(numbers[0])]
    if (
        len(numbers) != 2
        or not all(math.isfinite(number) for number in numbers)
        or not min(numbers) < 0 < max(numbers)
    ):
        raise ValueError(
            f"a rejection threshold is a finite number other than zero, or a pair with one "
            f"positive and one negative, not {threshold!r}"
        )
    return max(numbers), min(numbers)


Weights = Literal["exposure", "variance", "noise"] | npt.ArrayLike | xr.DataArray | None
"""The weight of each frame in a mean."""


@dataclass(frozen=True, kw_only=True)
class Overscan:
    """A method that finds the overscan level: an average of unlit pixels, outliers rejected.

    ========================  ==================================================================
    ``per``                   what is subtracted
    ========================  ==================================================================
    "frame"                   one level, the average of all overscan pixels
    "row"                     one level per row, from the overscan pixels of that row (columns
                              that see no light: the serial overscan)
    "column"                  one level per column, from the overscan pixels of that column
                              (rows that see no light: the parallel overscan)
    ``polynomial_terms=n``    with "row" or "column": a polynomial of degree n - 1 along the
                              lines, fitted to the averages of all of them
    ``spline_nodes=n``        with "row" or "column": a cubic spline along the lines, likewise
    ========================  ==================================================================

    A row of few overscan pixels has a noisy level, and ``per="row"`` adds this noise to all pixels
    of the row; a model shares the noise among all rows. :func:`autowisp_xr.overscan_correction`
    defines rejection, variance and convergence. The median of whole numbers is a whole or half
    number: where the noise of many pixels averages below half an ADU, this rounding limits the
    level, and the mean is better.

    Examples
    --------
    Serial, then parallel, from areas of their own:

    >>> passes = [
    ...     Overscan(per="row", areas="[1:16,1:520]"),
    ...     Overscan(per="column", average="mean", areas="[17:528,501:520]"),
    ... ]
    """

    average: Literal["median", "mean"] = "median"
    """The average of the overscan pixels of a frame, row or column."""

    per: Literal["frame", "row", "column"] = "frame"
    """The unit that has a level of its own."""

    polynomial_terms: int | None = None
    """Number of terms of a polynomial along the rows or columns; None for no polynomial."""

    spline_nodes: int | None = None
    """Number of B-splines, on uniform knots, along the rows or columns: 2 make a straight line, 3 a
    parabola, 4 and more a cubic spline; None for no spline."""

    areas: Any = None
    """Regions to measure in, each as for ``Camera.image_area``; None for ``Camera.overscan``."""

    reject_threshold: float = 5.0
    """Sample standard deviations of the remaining pixels about the level, on both sides."""

    max_reject_iterations: int = 10
    """Largest number of rounds of rejection."""

    min_pixels: int = 100
    """With fewer pixels left than this in an amplifier, the frame cannot be corrected:
    ConvergenceError."""

    require_convergence: bool = False
    """Whether still rejecting in the last iteration is a ConvergenceError."""

    def __post_init__(self) -> None:
        if self.average not in ("median", "mean"):
            raise ValueError(f"average is 'median' or 'mean', not {self.average!r}")
        if self.per not in ("frame", "row", "column"):
            raise ValueError(f"per is 'frame', 'row' or 'column', not {self.per!r}")
        self._check_model()
        if self.areas is not None:
            areas = parse_areas(self.areas, "areas")
            if not areas:
                raise ValueError("areas is None, for those of the camera, or at least one area")
            object.__setattr__(self, "areas", areas)
        if not is_positive(self.reject_threshold):
            raise ValueError(
                f"reject_threshold is a positive number, not {self.reject_threshold!r}"
            )
        if self.max_reject_iterations < 0 or self.min_pixels < 1:
            raise ValueError(
                "max_reject_iterations is at least 0 and min_pixels at least 1, not "
                f"{self.max_reject_iterations} and {self.min_pixels}"
            )

    def _check_model(self) -> None:
        for name, least in (("polynomial_terms", 1), ("spline_nodes", 2)):
            terms = getattr(self, name)
            if terms is None:
                continue
            if not is_whole_number(terms) or terms < least:
                raise ValueError(f"{name} is None or a whole number from {least}, not {terms!r}")
            if self.per == "frame":
                raise ValueError(f"{name} needs per='row' or per='column': a frame has one level")
            object.__setattr__(self, name, int(terms))
        if self.polynomial_terms is not None and self.spline_nodes is not None:
            raise ValueError("give polynomial_terms or spline_nodes, not both")


OverscanChoice = Overscan | Sequence[Overscan] | xr.Dataset | Literal[False] | None
"""The argument ``overscan`` of verbs: a method, passes, a correction, none, or the default."""


@dataclass(frozen=True, kw_only=True)
class CosmicRays:
    """How cosmic rays are found in a frame; the names are those of L.A.Cosmic.

    Examples
    --------
    >>> CosmicRays(objlim=5)  # of stars with a FWHM of two pixels and more, also faint rays
    CosmicRays(sigclip=4.5, sigfrac=0.3, objlim=5, niter=4, sepmed=False)
    """

    sigclip: float = SIGCLIP
    """Sharpness of a ray, in units of the noise of its surroundings."""

    sigfrac: float = 0.3
    """Fraction of it that is enough beside a pixel of a ray."""

    objlim: float = OBJLIM
    """How many times sharper a ray is than what its neighbours have of its shape. Less finds
    fainter rays, and takes the cores of sharp stars for some: 5 is for a FWHM of 2 pixels and more,
    15 for 1.3 and more."""

    niter: int = 4
    """Rounds; each looks at what is left when the rays of the rounds before are taken out."""

    sepmed: bool = False
    """Whether medians are taken along rows, then columns: faster, and only for stars of a FWHM
    of 2.5 pixels and more."""

    def __post_init__(self) -> None:
        for name in ("sigclip", "sigfrac", "objlim"):
            value = getattr(self, name)
            if not is_positive(value):
                raise ValueError(f"{name} is a positive number, not {value!r}")
        if self.sigfrac > 1:
            raise ValueError(f"sigfrac is at most 1, a fraction of sigclip, not {self.sigfrac!r}")
        if not is_whole_number(self.niter) or self.niter < 1:
            raise ValueError(f"niter is a whole number from 1, not {self.niter!r}")


CosmicRaysChoice = CosmicRays | bool | None
"""The argument ``cosmic_rays`` of verbs: how, by the defaults, or not at all."""
