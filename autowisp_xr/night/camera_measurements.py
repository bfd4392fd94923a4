"""The measurements of a camera, a function each, and :data:`MEASUREMENTS` with a row for each.

A new one is a function that returns what it :class:`~.camera_findings.Found`, and a row with a
sentence on which frames to take for each of its quantities.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from autowisp_xr import measure, plot, provenance, schema
from autowisp_xr.arrays import Floats
from autowisp_xr.camera import Camera
from autowisp_xr.camera.amplifiers import Amplifier
from autowisp_xr.camera.response import Linearity
from autowisp_xr.errors import CalibrationError
from autowisp_xr.measure.linearity import curves_of
from autowisp_xr.measure.saturation_level import with_saturation
from autowisp_xr.night.camera_findings import (
    Found,
    Measurement,
    SetupFrames,
    of_channels,
    values_of,
    with_error,
)
from autowisp_xr.night.checks_of_raw import opened
from autowisp_xr.night.defect_masks import described
from autowisp_xr.night.sentences import counted, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FLATS, _LIGHTS = 40, 5
"""Frames in which it is looked for where pixels stop."""

_SURE = 2.0
"""Uncertainties that a curve is off a straight line, for it to be worth its own."""

_POOR = 0.02
"""Relative uncertainty at its end with which it is no use to make light of signals."""


def saturation(frames: SetupFrames) -> Found:
    """Find where pixels stop."""
    some = {"flat": frames.some("flat", _FLATS), "object": frames.some("object", _LIGHTS)}
    records = [record for of_kind in some.values() for record in of_kind]
    if not records:
        raise CalibrationError("there are no flats and no lights")
    names = {"flat": "flat", "object": "light"}
    used = " and ".join(counted(len(of), names[kind]) for kind, of in some.items() if of)
    ds, level = opened(records, frames.camera), frames.camera.bias_level
    found = measure.saturation(ds, camera=Camera(bias_level=level))
    known = np.isfinite(found["saturation"].values)
    levels = np.unique(found["saturation"].values[known])
    if not levels.size:
        why = f"no frame stops at a value, up to {float(found['brightest'].max()):g} ADU"
        return Found(values={"saturation": ""}, frames=used, why_not=why)
    value = f"{' and '.join(f'{one:g}' for one in levels)} ADU"
    given = Camera(channels=schema.camera_of(ds).channels, bias_level=level)
    plateaus = provenance.history(found)[-1]["options"]["plateaus"]
    values = plateaus[schema.names(found, "channel")[int(known.argmax())]]
    stops = min(values, key=lambda name: abs(values[name] - level - found["saturation"][known][0]))
    drawn = ds.isel(frame=[schema.names(ds, "frame").index(stops)])
    return Found(
        values={"saturation": value + (f" above {level:g} ADU" if level else "")},
        frames=f"{int(found['frames'].max())} of {used}",
        facts=of_channels(with_saturation(given, found), "saturation"),
        pictures={"saturation": partial(plot.saturation, found, drawn)},
    )


def linearity(frames: SetupFrames) -> Found:
    """Measure how the signal grows with the light, and where it ends."""
    flats, biases = frames.ladder(), frames.biases()
    if flats is None:
        raise CalibrationError("there are no flats")
    found = measure.linearity(flats, bias=biases, camera=frames.camera_of(flats))
    bends = found["bend"].values, found["bend_error"].values
    curves, facts = curves_of(found), {}
    poor = bool((bends[1] > _POOR).any())
    if not (np.abs(bends[0]) > _SURE * bends[1]).any():
        # a curve that is none would add its uncertainty and nothing else
        curves = {name: Linearity(limit=one.limit) for name, one in curves.items()}
    channels = schema.camera_of(flats).channels
    known = dict(curves) if len(curves) > 1 else next(iter(curves.values()))
    if not poor:
        facts = of_channels(Camera(channels=channels, linearity=known), "linearity")
    wells = found["full_well"].values
    full = bool(np.isfinite(wells).all())
    if full and biases is not None and frames.camera.saturation is None:
        # a camera counts its saturation from its bias_level on
        level = biases["image"].isel(frame=0).median(("y", "x")).values - frames.camera.bias_level
        levels = xr.Dataset({"saturation": ("channel", wells + level)}, {"channel": found.channel})
        facts |= of_channels(with_saturation(Camera(channels=channels), levels), "saturation")
    taken = ", which is taken for saturation" if "saturation" in facts else ""
    percent = found.assign(bend=100 * found["bend"], bend_error=100 * found["bend_error"])
    off = f"{values_of(percent, 'bend', '%')} at its end, {_listed(found['limit'].values)} ADU"
    remark = f" {sentence('poor_curve')}" if poor else ""
    return Found(
        values={
            "linearity": f"off a line by {off}{remark}",
            "full well": f"{_listed(wells)} ADU above the bias{taken}" if full else "",
        },
        frames=counted(flats.sizes["frame"], "flat"),
        facts=facts,
        pictures={"linearity": partial(plot.linearity, found)},
        why_not="" if full else "no two flats show that more light makes no more signal",
    )


def _listed(levels: Floats) -> str:
    """Write a level of each channel, in whole ADU."""
    return ", ".join(dict.fromkeys(f"{value:.0f}" for value in levels.tolist()))


def noise(frames: SetupFrames) -> Found:
    """Measure gain and read noise; of biases alone the latter, by a gain that is known."""
    flats, (biases, words) = frames.open("flat"), frames.unlit()
    quantities = {"gain": "", "read noise": ""}
    if biases is None:
        raise CalibrationError("there are no biases")
    if flats is None or flats.sizes["frame"] < 2:
        return _read_noise_alone(frames, biases, words, "there are not two flats")
    used = f"{counted(flats.sizes['frame'], 'flat')} and {words}"
    camera = frames.camera_of(flats)
    if camera.amplifiers:
        return _noise_of_amplifiers(camera, flats, biases, used)
    found = measure.gain_and_read_noise(flats, biases, camera=camera)
    stated = replace(camera, gain=frames.stated.gain, read_noise=frames.stated.read_noise)
    completed = measure.completed_camera(stated, found)
    for quantity, unit in (("gain", "e/ADU"), ("read noise", "e")):
        name = quantity.replace(" ", "_")
        quantities[quantity] = values_of(found, name, unit) + frames.header_line(name)
    adu = values_of(found, "read_noise_adu", "ADU")
    quantities["read noise"] += f", {adu}"
    return Found(
        values=quantities,
        frames=used,
        facts=of_channels(completed, "gain", "read_noise"),
        pictures={"photon-transfer": partial(plot.photon_transfer_curve, found)},
    )


def _read_noise_alone(frames: SetupFrames, biases: xr.Dataset, used: str, why: str) -> Found:
    camera = frames.camera_of(biases)
    found = measure.read_noise(biases, camera=camera)
    adu = values_of(found, "read_noise_adu", "ADU")
    facts: dict[str, Any] = {}
    if camera.gain is not None:
        both = found.assign(
            gain=found["read_noise_adu"] * np.nan, read_noise=found["read_noise_adu"]
        )
        facts = of_channels(measure.completed_camera(camera, both), "read_noise")
    return Found(values={"gain": "", "read noise": adu}, frames=used, facts=facts, why_not=why)


def _noise_of_amplifiers(camera: Camera, flats: xr.Dataset, biases: xr.Dataset, used: str) -> Found:
    """Measure each amplifier by its own pixels; what is stated of it stays."""
    amplifiers: list[Amplifier] = []
    pictures: dict[str, Callable[[], Figure]] = {}
    texts: dict[str, list[str]] = {"gain": [], "read noise": []}
    for number, amplifier in enumerate(camera.amplifiers):
        found = measure.gain_and_read_noise(flats, biases, camera=camera.of_amplifier(number))
        own = measure.completed_camera(Camera(gain=amplifier.gain), found)
        noise = own.read_noise if amplifier.read_noise is None else amplifier.read_noise
        amplifiers.append(replace(amplifier, gain=own.gain, read_noise=noise))
        name = amplifier.name or f"amplifier {number + 1}"
        texts["gain"].append(f"{values_of(found, 'gain', 'e/ADU')} ({name})")
        texts["read noise"].append(f"{values_of(found, 'read_noise', 'e')} ({name})")
        pictures[f"photon-transfer-{number + 1}"] = partial(plot.photon_transfer_curve, found)
    values = {quantity: ", ".join(of) for quantity, of in texts.items()}
    facts = {"amplifiers": tuple(amplifiers)}
    return Found(values=values, frames=used, facts=facts, pictures=pictures)


def dark_current(frames: SetupFrames) -> Found:
    """Measure the dark current, and how it grows with temperature."""
    darks, biases = frames.open("dark"), frames.open("bias")
    if darks is None:
        raise CalibrationError("there are no darks")
    found = measure.dark_current(darks, biases, camera=frames.camera_of(darks))
    unit = str(found["current"].attrs["units"]).replace("adu", "ADU").replace("electron", "e")
    rates = []
    for number, degrees in enumerate(found["temperature"].values.tolist()):
        at = f" at {degrees:.1f} C" if math.isfinite(degrees) else ""
        rates.append(values_of(found.isel(temperature=number), "current", f"{unit}{at}"))
    used = counted(int(found["darks"].sum()), "dark")
    used += f" and {int(found['biases'].max())} biases" if found["biases"].any() else ""
    degrees, error = (found[name].values for name in ("doubling", "doubling_error"))
    doubling, facts = "", {}
    if np.isfinite(degrees).all():
        # what differs between channels is noise: it is one piece of silicon
        weights = 1 / error**2 if np.isfinite(error).all() else None
        mean = float(np.average(degrees, weights=weights))
        own = float((1 / (1 / error**2).sum()) ** 0.5) if weights is not None else math.nan
        doubling = f"{with_error(mean, own)} C near {float(found['doubling_at'][0]):.0f} C"
        facts = {"dark_doubling": mean}
    return Found(
        values={"dark current": "; ".join(rates), "doubling temperature": doubling},
        frames=used,
        facts=facts,
        pictures={"dark-current": partial(plot.dark_current, found)},
        why_not="" if doubling else _why_no_doubling(found["temperature"].values),
    )


def defects(frames: SetupFrames) -> Found:
    """Find defective pixels."""
    unlit = {kind: frames.open_sets(kind, 2) for kind in ("bias", "dark")}
    sets = [one for of_kind in unlit.values() for one in of_kind]
    if not sets:
        raise CalibrationError("there are no two biases, nor two darks of one exposure")
    camera = frames.camera_of(sets[0])
    level_known = unlit["bias"] or camera.overscan or camera.bias_level
    flats = frames.open_sets("flat") if level_known else None
    found = measure.defects(biases=unlit["bias"], darks=unlit["dark"], flats=flats, camera=camera)
    text, used = described(found)
    pictures = {"defects": partial(plot.defects, found)}
    return Found(values={"defects": text}, frames=used, pictures=pictures, masks={"defects": found})


def _why_no_doubling(degrees: Floats) -> str:
    if not np.isfinite(degrees).any():
        return "the darks do not state their temperature (CCD-TEMP or the like)"
    if len(degrees) < 2:
        return f"all darks are at {degrees[0]:.1f} C"
    listed = " and ".join(f"{one:.1f}" for one in degrees)
    return f"between {listed} C no growth is sure"


MEASUREMENTS = (
    # saturated flats are none for the gain, and the gain makes electrons of what follows
    Measurement(saturation, {"saturation": sentence("take_for_saturation")}),
    # it bends the noise of flats, too
    Measurement(
        linearity,
        {"linearity": sentence("take_for_linearity"), "full well": sentence("take_for_full_well")},
    ),
    Measurement(
        noise,
        {"gain": sentence("take_for_gain"), "read noise": sentence("take_for_read_noise")},
    ),
    Measurement(
        dark_current,
        {
            "dark current": sentence("take_for_dark_current"),
            "doubling temperature": sentence("take_for_doubling"),
        },
    ),
    Measurement(defects, {"defects": sentence("take_for_defects")}),
)
"""Everything that is measured, in this order."""
