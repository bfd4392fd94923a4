"""Masters that fit in shape, and still do not seem to belong to a frame.

The original applies whatever has the right shape, and so do the classes; they say so, where a
header tells that it is hardly meant.
"""

import math
import warnings
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.cards import value_of
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.image_calibration._masters import LoadedMaster
from autowisp_xr.io.spellings import Spellings
from autowisp_xr.io.values import first_number
from autowisp_xr.regions import Region

__all__ = ["warn_of_strange"]

_FLAT_RANGE = (0.2, 5.0)


def warn_of_strange(
    loaded: LoadedMaster, kind: str, master: dict[str, Any], area: Region, raw: fits.Header
) -> None:
    """Warn, once a reason, of a master of another type, channel, area, exposure or level.

    Parameters
    ----------
    loaded, master
        The master, as it was read and as it is assembled for the frame.
    kind
        "bias", "dark" or "flat".
    area
        Image area of the frame.
    raw
        Header of the frame.
    """
    reasons = []
    for channel, file in master["filenames"].items():
        header = loaded.headers[file]
        reasons += _reasons(file, header, kind, channel, area)
        own, other = (first_number(h, Spellings().exposure) for h in (header, raw))
        known = math.isfinite(own) and math.isfinite(other)
        if kind == "dark" and known and not schema.same_exposure(own, other):
            reasons.append(f"{file} was exposed {own:g} s, the frames {other:g} s, unscaled")
    if kind == "flat":
        level = float(np.nanmedian(master["correction"][::8, ::8]))
        if not _FLAT_RANGE[0] < level < _FLAT_RANGE[1]:
            files = ", ".join(map(str, master["filenames"].values()))
            reasons.append(f"{files} has a median of {level:.4g}; a master flat is about 1")
    for reason in reasons:
        if reason not in loaded.warned:
            loaded.warned.add(reason)
            warnings.warn(
                f"{reason}; it is applied as the master {kind} all the same",
                AutowispWarning,
                stacklevel=4,
            )


def _reasons(
    file: str, header: fits.Header, kind: str, channel: str | None, area: Region
) -> list[str]:
    reasons = []
    written = value_of(header, "IMAGETYP")
    known = None if written is None else Spellings().image_type_of(written)
    if known not in (None, "other", kind):
        reasons.append(f"{file} has IMAGETYP {written!r}")
    own = value_of(header, "CLRCHNL")
    if own is not None and channel is not None and own != channel:
        reasons.append(f"{file} has CLRCHNL {own!r}, and is given for the channel {channel!r}")
    covered = value_of(header, "IMAGAREA")
    if covered is not None and covered != str(area):
        reasons.append(f"{file} covers the area {covered}, the frames {area}")
    return reasons
