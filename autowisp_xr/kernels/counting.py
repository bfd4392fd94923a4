"""Values of a plane, counted.

Order statistics are found so without sorting: values are counted by bins of the same width between
two of them, those beyond in the first or the last, and the few in the bins where the wanted ones
lie are then enough to find them.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.jit import kernel


@kernel
def count_each(values: Any, base: int, counts: Any) -> None:
    """Count integers by their value, from ``base`` on; smaller ones are none."""
    for value in values:
        place = np.int64(value) - base
        if place >= 0:
            counts[place] += 1


@kernel
def count_good(values: Any, mask: Any, low: float, scale: float, counts: Any) -> None:
    """Count values whose mask is 0, (y, x), by bins of the width 1 / ``scale`` from ``low`` on."""
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            if mask[y, x] == 0:
                counts[_bin(values[y, x], low, scale, counts.size)] += 1


@kernel
def take_good(values: Any, mask: Any, low: float, scale: float, wanted: Any, out: Any) -> None:
    """Write the values of the ``wanted`` of these bins, as many as they hold, to ``out``."""
    done = 0
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            if mask[y, x] == 0 and wanted[_bin(values[y, x], low, scale, wanted.size)]:
                out[done] = values[y, x]
                done += 1


@kernel
def _bin(value: Any, low: float, scale: float, bins: int) -> int:
    place = (np.float64(value) - low) * scale
    # what is not a number is in the first
    return int(min(place, bins - 1.0)) if place > 0 else 0
