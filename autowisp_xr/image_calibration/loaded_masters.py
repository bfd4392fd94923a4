"""The masters and masks that the classes hold: files by channel, assembled on demand.

The original applies whatever has the right shape, and so do the classes; they warn where a header
shows that it was hardly meant.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from os.path import expanduser
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

from autowisp_xr import provenance
from autowisp_xr.arrays import Image
from autowisp_xr.errors import AutowispWarning, CalibrationError, HeaderError, ImageMismatchError
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.frames.open import open_planes
from autowisp_xr.frames.product_hdus import plain_header
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.bunit import unit_of
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.processing import Statement, stated_bias, stated_correction
from autowisp_xr.headers.values import Cards, to_number
from autowisp_xr.image_calibration.mask_utilities import combine_masks
from autowisp_xr.image_calibration.raw_frame import Channels, by_channel, inside, interleaved
from autowisp_xr.kinds import KINDS, may_be
from autowisp_xr.matching import reason_against
from autowisp_xr.matching.pixel_types import FRACTIONS, are_fractions
from autowisp_xr.matching.traits import Traits
from autowisp_xr.regions import Region

_FLAT_RANGE = (0.2, 5.0)
_HOLDS, _LEAST_LEVEL = 0.9, 20.0
"""From which share of the level of the bias on, which is no less, a dark seems to hold it."""

NOT_ASKED = ("size", "area", "channels", "unit", "pixel_type")
"""Traits that the original checks itself, or not at all."""


class _Unset:
    """Stands for an argument that was not given, where None has a meaning of its own."""

    def __repr__(self) -> str:
        return "<as it was>"


UNSET: Any = _Unset()

MasterFiles = str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str | None, Any] | None
"""A file, or of masks several; the same by channel; None for none."""


class Loaded(NamedTuple):
    """The master of a channel as it was read, or its masks."""

    name: str | list[str]
    """The file, or several."""
    entries: list[dict[str, Any]]
    """The entries of the files in the history."""
    planes: dict[str, Image]
    header: fits.Header | None = None
    sha1: str = ""
    traits: Traits = Traits(kind="other")
    level: float = 1.0
    """The median of some pixels."""
    bias: Statement | None = None
    """Whether the bias was subtracted from it; None where nothing states it."""
    fractions: bool = False
    """Whether its pixels look like counts divided by the largest that there can be."""

    def __repr__(self) -> str:
        return repr(self.name)


class LoadedMaster:
    """A master in float64, or separate masks, of one or more files a channel, in memory.

    Parameters
    ----------
    kind
        "bias", "dark", "flat" or "masks".
    given
        A file (of masks, a list of them, too), or {channel: file}. They are matched with channels
        when they are used, as a call may name other channels.
    """

    def __init__(self, kind: str, given: MasterFiles) -> None:
        self.what = "mask" if kind == "masks" else f"master {kind}"
        self._warned: set[str] = set()
        self._loaded: Any = (
            {channel: self._read(kind, part) for channel, part in given.items()}
            if isinstance(given, Mapping)
            else self._read(kind, given)
        )
        self._last: tuple[object, dict[str, Any]] = (None, {})

    def of(self, channels: Channels) -> dict[str | None, Loaded]:
        """Return the files of each channel; a CalibrationError where one has none."""
        return by_channel(self._loaded, channels, f"the {self.what}")

    def assembled(self, channels: Channels, shape: tuple[int, int]) -> dict[str, Any]:
        """Return the planes for a frame of this shape whose channels lie at these slices.

        Returns
        -------
        ``filenames`` and what was ``loaded``, by channel; the entries of the ``files`` in the
        history; and the planes by name, each (y, x): ``correction``, ``variance`` and ``mask`` of a
        master, ``image`` of masks.

        Raises
        ------
        CalibrationError
            For a channel without a file.
        ImageMismatchError
            Where a file does not have the shape of its channel, naming the file and both shapes.
        """
        place = (shape, repr(channels))
        if self._last[0] != place:
            self._last = (place, self._assembled(channels, shape))
        return self._last[1]

    def as_configured(
        self, channels: Channels, area: Region | Mapping[str, int] | str | None
    ) -> dict[str, Any]:
        """Return the planes for ``area``, or for the smallest frame that holds all pixels."""
        if area is not None:
            region = Region.parse(area)
            return self.assembled(inside(channels, region), region.shape)
        ends = [
            [
                (part.start or 0) + (size - 1) * (part.step or 1) + 1
                for part, size in zip(channels[name], _shape_of(loaded), strict=True)
            ]
            for name, loaded in self.of(channels).items()
        ]
        height, width = np.max(ends, axis=0).tolist()
        return self.assembled(channels, (height, width))

    def warn_of_doubts(
        self, kind: str, params: Mapping[str, Any], raw: fits.Header, wanted: Traits
    ) -> None:
        """Warn, once for each, of signs that the master belongs to other frames.

        These are another type, channel, area, exposure or level; and a correction that was made
        before, by the header of the frame, and would be made twice.

        Parameters
        ----------
        kind
            "bias", "dark" or "flat".
        params
            Resolved parameters of the frame, the assembled master among them.
        raw, wanted
            Header of the frame, and its traits.
        """
        for reason in _doubts(kind, params, raw, wanted):
            if reason not in self._warned:
                self._warned.add(reason)
                warnings.warn(
                    f"{reason}; it is applied as the {self.what} all the same",
                    AutowispWarning,
                    stacklevel=4,
                )

    def _assembled(self, channels: Channels, shape: tuple[int, int]) -> dict[str, Any]:
        chosen = self.of(channels)
        for name, loaded in chosen.items():
            found, expected = _shape_of(loaded), np.empty(shape, bool)[channels[name]].shape
            if found != expected:
                raise ImageMismatchError(
                    f"the {self.what} {loaded.name} has the shape {found} (rows, columns), the "
                    f"image area has {expected}"
                    + (f" in the channel {name!r}" if name is not None else "")
                )
        first = next(iter(chosen.values()))
        planes = first.planes
        if len(chosen) > 1 or _shape_of(first) != shape:
            planes = {
                plane: interleaved(
                    {name: loaded.planes[plane] for name, loaded in chosen.items()},
                    *(channels, shape, self.what),
                )[0]
                for plane in first.planes
            }
        # what frames have made of them is kept for the next
        for plane in planes.values():
            plane.flags.writeable = False
        names = {name: loaded.name for name, loaded in chosen.items()}
        files = [entry for loaded in chosen.values() for entry in loaded.entries]
        return {"filenames": names, "files": files, "loaded": chosen, **planes}

    def _read(self, kind: str, part: object) -> Loaded:
        if self.what == "mask":
            files = [part] if isinstance(part, str | PathLike) else part
            if not isinstance(files, list | tuple):
                raise CalibrationError(
                    f"masks are a file, a list of files, or {{channel: file or list}}, not {part!r}"
                )
            names = [expanduser(file) for file in files]
            entries = [provenance.file_entry(name) for name in names]
            return Loaded(names, entries, {"image": combine_masks(names)})
        if not isinstance(part, str | PathLike):
            raise CalibrationError(
                f"the {self.what} is the name of a file, or {{channel: file}}, not {part!r}"
            )
        path = expanduser(part)
        entry, sha1 = provenance.file_entry(path), provenance.sha1_of(path)
        ds = open_planes([path], dtype="float64")
        image = ds["image"].values[0, 0]
        # without an error plane it counts as free of noise, without a mask as clear
        variance = ds["variance"].values[0, 0] if "variance" in ds else np.zeros_like(image)
        mask = ds["mask"].values[0, 0] if "mask" in ds else np.zeros(image.shape, np.uint8)
        planes = {"correction": image, "variance": variance, "mask": mask}
        header = plain_header(str(ds["header"].values[0]))
        sample = image[::4, ::4]
        sample = sample[np.isfinite(sample)]
        level = float(np.median(sample)) if sample.size else 1.0
        steps = provenance.steps_of(read_layout(path).history)
        traits, bias = traits_of(header, kind), stated_bias(header, steps)
        fractions = are_fractions(sample)
        return Loaded(path, [entry], planes, header, sha1, traits, level, bias, fractions)


def _shape_of(loaded: Loaded) -> tuple[int, ...]:
    return next(iter(loaded.planes.values())).shape


def load_masters(given: Mapping[str, MasterFiles]) -> dict[str, LoadedMaster | None]:
    """Read the masters and masks that are named; None stands for none, UNSET is passed over."""
    return {
        kind: None if files is None else LoadedMaster(kind, files)
        for kind, files in given.items()
        if files is not UNSET
    }


def _doubts(
    kind: str, params: Mapping[str, Any], raw: fits.Header, wanted: Traits
) -> Iterator[str]:
    """Yield the reasons why the files of a master do not seem to belong to a frame."""
    exposure = () if params["exposure_seconds"] in (None, "EXPTIME") else ("exposure",)
    names = [name for name in KINDS[kind].serves if name not in (*NOT_ASKED, *exposure)]
    before = stated_correction(raw, kind)
    for channel, own in params[kind]["loaded"].items():
        file, header = own.name, own.header
        written, named, covered = (
            value_of(header, card) for card in ("IMAGETYP", "CLRCHNL", "IMAGAREA")
        )
        known = None if written is None else KeywordAliases().image_type_of(written)
        if known is not None and not may_be(known, kind):
            yield f"{file} has IMAGETYP {written!r}"
        if named is not None and channel is not None and named != channel:
            yield f"{file} has CLRCHNL {named!r}, and is given for the channel {channel!r}"
        area = str(params["image_area"])
        # a frame that was cut before, as its masters were
        if covered not in (None, area, value_of(raw, "IMAGAREA")):
            yield f"{file} covers the area {covered}, the frames {area}"
        for name in names:
            found = reason_against(wanted, own.traits, names=[name])
            if found is not None:
                yield f"{file} is {found}"
        if before is not None and before.made:
            yield f"{file} is given for frames whose {kind} was corrected before ({before.by})"
        yield from _other_scale(kind, own, raw)
        if kind == "dark":
            yield from _level_of_dark(own, params["bias"] and params["bias"]["loaded"], params)
        if kind == "flat" and not _FLAT_RANGE[0] < own.level < _FLAT_RANGE[1]:
            yield f"{file} has a median of {own.level:.4g}; a master flat is about 1"


def _level_of_dark(
    dark: Loaded, biases: Mapping[str | None, Loaded] | None, params: Mapping[str, Any]
) -> Iterator[str]:
    """Yield why the level without light is subtracted twice, left in, or counts as light."""
    stated, level = dark.bias, bool(params["bias_level_adu"] or params["overscans"])
    if biases is None:
        if stated is not None and not level:
            if stated.made:
                by = f"{dark.name} ({stated.by})"
                yield f"the bias was subtracted from {by}, but is not from the frames"
            else:
                yield (
                    f"{dark.name} holds the bias ({stated.by}), and no other level is subtracted: "
                    "in the uncertainties it counts as light, as in the original"
                )
    elif stated is None:
        of_bias = max(bias.level for bias in biases.values())
        if dark.level > _HOLDS * of_bias > _HOLDS * _LEAST_LEVEL:
            levels = f"a median of {dark.level:.4g}, that of the bias is {of_bias:.4g}"
            yield f"{dark.name} has {levels}: it seems to hold the bias"
    elif not stated.made:
        yield f"{dark.name} holds the bias ({stated.by}), which is subtracted from the frames, too"


def _other_scale(kind: str, own: Loaded, raw: fits.Header) -> Iterator[str]:
    """Yield the reasons why the pixels of a master do not count as those of the frame."""
    added, of_frame = (to_number(value_of(header, "PEDESTAL")) for header in (own.header, raw))
    holds_bias = kind == "bias" or (own.bias is not None and not own.bias.made)
    if abs(added) > 0 and not (holds_bias and abs(added) == abs(of_frame)):
        yield f"{own.name} states PEDESTAL = {added:g}, a constant that is in its pixels"
    if kind == "flat":
        return
    units = [unit_of(value_of(header, "BUNIT") or "adu") for header in (own.header, raw)]
    if units[0] != units[1]:
        yield f"{own.name} is in units of {units[0]!r}, the frames of {units[1]!r}"
    elif own.fractions:
        yield f"{own.name} is in {FRACTIONS}"


def traits_of(header: fits.Header, kind: str = "object") -> Traits:
    """Return what the header of a frame, or of a master of a kind, states of its traits."""
    try:
        stated = read_coordinates(Cards(header, KeywordAliases()), kind)
    except HeaderError:
        # cards that contradict each other state nothing
        stated = {}
    return Traits.of({**stated, "image_type": kind})
