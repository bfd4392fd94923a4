"""Masters that fit in shape, and still do not seem to belong to a frame.

The original applies whatever has the right shape, and so do the classes; they say so, where a
header tells that it is hardly meant.
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.cards import value_of
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import first_number
from autowisp_xr.image_calibration._masters import LoadedMaster

__all__ = ["warn_of_strange"]

_FLAT_RANGE = (0.2, 5.0)


def warn_of_strange(
    loaded: LoadedMaster, kind: str, params: Mapping[str, Any], raw: fits.Header
) -> None:
    """Warn, once a reason, of a master of another type, channel, area, exposure or level.

    Parameters
    ----------
    loaded
        The master, as it was read.
    kind
        "bias", "dark" or "flat".
    params
        Settled parameters of the frame, the assembled master among them.
    raw
        Header of the frame.
    """
    reasons = []
    master = params[kind]
    # a frame that was cut before, as its masters were
    areas = (str(params["image_area"]), value_of(raw, "IMAGAREA"))
    plain_exposure = params["exposure_seconds"] in (None, "EXPTIME")
    for channel, file in master["filenames"].items():
        header = loaded.headers[file]
        reasons += _reasons(file, header, kind, channel, areas)
        own, other = (first_number(h, Spellings().exposure) for h in (header, raw))
        known = math.isfinite(own) and math.isfinite(other)
        if kind == "dark" and plain_exposure and known and not schema.same_exposure(own, other):
            reasons.append(f"{file} was exposed {own:g} s, the frames {other:g} s, unscaled")
        if kind == "flat":
            sample = master["correction"][params["channels"][channel]][::4, ::4]
            sample = sample[np.isfinite(sample)]
            level = float(np.median(sample)) if sample.size else 1.0
            if not _FLAT_RANGE[0] < level < _FLAT_RANGE[1]:
                reasons.append(f"{file} has a median of {level:.4g}; a master flat is about 1")
    for reason in reasons:
        if reason not in loaded.warned:
            loaded.warned.add(reason)
            warnings.warn(
                f"{reason}; it is applied as the master {kind} all the same",
                AutowispWarning,
                stacklevel=4,
            )


def _reasons(
    file: str, header: fits.Header, kind: str, channel: str | None, areas: tuple[str, Any]
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
    if covered is not None and covered not in areas:
        reasons.append(f"{file} covers the area {covered}, the frames {areas[0]}")
    return reasons
