"""Gain and read noise of a camera that does not tell them, measured from the night itself."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autowisp_xr import io, measure, schema
from autowisp_xr.camera import Camera
from autowisp_xr.cards import first_value, value_of
from autowisp_xr.errors import AutowispError, AutowispWarning, HeaderError
from autowisp_xr.io import FileRecord, Spellings
from autowisp_xr.io.settle import settle_camera
from autowisp_xr.night.sets import FrameSet

__all__ = ["KnownCamera", "know_camera", "setting_hint", "told", "unknown_noise"]

_UNITS = {"gain": "e/ADU", "read_noise": "e", "saturation": "ADU", "bias_level": "ADU"}


@dataclass(frozen=True, kw_only=True)
class KnownCamera:
    """What is known of the camera of one setup, after measuring."""

    camera: Camera | None
    note: str = ""
    """What was measured, or why it could not be; "" where nothing had to be."""
    measured: bool = False


def unknown_noise(sets: Sequence[FrameSet], camera: Camera | None) -> list[str]:
    """Which of gain and read noise neither the user nor the headers of a setup say."""
    said = settle_camera([record for one in sets for record in one.records], camera, None)
    return said.unknown_noise


def told(sets: Sequence[FrameSet], camera: Camera | None) -> str:
    """What is known of the camera of a setup, of the user, the headers, or measured; in a line."""
    try:
        said = settle_camera([record for one in sets for record in one.records], camera, None)
    except HeaderError:
        return ""
    known = [
        f"{name.replace('_', ' ')} {_number(getattr(said, name))} {unit}"
        for name, unit in _UNITS.items()
        if getattr(said, name)
    ]
    if said.image_area:
        known.append(f"image area {said.image_area}")
    if said.overscan:
        known.append(f"overscan {' and '.join(map(str, said.overscan))}")
    if said.amplifiers:
        known.append(_amplifiers(said))
    return f"the camera: {'; '.join(known)}" if known else ""


def _amplifiers(camera: Camera) -> str:
    """How many there are, and between what their numbers lie."""
    parts = [f"{len(camera.amplifiers)} amplifiers"]
    for name in ("gain", "read_noise"):
        own = [getattr(one, name) for one in camera.amplifiers if getattr(one, name) is not None]
        if own:
            ends = " to ".join(_number(number) for number in sorted({min(own), max(own)}))
            parts.append(f"{name.replace('_', ' ')} {ends} {_UNITS[name]}")
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


def know_camera(sets: Sequence[FrameSet], camera: Camera | None) -> KnownCamera:
    """Measure gain and read noise where they are not known.

    Parameters
    ----------
    sets
        All frames of one setup.
    camera
        What the user says; this is never overruled. What a header says of the gain is, where the
        read noise has to be measured: both come from the same frames then.
    """
    try:
        unknown = unknown_noise(sets, camera)
    except HeaderError:
        # which set it is that contradicts itself is said when it is worked on
        return KnownCamera(camera=camera)
    if not unknown:
        return KnownCamera(camera=camera)
    what = " and ".join(name.replace("_", " ") for name in unknown)
    flats = [record for one in sets if one.traits.kind == "flat" for record in one.records]
    biases = max((one.records for one in sets if one.traits.kind == "bias"), key=len, default=())
    try:
        return _measured(flats, biases, camera)
    except (AutowispError, OSError, ValueError) as error:
        reason = str(error)
    if len(flats) < 2 or len(biases) < 2:
        reason = f"that takes two flats and two biases, there are {len(flats)} and {len(biases)}"
    return KnownCamera(
        camera=camera,
        note=f"{what} of the camera not known, and could not be measured: {reason} (the "
        "camera.toml of another night serves as --camera)" + setting_hint(sets, unknown),
    )


def _measured(
    flats: Sequence[FileRecord], biases: Sequence[FileRecord], camera: Camera | None
) -> KnownCamera:
    if len(flats) < 2 or len(biases) < 2:
        raise AutowispError("too few frames")
    frames = [io.open_records(records, camera=camera) for records in (flats, biases)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AutowispWarning)
        result = measure.gain_and_read_noise(*frames)
    channels = schema.camera_of(frames[0]).channels
    base = replace(camera or Camera(), channels=channels)
    known = measure.completed_camera(base, result)
    parts = []
    for i, channel in enumerate(result["channel"].values.tolist()):
        numbers = {
            name: float(result[name].values[i])
            for name in result.data_vars
            if result[name].dims == ("channel",)
        }
        parts.append(
            ("" if result.sizes["channel"] == 1 else f"{channel}: ")
            + f"gain {numbers['gain']:.3f} +- {numbers['gain_error']:.3f} e/ADU, read noise "
            f"{numbers['read_noise']:.2f} +- {numbers['read_noise_error']:.2f} e "
            f"({numbers['read_noise_adu']:.2f} ADU)"
        )
    note = f"measured from {len(flats)} flats and {len(biases)} biases: {'; '.join(parts)}"
    said = first_value(flats[0].header, Spellings().electrons_per_adu)
    if said is not None:
        note += f"; the header says EGAIN = {said}"
    if camera is not None and camera.gain is not None:
        note += f"; the gain {camera.gain} of the camera file is used"
    note += "".join(f"; {warning.message}" for warning in caught)
    return KnownCamera(camera=known, note=note, measured=True)
