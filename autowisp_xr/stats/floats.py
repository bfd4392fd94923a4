"""Plain numbers of what users pass as arrays."""

from typing import Any

import numpy as np

__all__ = ["as_floats"]


def as_floats(values: Any) -> Any:
    """Array of float64, in which what a NumPy masked array hides is NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.asarray(values, dtype=np.float64)
