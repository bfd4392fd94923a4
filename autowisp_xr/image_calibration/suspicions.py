"""Warnings about masters that have the right shape, and still do not seem to belong to a frame.

The original applies whatever has the right shape, and so do the classes; they warn where a header
shows that it was hardly meant.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import AutowispWarning, HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.processing import stated_correction
from autowisp_xr.headers.values import Cards
from autowisp_xr.image_calibration.loaded_masters import LoadedMaster
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import reason_against
from autowisp_xr.traits import Traits

_FLAT_RANGE = (0.2, 5.0)

_NOT_ASKED = ("size", "area", "channels", "unit", "pixel_type")
"""Traits that the original checks itself, or not at all."""


def warn_of_strange(
    loaded: LoadedMaster, kind: str, params: Mapping[str, Any], raw: fits.Header
) -> None:
    """Warn, once for each reason, of a master of another type, channel, area, exposure or level.

    So is a master whose correction was made before, by the header of the frame: it would be made
    twice.

    Parameters
    ----------
    loaded
        The master, as it was read.
    kind
        "bias", "dark" or "flat".
    params
        Resolved parameters of the frame, the assembled master among them.
    raw
        Header of the frame.
    """
    for reason in _reasons(kind, params, raw):
        if reason not in loaded.warned:
            loaded.warned.add(reason)
            warnings.warn(
                f"{reason}; it is applied as the master {kind} all the same",
                AutowispWarning,
                stacklevel=4,
            )


def _reasons(kind: str, params: Mapping[str, Any], raw: fits.Header) -> Iterator[str]:
    """Yield the reasons why the files of a master do not seem to belong to a frame."""
    exposure = () if params["exposure_seconds"] in (None, "EXPTIME") else ("exposure",)
    names = [name for name in KINDS[kind].serves if name not in (*_NOT_ASKED, *exposure)]
    wanted, before = _traits(raw), stated_correction(raw, kind)
    for channel, own in params[kind]["loaded"].items():
        file, header = own.name, own.header
        written, named, covered = (
            value_of(header, card) for card in ("IMAGETYP", "CLRCHNL", "IMAGAREA")
        )
        known = None if written is None else KeywordAliases().image_type_of(written)
        if known not in (None, "other", kind):
            yield f"{file} has IMAGETYP {written!r}"
        if named is not None and channel is not None and named != channel:
            yield f"{file} has CLRCHNL {named!r}, and is given for the channel {channel!r}"
        area = str(params["image_area"])
        # a frame that was cut before, as its masters were
        if covered not in (None, area, value_of(raw, "IMAGAREA")):
            yield f"{file} covers the area {covered}, the frames {area}"
        traits = _traits(header, kind)
        for name in names:
            found = reason_against(wanted, traits, names=[name])
            if found is not None:
                yield f"{file} is {found}"
        if before is not None and before.made:
            yield f"{file} is given for frames whose {kind} was corrected before ({before.by})"
        bias = stated_correction(header, "bias")
        if kind == "dark" and bias is not None and bias.made != (params["bias"] is not None):
            if not bias.made:
                yield f"{file} holds the bias ({bias.by}), which is subtracted from the frames, too"
            elif not (params["bias_level_adu"] or params["overscans"]):
                yield f"the bias was subtracted from {file} ({bias.by}), but is not from the frames"
        if kind == "flat":
            sample = own.planes["correction"][::4, ::4]
            sample = sample[np.isfinite(sample)]
            level = float(np.median(sample)) if sample.size else 1.0
            if not _FLAT_RANGE[0] < level < _FLAT_RANGE[1]:
                yield f"{file} has a median of {level:.4g}; a master flat is about 1"


def _traits(header: fits.Header, kind: str = "object") -> Traits:
    try:
        stated = read_coordinates(Cards(header, KeywordAliases()), kind)
    except HeaderError:
        # cards that contradict each other state nothing
        stated = {}
    return Traits.of({**stated, "image_type": kind})
