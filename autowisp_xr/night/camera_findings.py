"""What frames show of a camera, quantity by quantity: a function for each measurement.

A new one is a function that returns what it :class:`Found`, and a row of :data:`MEASUREMENTS`, with
a sentence on which frames to take for each quantity.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import measure, plot, schema
from autowisp_xr.amplifiers import Amplifier
from autowisp_xr.arrays import Floats
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispError, AutowispWarning, CalibrationError
from autowisp_xr.frames import FileRecord
from autowisp_xr.measure.raw_input import spread
from autowisp_xr.measure.saturation_level import with_saturation
from autowisp_xr.night import camera_words
from autowisp_xr.night.checks_of_raw import opened
from autowisp_xr.night.frame_sets import FrameSet, records_of
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.summarised_lines import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FLATS, _LIGHTS = 40, 5
"""Frames in which it is looked for where pixels stop."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One quantity of a camera, as it was measured; or why it was not."""

    quantity: str
    value: str = ""
    """With uncertainty and unit; "" where it was not measured."""
    frames: str = ""
    """From which it is."""
    why_not: str = ""
    remedy: str = ""
    """Which frames to take."""

    def __str__(self) -> str:
        if self.value:
            return f"{self.quantity}: {self.value}, from {self.frames}"
        return f"{self.quantity}: not measured: {self.why_not}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one measurement found."""

    values: Mapping[str, str]
    """With uncertainty and unit, by quantity; those that are "" were not measured."""
    frames: str
    """From which they are."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Fields of a :class:`~autowisp_xr.Camera`."""
    pictures: Mapping[str, Callable[[], "Figure"]] = field(default_factory=dict)
    """What draws each, by the name of its file."""
    why_not: str = ""


@dataclass
class SetupFrames:
    """The frames of one setup of a camera, and what is known of it."""

    sets: Sequence[FrameSet]
    stated: Camera
    """What the user states, which is never overruled."""
    measured: dict[str, Any] = field(default_factory=dict)
    """Fields of a camera that were measured before."""

    @property
    def camera(self) -> Camera:
        """What the user states, completed by what was measured."""
        facts = dict(self.measured)
        amplifiers = facts.pop("amplifiers", self.stated.amplifiers)
        return replace(self.stated.completed_by(facts), amplifiers=amplifiers)

    def some(self, kind: str, most: int | None = None) -> list[FileRecord]:
        """List frames of a kind, some of them spread evenly."""
        records = records_of(self.sets, kind)
        return [records[number] for number in spread(len(records), most)] if records else []

    def open(self, kind: str) -> xr.Dataset | None:
        """Open the frames of a kind; None where there are none."""
        records = self.some(kind)
        return opened(records, self.camera) if records else None

    def biases(self) -> xr.Dataset | None:
        """Open the largest set of biases: levels of other temperatures are others."""
        sets = (list(one.records) for one in self.sets if one.traits.kind == "bias")
        records = max(sets, key=len, default=[])
        return opened(records, self.camera) if records else None

    def header_line(self, name: str) -> str:
        """Return what headers state of gain or read noise, in brackets; "" for nothing."""
        values = camera_words.stated_by(records_of(self.sets), name)
        listed = " and ".join(f"{value:g}" for value in values)
        return f" (the headers state {listed})" if listed else ""

    def camera_of(self, ds: xr.Dataset) -> Camera:
        """Return what is known of the camera of some frames: areas of headers, noise as measured.

        Frames are opened by a gain and a read noise that stand for none.
        """
        known, headers = self.camera, camera_words.resolved(records_of(self.sets), self.stated)
        gain = known.gain if known.gain is not None or headers is None else headers.gain
        return replace(schema.camera_of(ds), gain=gain, read_noise=known.read_noise)


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
    levels = found["saturation"].values
    levels = np.unique(levels[np.isfinite(levels)])
    if not levels.size:
        why = f"no frame stops at a value, up to {float(found['brightest'].max()):g} ADU"
        return Found(values={"saturation": ""}, frames=used, why_not=why)
    value = f"{' and '.join(f'{one:g}' for one in levels)} ADU"
    given = Camera(channels=schema.camera_of(ds).channels, bias_level=level)
    return Found(
        values={"saturation": value + (f" above {level:g} ADU" if level else "")},
        frames=f"{int(found['frames'].max())} of {used}",
        facts=_per_channel(with_saturation(given, found), "saturation"),
    )


def noise(frames: SetupFrames) -> Found:
    """Measure gain and read noise; of biases alone the latter, by a gain that is known."""
    flats, biases = frames.open("flat"), frames.biases()
    quantities = {"gain": "", "read noise": ""}
    if biases is None:
        raise CalibrationError("there are no biases")
    if flats is None or flats.sizes["frame"] < 2:
        return _read_noise_alone(frames, biases, "there are not two flats")
    used = f"{counted(flats.sizes['frame'], 'flat')} and {biases.sizes['frame']} biases"
    camera = frames.camera_of(flats)
    if camera.amplifiers:
        return _noise_of_amplifiers(camera, flats, biases, used)
    found = measure.gain_and_read_noise(flats, biases, camera=camera)
    stated = replace(camera, gain=frames.stated.gain, read_noise=frames.stated.read_noise)
    completed = measure.completed_camera(stated, found)
    for quantity, unit in (("gain", "e/ADU"), ("read noise", "e")):
        name = quantity.replace(" ", "_")
        quantities[quantity] = _values(found, name, unit) + frames.header_line(name)
    adu = _values(found, "read_noise_adu", "ADU")
    quantities["read noise"] += f", {adu}"
    return Found(
        values=quantities,
        frames=used,
        facts=_per_channel(completed, "gain", "read_noise"),
        pictures={"photon-transfer": partial(plot.photon_transfer_curve, found)},
    )


def _read_noise_alone(frames: SetupFrames, biases: xr.Dataset, why: str) -> Found:
    camera = frames.camera_of(biases)
    found = measure.read_noise(biases, camera=camera)
    adu = _values(found, "read_noise_adu", "ADU")
    facts: dict[str, Any] = {}
    if camera.gain is not None:
        both = found.assign(
            gain=found["read_noise_adu"] * np.nan, read_noise=found["read_noise_adu"]
        )
        facts = _per_channel(measure.completed_camera(camera, both), "read_noise")
    used = f"{biases.sizes['frame']} biases"
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
        texts["gain"].append(f"{_values(found, 'gain', 'e/ADU')} ({name})")
        texts["read noise"].append(f"{_values(found, 'read_noise', 'e')} ({name})")
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
    unit = str(found["rate"].attrs["units"]).replace("adu", "ADU").replace("electron", "e")
    rates = []
    for number, degrees in enumerate(found["temperature"].values.tolist()):
        at = f" at {degrees:.1f} C" if math.isfinite(degrees) else ""
        rates.append(_values(found.isel(temperature=number), "rate", f"{unit}{at}"))
    used = counted(int(found["darks"].sum()), "dark")
    used += f" and {int(found['biases'].max())} biases" if found["biases"].any() else ""
    degrees, error = (found[name].values for name in ("doubling", "doubling_error"))
    doubling, facts = "", {}
    if np.isfinite(degrees).all():
        # what differs between channels is noise: it is one piece of silicon
        weights = 1 / error**2 if np.isfinite(error).all() else None
        mean = float(np.average(degrees, weights=weights))
        own = float((1 / (1 / error**2).sum()) ** 0.5) if weights is not None else math.nan
        doubling = f"{_with_error(mean, own)} C near {float(found['doubling_at'][0]):.0f} C"
        facts = {"dark_doubling": mean}
    return Found(
        values={"dark current": "; ".join(rates), "doubling temperature": doubling},
        frames=used,
        facts=facts,
        pictures={"dark-current": partial(plot.dark_current, found)},
        why_not="" if doubling else _why_no_doubling(found["temperature"].values),
    )


def _why_no_doubling(degrees: Floats) -> str:
    if not np.isfinite(degrees).any():
        return "the darks do not state their temperature (CCD-TEMP or the like)"
    if len(degrees) < 2:
        return f"all darks are at {degrees[0]:.1f} C"
    listed = " and ".join(f"{one:.1f}" for one in degrees)
    return f"between {listed} C no growth is sure"


class Measurement(NamedTuple):
    """A row of what is measured."""

    measure: Callable[[SetupFrames], Found]
    remedies: Mapping[str, str]
    """Which frames to take for each quantity, by its name."""


MEASUREMENTS = (
    # saturated flats are none for the gain, and the gain makes electrons of what follows
    Measurement(saturation, {"saturation": sentence("take_for_saturation")}),
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
)
"""Everything that is measured, in this order."""


class Result(NamedTuple):
    """What came of one measurement."""

    findings: list[Finding]
    notes: list[str]
    pictures: Mapping[str, Callable[[], "Figure"]]


def measured(row: Measurement, frames: SetupFrames) -> Result:
    """Measure one row, add what is found to what is known of the camera, and never fail."""
    recording = warnings.catch_warnings(record=True, action="always", category=AutowispWarning)
    found = Found(values={}, frames="")
    try:
        with recording as caught:
            found = row.measure(frames)
        notes = [str(one.message) for one in caught if issubclass(one.category, AutowispWarning)]
    except (AutowispError, OSError, ValueError) as error:
        found, notes = replace(found, why_not=str(error)), []
    frames.measured |= {name: value for name, value in found.facts.items() if value is not None}
    findings = []
    for quantity, remedy in row.remedies.items():
        value = found.values.get(quantity, "")
        frames_or_why = {"frames": found.frames} if value else {"why_not": found.why_not}
        findings.append(Finding(quantity=quantity, value=value, remedy=remedy, **frames_or_why))
    return Result(findings, notes, found.pictures)


def _per_channel(camera: Camera, *names: str) -> dict[str, Any]:
    """Return facts of a camera, with its channels where a number of each is given."""
    facts = {name: getattr(camera, name) for name in names}
    if any(isinstance(value, Mapping) for value in facts.values()):
        facts = {"channels": camera.channels, **facts}
    return facts


def _values(found: xr.Dataset, name: str, unit: str) -> str:
    """Write a quantity of each channel with its uncertainty."""
    channels = schema.names(found, "channel")
    numbers = zip(found[name].values.tolist(), found[f"{name}_error"].values.tolist(), strict=True)
    texts = [_with_error(*of) for of in numbers]
    if len(texts) == 1:
        return f"{texts[0]} {unit}"
    listed = ", ".join(f"{text} ({one})" for one, text in zip(channels, texts, strict=True))
    return f"{listed} {unit}"


def _with_error(value: float, error: float) -> str:
    """Write a number with its uncertainty, which has two digits; three digits without one."""
    if not error > 0:
        return f"{value:.3g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{digits}f} +- {error:.{digits}f}"
