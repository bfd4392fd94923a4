"""Numbers that users give, checked."""

import math
from numbers import Integral, Real
from typing import TypeGuard

from autowisp_xr.errors import CalibrationError


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole_number(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number by its type; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_positive(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number above zero."""
    return isinstance(value, Real) and 0 < float(value) < math.inf


def known_number(name: str, value: object, **bounds: float) -> float | None:
    """A number as :func:`checked_number` has it; None where it is not known."""
    return None if value is None else checked_number(name, value, **bounds)


def checked_number(
    name: str, value: object, *, above: float = -math.inf, least: float = -math.inf
) -> float:
    """Return a finite number above one bound and at least another, or raise a CalibrationError."""
    if is_number(value):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number) and number > above and number >= least:
            return number
    bound = f" above {above:g}" if above > -math.inf else ""
    bound = f" not below {least:g}" if least > -math.inf else bound
    raise CalibrationError(f"{name} must be a finite number{bound}, not {value!r}")
