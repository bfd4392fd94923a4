"""What is known of a camera, in words."""

from collections.abc import Mapping, Sequence

from autowisp_xr.camera import Camera
from autowisp_xr.errors import HeaderError
from autowisp_xr.frames.resolve import settle_camera
from autowisp_xr.headers.cards import value_of
from autowisp_xr.night.looks import Seen
from autowisp_xr.night.sets import FrameSet

__all__ = ["UNITS", "setting_hint", "told"]

UNITS = {"gain": "e/ADU", "read_noise": "e", "saturation": "ADU", "bias_level": "ADU"}


def told(sets: Sequence[FrameSet], camera: Camera | None, seen: Seen | None = None) -> str:
    """What is known of the camera of a setup, of the user, the headers, or measured; in a line.

    After a look at its frames, the line says where saturation is not known.
    """
    try:
        said = settle_camera([record for one in sets for record in one.records], camera, None)
    except HeaderError:
        return ""
    known = [
        f"{name.replace('_', ' ')} {_number(getattr(said, name))} {unit}"
        for name, unit in UNITS.items()
        if getattr(said, name)
    ]
    if said.image_area:
        known.append(f"image area {said.image_area}")
    if said.overscan:
        known.append(f"overscan {' and '.join(map(str, said.overscan))}")
    if said.amplifiers:
        known.append(_amplifiers(said))
    unseen = seen.unseen(said) if seen is not None else ""
    known += [unseen] if unseen else []
    return f"the camera: {'; '.join(known)}" if known else ""


def _amplifiers(camera: Camera) -> str:
    """How many there are, and between what their numbers lie."""
    parts = [f"{len(camera.amplifiers)} amplifiers"]
    for name in ("gain", "read_noise"):
        own = [getattr(one, name) for one in camera.amplifiers if getattr(one, name) is not None]
        if own:
            ends = " to ".join(_number(number) for number in sorted({min(own), max(own)}))
            parts.append(f"{name.replace('_', ' ')} {ends} {UNITS[name]}")
    if any(one.overscan for one in camera.amplifiers):
        parts.append("overscan of their own")
    return ", ".join(parts)


def _number(value: float | Mapping[str, float]) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{number:.4g} ({channel})" for channel, number in value.items())
    return f"{value:.4g}" if value < 1000 else f"{value:g}"


def setting_hint(sets: Sequence[FrameSet], unknown: Sequence[str]) -> str:
    """That a GAIN in the headers may be what is asked for, where there is one."""
    if "gain" not in unknown:
        return ""
    for record in (record for one in sets for record in one.records):
        said = value_of(record.header, "GAIN")
        if said is not None:
            return (
                f"; GAIN = {said} in the headers may be a setting: if it is in electrons per ADU, "
                f"say gain = {said} in a camera file"
            )
    return ""
