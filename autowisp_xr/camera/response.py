"""How the signal of a camera grows with the light: a polynomial, its uncertainty and its range."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats
from autowisp_xr.checked_numbers import checked_number
from autowisp_xr.errors import CalibrationError

_LEVELS = 257
"""Levels within the range at which a curve is looked at."""

_ROUNDS = 12
"""Newton's steps; a few are enough for what bends by less than a half."""

_ROUNDING = 1e-9
"""Relative to the largest, a negative eigenvalue of a covariance that is one of rounding."""


@dataclass(frozen=True, kw_only=True)
class Linearity:
    """A signal I above the bias, in ADU, that becomes I + c2 I^2 + c3 I^3 + ... of the light.

    Examples
    --------
    >>> bent = Linearity(coefficients=[1e-6], limit=50_000)
    >>> float(bent.linear(10_000)), float(bent.slope(10_000))
    (10100.0, 1.02)

    Beyond the range where it holds, it goes on as a straight line:

    >>> float(bent.slope(60_000)) == float(bent.slope(50_000))
    True
    """

    coefficients: Any = ()
    """c2, c3, ..., in 1 / ADU, 1 / ADU^2, ..."""

    covariance: Any = ()
    """Of the coefficients, a row each; none given: they count as exact."""

    limit: float | None = None
    """The largest signal where it holds, in ADU above the bias; None where nobody states it."""

    def __post_init__(self) -> None:
        given = self.coefficients
        listed = given if isinstance(given, list | tuple) else [given]
        coefficients = tuple(checked_number("linearity", number) for number in listed)
        limit = self.limit
        if limit is not None:
            limit = checked_number("the limit of the linearity", limit, above=0.0)
        object.__setattr__(self, "coefficients", coefficients)
        object.__setattr__(self, "covariance", _covariance(self.covariance, len(coefficients)))
        object.__setattr__(self, "limit", limit)
        if limit is not None and not (self.slope(np.linspace(0, limit, _LEVELS)) > 0).all():
            raise CalibrationError(
                f"the linearity {list(coefficients)} turns back below its limit of {limit:g} ADU, "
                "where more light would make less signal; give a lower limit, or fewer coefficients"
            )

    def __bool__(self) -> bool:
        """Return whether there is a polynomial, or a range."""
        return bool(self.coefficients) or self.limit is not None

    @classmethod
    def parse(cls, given: Any) -> Self:
        """Return the linearity of a Linearity, of a mapping of its fields, or of coefficients.

        Raises
        ------
        CalibrationError
            For what is neither.
        """
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping):
            return cls(coefficients=() if given is None else given)
        names = [field.name for field in fields(cls)]
        unknown = sorted(set(map(str, given)) - set(names))
        if unknown:
            raise CalibrationError(
                f"a linearity has no {', '.join(unknown)}; it has {', '.join(names)}"
            )
        return cls(**given)

    def linear(self, signal: ArrayLike) -> Floats:
        """Return signals that are proportional to the light, in ADU, of those above the bias."""
        signal = np.asarray(signal, np.float64)
        inside = np.minimum(signal, self._reach)
        value = np.polynomial.polynomial.polyval(inside, [0.0, 1.0, *self.coefficients])
        return value + (signal - inside) * self.slope(inside)

    def slope(self, signal: ArrayLike) -> Floats:
        """Return the derivative of :meth:`linear`."""
        inside = np.minimum(np.asarray(signal, np.float64), self._reach)
        terms = [number * power for power, number in enumerate(self.coefficients, 2)]
        return np.polynomial.polynomial.polyval(inside, [1.0, *terms])

    def signal(self, light: ArrayLike) -> Floats:
        """Return the signals above the bias, in ADU, that :meth:`linear` makes ``light`` of."""
        light = np.asarray(light, np.float64)
        signal = light
        for _ in range(_ROUNDS):
            signal = signal - (self.linear(signal) - light) / self.slope(signal)
        return signal

    def error(self, signal: ArrayLike) -> Floats:
        """Return the uncertainty of :meth:`linear`, in ADU; 0 where that is not known."""
        signal = np.asarray(signal, np.float64)
        if not self.covariance:
            return np.zeros_like(signal)
        powers = signal[..., None] ** np.arange(2, len(self.coefficients) + 2)
        variance = np.einsum("...i,ij,...j", powers, np.array(self.covariance), powers)
        return np.sqrt(np.maximum(variance, 0.0))

    @property
    def identity(self) -> str:
        """A name by which frames are known that share the uncertainty of this very curve."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"linearity-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def record(self) -> Any:
        """Return the coefficients, and what else is known, for the history."""
        known = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return known if len(known) > 1 else list(self.coefficients)

    @property
    def _reach(self) -> float:
        return math.inf if self.limit is None else self.limit


def _covariance(given: Any, number: int) -> tuple[tuple[float, ...], ...]:
    if given is None or len(given) == 0:
        return ()
    try:
        matrix = np.array(given, np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape != (number, number) or not np.isfinite(matrix).all():
        raise CalibrationError(
            f"the covariance of {number} coefficients of linearity is a table of {number} x "
            f"{number} numbers, not {given!r}"
        )
    scale = np.sqrt(np.abs(np.diagonal(matrix)))
    scale[scale == 0] = 1.0
    scaled = matrix / np.outer(scale, scale)
    if not np.allclose(scaled, scaled.T) or np.linalg.eigvalsh(scaled).min() < -_ROUNDING:
        raise CalibrationError(
            "the covariance of the coefficients of linearity is none: it is not symmetric, or "
            "gives a negative variance"
        )
    return tuple(map(tuple, matrix.tolist()))
