"""Resolve the one camera of a set of files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.camera.amplifiers import Amplifier
from autowisp_xr.checked_numbers import is_number
from autowisp_xr.errors import HeaderError
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.cards import value_of
from autowisp_xr.regions import ChannelSlice

_FACTS = (
    "channels", "gain", "read_noise", "bias_level", "saturation", "image_area", "overscan",
    "amplifiers",
)  # fmt: skip


def resolve_camera(records: Sequence[FileRecord], camera: Camera | None, hdu: HduChoice) -> Camera:
    """Complete the given camera from the headers, where it does not know.

    Raises
    ------
    HeaderError
        If headers contradict each other on something that the camera does not know.
    """
    camera = camera or Camera()
    facts: dict[str, Any] = {}
    # files that are alike share what is known of them
    different: dict[int, FileRecord] = {}
    for record in records:
        different.setdefault(id(record.facts), record)
    products = not isinstance(hdu, Mapping) and any(r.place is not None for r in records)
    for name in (name for name in _FACTS if camera.lacks(name)):
        if products and name == "channels":
            facts[name] = _product_channels(records)
        elif products and name in ("gain", "saturation"):
            known = camera.channels or facts.get("channels")
            facts[name] = _of_products(name, records, known)
        # the read noise of a product is made of more than reading
        elif not products or name != "read_noise":
            facts[name] = _agreed(name, [(r.path, r.facts.get(name)) for r in different.values()])
    pattern = Camera(channels=facts.get("channels")).channels or {}
    if isinstance(hdu, Mapping) and not set(hdu) <= set(pattern):
        # channels that are images of their own are not in the way of one camera, until they differ
        apart = any(isinstance(facts.get(name), Mapping) for name in ("gain", "read_noise"))
        facts["channels"] = {str(name): ChannelSlice() for name in hdu} if apart else None
    if facts.get("saturation") is not None:
        # headers count from zero, the camera from its bias level
        level = camera.bias_level or facts.get("bias_level") or 0.0
        facts["saturation"] = _above(level, facts["saturation"])
    # a value of the camera holds for all amplifiers
    given: dict[str, Any] = {
        name: None for name in ("gain", "read_noise") if getattr(camera, name) is not None
    }
    given |= {"overscan": ()} if camera.overscan else {}
    amplifiers: tuple[Amplifier, ...] = facts.get("amplifiers") or ()
    facts["amplifiers"] = tuple(replace(one, **given) for one in amplifiers) or None
    return camera.completed_by(facts)


def _above(
    bias_level: float, saturation: float | Mapping[str, float]
) -> float | dict[str, float] | None:
    """Return the same counted from a level; None where nothing is left."""
    if isinstance(saturation, Mapping):
        moved = {channel: level - bias_level for channel, level in saturation.items()}
        return moved if min(moved.values()) > 0 else None
    return saturation - bias_level if saturation > bias_level else None


def _agreed(name: str, stated: Sequence[tuple[str, Any]]) -> Any:
    """Return the fact on which all headers agree that have it."""
    known = [(path, value) for path, value in stated if value is not None]
    if not known:
        return None
    first_path, first = known[0]
    for path, value in known[1:]:
        if not (isinstance(first, float) and math.isclose(first, value, rel_tol=1e-3)) and (
            first != value
        ):
            raise HeaderError(
                f"the headers disagree on the camera's {name}: {first_path} gives {first!r}, "
                f"{path} gives {value!r}; open the files apart, or give a Camera with {name}"
            )
    return first


def _of_products(
    name: str, records: Sequence[FileRecord], channels: Mapping[str, Any] | None
) -> float | dict[str, float] | None:
    """Return gain or saturation of calibrated files, by channel where channels differ.

    The gain is the one that the calibration assumed (CALBGAIN), else that of the header; of several
    levels of saturation, which go with the masters that were applied, it is the lowest.
    """
    stated: dict[str, list[tuple[str, Any]]] = {}
    for record in records:
        fact = record.facts.get(name)
        assumed = value_of(record.header, "CALBGAIN") if name == "gain" else None
        if is_number(assumed) and assumed > 0:
            fact = assumed
        channel = record.place.channel if record.place else schema.MONO
        stated.setdefault(channel, []).append((record.path, fact))
    known: dict[str, float] = {}
    for channel, facts in stated.items():
        levels = [level for _, level in facts if level is not None]
        if levels:
            known[channel] = float(_agreed(name, facts) if name == "gain" else min(levels))
    if not known:
        return None
    if len(set(known.values())) == 1:
        return next(iter(known.values()))
    return known if set(known) == set(channels or (schema.MONO,)) else None


def _product_channels(records: Sequence[FileRecord]) -> dict[str, ChannelSlice] | None:
    channels: dict[str, ChannelSlice] = {}
    for record in records:
        place = record.place
        if place is not None and place.channel != schema.MONO:
            # a camera counts from the corner of the raw frame, a file from its own first pixel
            channels[place.channel] = place.cut.seen_from(-place.y, -place.x)
    steps = {(cut.y_step, cut.x_step) for cut in channels.values()}
    return channels if len(steps) == 1 else None
