"""Masters as the classes hold them: files a channel, assembled on the detector."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from os.path import expanduser
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance, schema
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.frames.planes import open_planes
from autowisp_xr.frames.product_hdus import plain_header
from autowisp_xr.image_calibration.channels import Channels, by_channel, inside
from autowisp_xr.image_calibration.mask_utilities import combine_masks
from autowisp_xr.regions import ChannelSlice, Region

__all__ = ["UNSET", "LoadedMaster", "as_dataset", "load_masters"]


class _Unset:
    """In place of an argument that was not given, where None means something."""

    def __repr__(self) -> str:
        return "<as it was>"


UNSET: Any = _Unset()


class _ByChannel:
    """Planes in memory, of one or more files a channel, and where they belong.

    Files are matched with channels when they are used, as a call may name other channels.
    """

    names: ClassVar[tuple[str, ...]]
    """Names of the planes."""
    dtypes: ClassVar[tuple[str, ...]]

    def __init__(self, what: str, given: Any, read: Callable[[Any], tuple[Any, ...]]) -> None:
        self.what = what
        self._given = given
        parts = given.values() if isinstance(given, Mapping) else [given]
        self._files: dict[str, dict[str, Any]] = {}
        self._planes = {repr(part): read(part) for part in parts}
        self._assembled: tuple[Any, dict[str, Any]] | None = None

    def filenames(self, channels: Channels) -> dict[str | None, Any]:
        """Files of each channel; a CalibrationError where one has none."""
        return by_channel(self._given, channels, f"the {self.what}")

    def assembled(self, channels: Channels, shape: tuple[int, int]) -> dict[str, Any]:
        """Planes of a frame of this shape whose channels lie at these slices.

        Returns
        -------
        ``filenames`` by channel, the planes by name, each (y, x), and what the history says of
        the ``files``.

        Raises
        ------
        CalibrationError
            For a channel without a file.
        ImageMismatchError
            Where a file has not the shape of its channel, naming it and both.
        """
        place = (shape, repr(channels))
        found = self._assembled
        if found is None or found[0] != place:
            whole = dict(zip(self.names, self._assemble(channels, shape), strict=True))
            names = self.filenames(channels)
            found = (place, {"filenames": names, **whole, **self._described(names)})
            self._assembled = found
        return found[1]

    def as_configured(self, channels: Channels, area: Any) -> dict[str, Any]:
        """The same in ``area``, or in the smallest frame that holds all pixels."""
        if area is not None:
            region = Region.parse(area)
            shape = (region.ymax - region.ymin, region.xmax - region.xmin)
            return self.assembled(inside(channels, region), shape)
        ends = [
            [
                (part.start or 0) + (size - 1) * (part.step or 1) + 1
                for part, size in zip(channels[name], planes[0].shape, strict=True)
            ]
            for name, planes in self._chosen(channels).items()
        ]
        height, width = np.max(ends, axis=0).tolist()
        return self.assembled(channels, (height, width))

    def _described(self, filenames: Mapping[str | None, Any]) -> dict[str, Any]:
        """What is known of the files since they were read."""
        return {"files": [self._files[file] for file in _flat(filenames.values())]}

    def _chosen(self, channels: Channels) -> dict[str | None, tuple[Any, ...]]:
        given = by_channel(self._given, channels, f"the {self.what}")
        return {name: self._planes[repr(part)] for name, part in given.items()}

    def _assemble(self, channels: Channels, shape: tuple[int, int]) -> tuple[Any, ...]:
        chosen = self._chosen(channels)
        for name, planes in chosen.items():
            expected = _plane_shape(channels[name], shape)
            if planes[0].shape != expected:
                raise ImageMismatchError(
                    f"the {self.what} {self.filenames(channels)[name]} has the shape "
                    f"{planes[0].shape} (rows, columns), the image area has {expected}"
                    + (f" in the channel {name!r}" if name is not None else "")
                )
        if len(chosen) == 1 and next(iter(chosen.values()))[0].shape == shape:
            return next(iter(chosen.values()))
        whole = tuple(np.zeros(shape, dtype) for dtype in self.dtypes)
        taken = np.zeros(shape, bool)
        for name, planes in chosen.items():
            if taken[channels[name]].any():
                raise CalibrationError(
                    f"the channel {name!r} shares pixels with another, which cannot have a "
                    f"{self.what} each; calibrate them one after the other"
                )
            taken[channels[name]] = True
            for target, plane in zip(whole, planes, strict=True):
                target[channels[name]] = plane
        return whole


class LoadedMaster(_ByChannel):
    """A master, of one file a channel, in float64.

    A file without errors counts as free of noise, one without a mask as clear.
    """

    names = ("correction", "variance", "mask")
    dtypes = ("f8", "f8", "u1")

    def __init__(self, kind: str, given: Any) -> None:
        self.headers: dict[str, fits.Header] = {}
        """Of each file."""
        self.warned: set[str] = set()
        """What has been said about it."""
        self._sha1: dict[str, str] = {}
        super().__init__(f"master {kind}", given, self._read)

    def _read(self, file: Any) -> tuple[Any, Any, Any]:
        if not isinstance(file, str | PathLike):
            raise CalibrationError(
                f"the {self.what} is the name of a file, or {{channel: file}}, not {file!r}"
            )
        path = expanduser(file)
        self._files[path] = provenance.file_entry(path)
        self._sha1[path] = provenance.sha1_of(path)
        ds = open_planes([path], dtype="float64")
        self.headers[path] = plain_header(str(ds["header"].values[0]))
        image = ds["image"].values[0, 0]
        variance = ds["variance"].values[0, 0] if "variance" in ds else np.zeros_like(image)
        mask = ds["mask"].values[0, 0] if "mask" in ds else np.zeros(image.shape, np.uint8)
        return image, variance, mask

    def filenames(self, channels: Channels) -> dict[str | None, Any]:
        """File of each channel."""
        return {name: expanduser(file) for name, file in super().filenames(channels).items()}

    def _described(self, filenames: Mapping[str | None, Any]) -> dict[str, Any]:
        sha1 = {name: self._sha1[file] for name, file in filenames.items()}
        return {**super()._described(filenames), "sha1": sha1}


class LoadedMasks(_ByChannel):
    """Separate masks, of one or more files a channel; the plane is their union."""

    names = ("image",)
    dtypes = ("u1",)

    def __init__(self, given: Any) -> None:
        super().__init__("mask", given, self._read)

    def _read(self, part: Any) -> tuple[Any]:
        files = _listed(part)
        self._files |= {file: provenance.file_entry(file) for file in files}
        return (combine_masks(files),)

    def filenames(self, channels: Channels) -> dict[str | None, Any]:
        """Lists of files of each channel."""
        return {name: _listed(part) for name, part in super().filenames(channels).items()}


def _flat(names: Iterable[str | list[str]]) -> Iterator[str]:
    for name in names:
        yield from [name] if isinstance(name, str) else name


def _listed(part: Any) -> list[str]:
    files = [part] if isinstance(part, str | PathLike) else part
    if not isinstance(files, list | tuple):
        raise CalibrationError(
            f"masks are a file, a list of files, or {{channel: file or list}}, not {part!r}"
        )
    return [expanduser(file) for file in files]


def load_masters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Masters and masks of the files that are named; None for none; UNSET is passed over."""
    loaded: dict[str, Any] = {}
    for name, files in given.items():
        if files is None:
            loaded[name] = None
        elif files is not UNSET:
            loaded[name] = LoadedMasks(files) if name == "masks" else LoadedMaster(name, files)
    return loaded


def _plane_shape(slices: tuple[slice, slice], shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that slices take of a frame of this shape."""
    rows, columns = (
        len(range(*part.indices(size))) for part, size in zip(slices, shape, strict=True)
    )
    return rows, columns


def as_dataset(master: dict[str, Any], kind: str, y: int, x: int) -> xr.Dataset:
    """An assembled master as a verb takes it, at row ``y`` and column ``x`` of the raw frame.

    Its history is its files alone. The classes add the variance of every master in full, as the
    original does; the verbs would take out what a dark shares with the bias that it was made with.
    """
    dims = schema.DIMS[1:]
    names = {"image": "correction", "variance": "variance", "mask": "mask"}
    height, width = master["correction"].shape
    coords = schema.place({schema.MONO: ChannelSlice()}, height, width, y, x)
    ds = xr.Dataset({name: (dims, master[key][None]) for name, key in names.items()}, coords)
    ds = schema.with_attributes(ds, "1" if kind == "flat" else "adu")
    return provenance.record(ds, "open_planes", source=xr.Dataset(), files=master["files"])
