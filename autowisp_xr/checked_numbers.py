"""Numbers that users give, checked."""

import math
from numbers import Real

from autowisp_xr.errors import CalibrationError


def known_number(name: str, value: object, **bounds: float) -> float | None:
    """A number as :func:`checked_number` has it; None where it is not known."""
    return None if value is None else checked_number(name, value, **bounds)


def checked_number(
    name: str, value: object, *, above: float = -math.inf, least: float = -math.inf
) -> float:
    """Return a finite number above one bound and at least another, or raise a CalibrationError."""
    if isinstance(value, Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number) and number > above and number >= least:
            return number
    bound = f" above {above:g}" if above > -math.inf else ""
    bound = f" not below {least:g}" if least > -math.inf else bound
    raise CalibrationError(f"{name} must be a finite number{bound}, not {value!r}")
