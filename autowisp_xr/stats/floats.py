"""Plain numbers of what users pass as arrays."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Numbers

_CONVERTED = {
    **dict.fromkeys(("int8", "uint8"), "i2"),
    **dict.fromkeys(("int32", "uint32", "int64", "uint64"), "f8"),
}


def as_floats(values: ArrayLike) -> Any:
    """Return an array of float64, in which what a NumPy masked array hides is NaN."""
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.asarray(values, dtype=np.float64)


def as_numbers(values: ArrayLike) -> Any:
    """Return an array of numbers that kernels know; what a NumPy masked array hides is NaN.

    Raises
    ------
    ValueError
        If these are no real numbers.
    """
    if isinstance(values, np.ma.MaskedArray):
        return as_floats(values)
    values = np.asarray(values)
    if values.dtype.kind not in "buif":
        raise ValueError(
            f"an array of real numbers was expected, not one of the type {values.dtype}; if these "
            "are numbers, astype('float64') makes an array of them"
        )
    return native(values)


def native(values: Numbers) -> Any:
    """Return numbers in a type that kernels know; the array itself where it is of one."""
    return values.astype(native_type(values.dtype), copy=False)


def native_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that kernels and files know for numbers of a type, mostly the same.

    That is one in native byte order; float32 for half-precision floats, float64 for longer ones,
    uint8 for truths.
    """
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")


def kernel_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which kernels take numbers of a type, which holds all their values.

    A kernel is compiled for each type that it meets, which takes seconds. The types that few
    cameras write are therefore converted: those of 8 bits to int16; integers of 32 and 64 bits to
    float64, in which kernels compute anyway.
    """
    dtype = native_type(dtype)
    return np.dtype(_CONVERTED.get(dtype.name, dtype))
