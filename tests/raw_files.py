"""Small FITS files, 5 rows by 7 columns, in every dress that FITS has."""

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

__all__ = ["product", "ramp", "raw"]


def _ramp(dtype: str, shape: tuple[int, int] = (5, 7)) -> np.ndarray[Any, Any]:
    """Values that differ everywhere, and reach the ends of an integer type."""
    kind = np.dtype(dtype)
    values = np.arange(shape[0] * shape[1]).reshape(shape).astype(kind)
    if kind.kind in "ui":
        info = np.iinfo(kind)
        values[0, 0], values[-1, -1] = info.min, info.max
    else:
        values += kind.type(0.25)
        values[1, 2] = np.nan
    return values


@pytest.fixture
def ramp() -> Callable[..., np.ndarray[Any, Any]]:
    return _ramp


@pytest.fixture
def raw(tmp_path: Path) -> Callable[..., Path]:
    """Writer of a raw file: name, data, cards."""

    def write(
        name: str = "a.fits",
        data: np.ndarray[Any, Any] | None = None,
        cards: dict[str, Any] | None = None,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = _ramp("uint16") if data is None else data
        header = fits.Header({"IMAGETYP": "object", "EXPTIME": 30.0, **(cards or {})})
        if name.endswith(".fz"):
            fits.CompImageHDU(values, header).writeto(path)
        else:
            fits.PrimaryHDU(values, header).writeto(path.with_name("plain"))
            content = path.with_name("plain").read_bytes()
            path.with_name("plain").unlink()
            pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get(path.suffix, bytes)
            path.write_bytes(pack(content))
        return path

    return write


@pytest.fixture
def product(tmp_path: Path) -> Callable[..., Path]:
    """Writer of a calibrated file as the original writes it."""

    def write(
        name: str = "p.fits",
        planes: tuple[str, ...] = ("image", "error", "mask"),
        mask_type: str = "uint8",
        cards: dict[str, Any] | None = None,
        shape: tuple[int, int] = (5, 7),
        empty_primary: bool = False,
    ) -> Path:
        size = shape[0] * shape[1]
        data = {
            "image": np.arange(size, dtype="f4").reshape(shape) + 100,
            "error": np.arange(size, dtype="f4").reshape(shape) / 4,
            "mask": (np.arange(size).reshape(shape) % 3).astype(mask_type),
        }
        hdus = fits.HDUList([fits.PrimaryHDU()] if empty_primary else [])
        for plane in planes:
            header = fits.Header({"IMAGETYP": "object" if plane == "image" else plane})
            if plane == "image":
                header.update(cards or {"IMAGAREA": "0 < x < 7, 0 < y < 5"})
            hdu = fits.ImageHDU if hdus else fits.PrimaryHDU
            hdus.append(hdu(data[plane], header))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        hdus.writeto(path)
        return path

    return write
