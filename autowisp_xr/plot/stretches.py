"""How bright each value is drawn: one rule for pictures, previews and thumbnails."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from autowisp_xr.arrays import Bools, Floats

if TYPE_CHECKING:
    from astropy.visualization import ImageNormalize


StretchName: TypeAlias = Literal["asinh", "zscale", "linear"]
"""``asinh``: linear within the noise, logarithmic above it, so that sky and stars are seen at once;
what has no bright pixels is drawn almost linearly. ``zscale``: linear, for what is faint, as in
IRAF and DS9. ``linear``: linear, from dark to bright."""

DEFAULT: StretchName = "asinh"

_BLACK = 0.5
_WHITE = {"asinh": 99.9, "linear": 99.0}
"""Per cent of the values that are darker than black, and than white."""

_LINEAR_WITHIN = 2.0
"""Times the scatter of the values, on both sides of black, within which ``asinh`` is linear."""

_LEAST_SOFTENING, _MOST_SOFTENING = 1e-4, 1.0
MAD = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation."""

_SAMPLE = 500_000
"""So many values are enough for percentiles."""

_TICKS = 6


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """How values become shades from 0, black, to 1, white."""

    low: float
    """The value that is black; what is less is, too."""

    high: float
    """The value that is white; what is more is, too."""

    softening: float | None = None
    """The share of that range in which an asinh is linear; None where all of it is."""

    @classmethod
    def of(
        cls,
        values: Floats,
        good: Bools | None = None,
        name: StretchName = DEFAULT,
        *,
        limits: tuple[float, float] | None = None,
    ) -> "Stretch | None":
        """Return the stretch that suits values.

        Parameters
        ----------
        values
            Of an image, in any shape.
        good
            Which of them decide, a bool each; None for all. Where none is good, all do.
        name
            "asinh", "zscale" or "linear".
        limits
            The values that are black and white; None for those that suit.

        Returns
        -------
        None where there is no value but NaN and infinity.

        Examples
        --------
        >>> Stretch.of(np.arange(1001.0), name="linear")
        Stretch(low=5.0, high=990.0, softening=None)
        """
        check(name)
        seen = _sample(np.asarray(values), good)
        if not seen.size:
            return None if limits is None else cls(low=limits[0], high=limits[1])
        low, high = limits or _limits(seen, name)
        if name != "asinh":
            return cls(low=low, high=high)
        scatter = MAD * float(np.median(np.abs(seen - np.median(seen))))
        softening = _LINEAR_WITHIN * scatter / (high - low)
        if not softening < _MOST_SOFTENING:
            return cls(low=low, high=high)
        return cls(low=low, high=high, softening=max(softening, _LEAST_SOFTENING))

    def __call__(self, values: Any) -> Floats:
        """Return the shade of each value, from 0 to 1; NaN of NaN.

        Examples
        --------
        >>> Stretch(low=0, high=10)([-5, 5, 20]).tolist()
        [0.0, 0.5, 1.0]
        """
        share = np.clip((np.asarray(values, np.float64) - self.low) / (self.high - self.low), 0, 1)
        if self.softening is None:
            return share
        return np.arcsinh(share / self.softening) / np.arcsinh(1 / self.softening)

    def norm(self) -> "ImageNormalize":
        """Return the stretch for matplotlib: ``axes.imshow(image, norm=stretch.norm())``."""
        from astropy.visualization import AsinhStretch, ImageNormalize, LinearStretch

        shape = LinearStretch() if self.softening is None else AsinhStretch(self.softening)
        return ImageNormalize(vmin=self.low, vmax=self.high, stretch=shape, clip=False)

    def ticks(self) -> list[float] | None:
        """Return round values at about even steps along a colour bar; None for matplotlib's own.

        Examples
        --------
        >>> Stretch(low=0, high=1000, softening=0.01).ticks()
        [0.0, 10.0, 40.0, 100.0, 300.0, 1000.0]
        """
        if self.softening is None:
            return None
        steep = np.arcsinh(1 / self.softening) * np.linspace(0, 1, _TICKS)
        exact = self.low + (self.high - self.low) * self.softening * np.sinh(steep)
        steps = np.diff(exact, append=2 * exact[-1] - exact[-2])
        units = 10.0 ** np.floor(np.log10(steps))
        rounded = np.round(exact / units) * units
        return [float(tick) for tick in np.unique(rounded)]


def check(name: str) -> None:
    """Raise ValueError for a name of no stretch."""
    if name not in get_args(StretchName):
        raise ValueError(f"there is no stretch {name!r}, only {', '.join(get_args(StretchName))}")


def _limits(seen: Floats, name: StretchName) -> tuple[float, float]:
    if name == "zscale":
        from astropy.visualization import ZScaleInterval

        low, high = (float(level) for level in ZScaleInterval().get_limits(seen))
    else:
        low, high = (float(level) for level in np.percentile(seen, (_BLACK, _WHITE[name])))
    if not low < high:
        low, high = float(seen.min()), float(seen.max())
    if low == high:
        beside = max(0.5, 1e-3 * abs(low))
        return low - beside, high + beside
    return low, high


def _sample(values: Floats, good: Bools | None) -> Floats:
    """Return the values that decide, of very many some."""
    finite = np.isfinite(values)
    chosen = finite if good is None else finite & good
    seen = values[chosen if chosen.any() else finite].astype(np.float64)
    return seen[:: max(1, seen.size // _SAMPLE)]
