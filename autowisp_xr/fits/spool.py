"""Images that wait in a temporary file until they are stacked."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr._compat import late_variable
from autowisp_xr.arrays import Image
from autowisp_xr.fits.lazy_pixels import Planes
from autowisp_xr.fits.planes import Hdu
from autowisp_xr.fits.temporary import TemporaryFile
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.schema import DIMS


class Spool:
    """Images (y, x) of one shape, float64, put away one by one.

    Their file is removed once neither this object nor the variable that was made of it is left.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._number = 0
        self._file = TemporaryFile("images wait to be stacked")

    def append(self, image: Image) -> None:
        """Put an image away; an OSError that names the directory where it does not fit."""
        self._file.write(np.asarray(image, np.float64))
        self._number += 1

    def variable(self) -> xr.Variable:
        """All images over (frame, channel, y, x), lazily indexed; nothing can be added then."""
        status = self._file.close()
        height, width = self._shape
        kind: np.dtype[Any] = np.dtype(np.float64)
        length = height * width * kind.itemsize
        images = [
            Hdu(
                path=self._file.path,
                size=status.st_size,
                changed=status.st_mtime_ns,
                index=number,
                height=height,
                width=width,
                dtype=kind,
                storage="plain",
                offset=number * length,
                length=length,
                stored=kind,
            )
            for number in range(self._number)
        ]
        planes = Planes([[image] for image in images], [ChannelSlice()], self._shape)
        planes.keeps = self._file
        return late_variable(planes, DIMS)
