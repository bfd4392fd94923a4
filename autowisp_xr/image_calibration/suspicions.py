"""Masters that fit in shape, and still do not seem to belong to a frame.

The original applies whatever has the right shape, and so do the classes; they say so, where a
header tells that it is hardly meant.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import AutowispWarning, HeaderError
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.processing import correction_said
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import Cards
from autowisp_xr.image_calibration.loaded_masters import LoadedMaster
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import reason_against
from autowisp_xr.traits import Traits

__all__ = ["warn_of_strange"]

_FLAT_RANGE = (0.2, 5.0)

_OF_PIXELS = ("size", "area", "channels", "unit")
"""Traits that the original looks at itself, or not at all."""


def warn_of_strange(
    loaded: LoadedMaster, kind: str, params: Mapping[str, Any], raw: fits.Header
) -> None:
    """Warn, once a reason, of a master of another type, channel, area, exposure or level.

    So is one told whose correction the header of the frame says was made before: what is subtracted
    twice is as wrong.

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
        names = [name for name in KINDS[kind].serves if name not in (*_OF_PIXELS, "pixel_type")]
        if not plain_exposure:
            names = [name for name in names if name != "exposure"]
        for name in names:
            found = reason_against(_traits(raw), _traits(header, kind), names=[name])
            if found is not None:
                reasons.append(f"{file} is {found}")
        said = correction_said(raw, kind)
        if said is not None and said.made:
            reasons.append(
                f"{file} is given for frames whose {kind} was corrected before ({said.by})"
            )
        if kind == "dark":
            reasons += _bias_reasons(file, header, params)
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


def _bias_reasons(file: str, header: fits.Header, params: Mapping[str, Any]) -> list[str]:
    """That a bias is subtracted twice with this dark, or left in."""
    said = correction_said(header, "bias")
    if said is None or said.made == (params["bias"] is not None):
        return []
    if not said.made:
        return [f"{file} holds the bias ({said.by}), which is subtracted from the frames, too"]
    if params["bias_level_adu"] or params["overscans"]:
        return []
    return [f"the bias was subtracted from {file} ({said.by}), and is not from the frames"]


def _traits(header: fits.Header, kind: str | None = None) -> Traits:
    try:
        said = read_coordinates(Cards(header, Spellings()), kind)
    except HeaderError:
        # two cards that contradict each other say nothing
        said = {}
    return Traits.of({**said, "image_type": kind or "object"})


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
