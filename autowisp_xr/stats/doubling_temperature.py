"""By how many degrees the dark current of a detector doubles, from rates at some temperatures."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from autowisp_xr.arrays import Floats

USUAL = (5.0, 7.0)
"""Degrees by which the dark current of most silicon detectors doubles, from -40 to 20 C."""

_BOLTZMANN = 8.617333262e-5
"""eV / K, CODATA 2018."""

_ZERO = 273.15

_SURE = 3.0
"""Uncertainties that a rate is above zero at least, where its logarithm means something."""

_APART = 1.0
"""Degrees between the coldest and the warmest rate, below which both are one temperature."""


class Doubling(NamedTuple):
    """The change of the dark current with temperature."""

    degrees: float
    """By which it doubles near ``at``; NaN where that is not known."""
    error: float
    energy: float
    """Of activation, in eV."""
    energy_error: float
    at: float
    """Temperature, in C, where the slope is known best."""

    def grown(self, temperatures: Floats) -> Floats:
        """Return the rates at temperatures in C, in units of that at ``at``."""
        kelvin, middle = temperatures + _ZERO, self.at + _ZERO
        off = (1 / middle - 1 / kelvin) / (2 * _BOLTZMANN)
        return np.asarray((kelvin / middle) ** 1.5 * np.exp(self.energy * off))


UNKNOWN = Doubling(*[math.nan] * 5)


def doubling_of(
    temperatures: Sequence[float] | Floats,
    rates: Sequence[float] | Floats,
    errors: Sequence[float] | Floats | None = None,
) -> Doubling:
    r"""Fit rates of a detector at several temperatures.

    Parameters
    ----------
    temperatures
        In C; of one that is not known, and of a rate that is not 3 errors above zero, nothing is
        taken.
    rates, errors
        In any unit; None for errors that are not known, or one that is NaN: rates then count alike.

    Returns
    -------
    NaN in all where fewer than two temperatures are left, or all are within a degree. The errors
    are those of the fit, larger where three or more rates are off by more; NaN of two rates whose
    own are not known.

    Notes
    -----
    Charge that traps in the middle of the band gap set free grows with temperature as

    .. math:: R \propto T^{3/2} \exp\left(-\frac{E}{2 k T}\right)

    with E that of the gap, 1.1 eV in silicon [1]_; where it diffuses into the pixel, as it does in
    warm detectors, E comes out up to twice that [2]_. E is fitted, by a line through
    :math:`\ln R - \tfrac{3}{2} \ln T` over 1 / 2 k T. At the temperature T the rate doubles within

    .. math:: D = \ln 2 \Big/ \left(\frac{3}{2 T} + \frac{E}{2 k T^2}\right)

    degrees: 7.1 at -10 C for 1.1 eV, 3.6 for twice that. An exponential with one D for all
    temperatures is the same near the mean of them, and off by 4 % ten degrees away.

    References
    ----------
    .. [1] Janesick, J. R., 2001, Scientific Charge-Coupled Devices (SPIE Press), section 7.1.
    .. [2] Widenhorn, R., et al., 2002, Proc. SPIE 4669, 193.

    Examples
    --------
    >>> round(doubling_of([-10, -4], [0.1, 0.2], [0.001, 0.002]).degrees, 2)
    6.0
    """
    degrees, rate = (np.asarray(one, dtype=np.float64) for one in (temperatures, rates))
    error = np.full(rate.shape, np.nan) if errors is None else np.asarray(errors, np.float64)
    known = np.isfinite(degrees) & (rate > 0) & ~(rate < _SURE * error)
    degrees, rate, error = degrees[known], rate[known], error[known]
    if degrees.size < 2 or np.ptp(degrees) <= _APART:
        return UNKNOWN
    kelvin = degrees + _ZERO
    stated = bool((error > 0).all())
    weights = (rate / error) ** 2 if stated else np.ones_like(rate)
    # a parabola has the slope of its fit by a line here, so that the law does not matter
    middle = float(np.average(degrees, weights=weights))
    apart = degrees - middle
    at = middle + float((weights * apart**3).sum() / (weights * apart**2).sum()) / 2
    inverse = 1 / (2 * _BOLTZMANN * kelvin)
    level = np.log(rate) - 1.5 * np.log(kelvin)
    off = inverse - np.average(inverse, weights=weights)
    moment = float((weights * off**2).sum())
    energy = -float((weights * off * level).sum()) / moment
    left = level - np.average(level, weights=weights) + energy * off
    spread = math.nan
    if degrees.size > 2:
        spread = float(np.sqrt((weights * left**2).sum() / (degrees.size - 2)))
    if stated:
        spread = float(np.fmax(spread, 1.0))
    energy_error = spread / math.sqrt(moment)
    at_kelvin = at + _ZERO
    slope = 1.5 / at_kelvin + energy / (2 * _BOLTZMANN * at_kelvin**2)
    if slope <= 0:
        return UNKNOWN
    doubles = math.log(2) / slope
    of_slope = energy_error / (2 * _BOLTZMANN * at_kelvin**2)
    return Doubling(doubles, doubles * of_slope / slope, energy, energy_error, at)
