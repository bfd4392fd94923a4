"""How pixels are stored, as far as it matters for what goes together: whole numbers, or floats."""

from typing import Any

import numpy as np

FLOATS = "floats"
FRACTIONS = "floats from 0 to 1"
BYTES = "8-bit integers"

_LEAST = 8
"""So many different values between 0 and 1 are no matter of chance."""


def are_fractions(sample: Any) -> bool:
    """Whether floats look like counts that were divided by the largest that there can be.

    All lie from 0 to 1, eight of them or more between these ends and apart; what is not finite does
    not count. Counts less their bias scatter below 0, and others are larger.
    """
    values = np.asarray(sample)
    values = values[np.isfinite(values)]
    if not ((values >= 0) & (values <= 1)).all():
        return False
    return len(np.unique(values[(values > 0) & (values < 1)])) >= _LEAST


def pixel_type(dtype: Any, sample: Any = ()) -> str:
    """What pixels of a type are called; of floats a sample tells more.

    Examples
    --------
    >>> pixel_type("u2"), pixel_type("f4", np.linspace(0.1, 0.2, 10))
    ('16-bit integers', 'floats from 0 to 1')
    """
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return f"{8 * dtype.itemsize}-bit integers"
    return FRACTIONS if are_fractions(sample) else FLOATS
