"""The stacking of files of frames to a master, as the classes of masters do it."""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral
from os import PathLike
from os.path import expanduser
from typing import Any, Literal, Self

import numpy as np
import xarray as xr
from astropy.io import fits
from dask.array import store
from numpy.typing import ArrayLike, DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Image
from autowisp_xr.errors import AutowispWarning, ImageMismatchError
from autowisp_xr.fits.lazy_pixels import Spool
from autowisp_xr.flags import Flag, as_flag, names_of
from autowisp_xr.frames.names import fill_template
from autowisp_xr.frames.open import open_planes
from autowisp_xr.frames.parallel_writing import scheduler
from autowisp_xr.frames.product_hdus import plain_header
from autowisp_xr.frames.write import OutputFile, write_products
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import ascii_text, parse_header, set_cards, value_of
from autowisp_xr.headers.exposure import exposure_card
from autowisp_xr.headers.fate_rules import set_facts
from autowisp_xr.headers.fates import TABLE
from autowisp_xr.headers.product import raw_gain_facts
from autowisp_xr.headers.values import Cards
from autowisp_xr.image_calibration.loaded_masters import NOT_ASKED, traits_of
from autowisp_xr.image_calibration.outputs import check_output
from autowisp_xr.image_calibration.parameters import check_names
from autowisp_xr.kinds import KINDS
from autowisp_xr.matching import reason_against
from autowisp_xr.options import Average, upper_and_lower
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stack.options import MatchChoice, as_matched
from autowisp_xr.stack.stacking import stack
from autowisp_xr.stats.averages import average_named, quantile_of
from autowisp_xr.stats.floats import as_floats

Files = Sequence[str | PathLike[str]]


@dataclass(frozen=True, kw_only=True)
class Stacking:
    """How frames are stacked, by the names of the original.

    Raises
    ------
    ValueError
        For values that no frames could go with.
    """

    outlier_threshold: float | Sequence[float] = 5.0
    """Values farther from the average than this, in units of the root mean square distance from it,
    are rejected: a number for both sides, or two of opposite signs."""

    average_func: str | float | Callable[..., Any] = np.nanmedian
    """A function of NumPy, or the name of one, as :func:`average_named` takes them."""

    min_valid_frames: int = 10
    """With fewer frames there is no master."""

    min_valid_values: int = 5
    """A pixel with fewer values left is flagged BAD."""

    max_iter: float | None = np.inf
    """Rejections at most."""

    exclude_mask: str | int | Sequence[str | int] | None = ("BAD",)
    """Flags, by name or as their bits; pixels that bear any of them are left out."""

    add_averaged_keywords: Sequence[str] = ()
    """Header keywords whose values are averaged as the pixels are."""

    scale: MatchChoice = None
    """How frames are brought to one scale first, as :func:`~autowisp_xr.stack` takes it."""

    sky: MatchChoice = None
    """How they are brought to one sky, likewise."""

    def __post_init__(self) -> None:
        _ = self.reject
        if self.average != "sum":
            quantile_of(self.average)
        as_matched(self.scale, "scale")
        as_matched(self.sky, "sky")
        as_flag(self.exclude_mask or ())
        for name in ("min_valid_frames", "min_valid_values"):
            if not isinstance(getattr(self, name), Integral):
                raise ValueError(f"{name} is a whole number, not {getattr(self, name)!r}")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Make it of a dictionary; a TypeError for a name that is no option."""
        check_names(options, STACKING, "stacking option")
        return cls(**options)

    @property
    def average(self) -> Average | Literal["sum"]:
        """The average as :func:`~autowisp_xr.stack` calls it."""
        if isinstance(self.average_func, str) and self.average_func.removeprefix("nan") == "sum":
            return "sum"
        return average_named(self.average_func)

    @property
    def rounds(self) -> int | None:
        """Rejections at most; None without a limit."""
        if self.max_iter is None or self.max_iter == np.inf:
            return None
        if int(self.max_iter) != self.max_iter:
            raise ValueError(f"max_iter is a whole number or infinite, not {self.max_iter!r}")
        return int(self.max_iter)

    @property
    def reject(self) -> SigmaClip:
        """The rejection of :func:`~autowisp_xr.stack`."""
        return SigmaClip(upper_and_lower(self.outlier_threshold), max_iter=self.rounds)

    @property
    def fewest(self) -> int:
        """The fewest values of a good pixel: the uncertainty of a single value is not known."""
        return max(self.min_valid_values, 2)


SINCE = ("scale", "sky")
"""Options that the original does not have."""

STACKING = {field.name: field.default for field in fields(Stacking)}
"""The options of a stack with their defaults."""


def listed(frame_list: Iterable[str | PathLike[str]]) -> list[str]:
    """Return the names of the files of a stack; a TypeError for a single name."""
    if isinstance(frame_list, str | PathLike):
        raise TypeError(f"frame_list is a list of files, not {frame_list!r}")
    return [expanduser(file) for file in frame_list]


def opened(
    files: Sequence[str],
    alike: Sequence[str] = ("IMAGETYP", "CLRCHNL"),
    dtype: DTypeLike | None = np.float64,
) -> xr.Dataset:
    """Open frames that agree in keywords, not yet read; files without a mask are clear.

    Their type is ``dtype``; None is for the smallest that holds the values of all files, which is
    less to read.

    Raises
    ------
    ValueError
        If a file is named more than once.
    ImageMismatchError
        For frames that differ in shape or such a keyword; it names two files.
    """
    repeated = [file for file, times in Counter(files).items() if times > 1]
    if repeated:
        raise ValueError(f"frame_list names {repeated[0]!r} more than once")
    frames = open_planes(files, dtype=dtype, exact=True).drop_vars("variance", errors="ignore")
    headers = [parse_header(str(text)) for text in frames["header"].values]
    for keyword in alike:
        values = [value_of(header, keyword) for header in headers]
        for path, value in zip(files, values, strict=True):
            if value != values[0]:
                raise ImageMismatchError(
                    f"{path} has {keyword} {value!r}, {files[0]} has {values[0]!r}; frames of one "
                    "type, channel and filter make a master"
                )
    return frames


def prepared(
    frames: xr.Dataset, prepare: Callable[[Image], ArrayLike | None]
) -> tuple[xr.Dataset, list[str]]:
    """Return frames as a hook makes them, and the files for which it returned None.

    They wait in a temporary file, so that memory holds one at a time.
    """
    paths = [str(path) for path in frames["path"].values]
    shape = (frames.sizes["y"], frames.sizes["x"])
    kept = []
    spool = Spool(shape)
    for number, path in enumerate(paths):
        made = prepare(frames["image"][number, 0].values)
        if made is None:
            continue
        image = as_floats(made)
        if image.shape != shape:
            raise ImageMismatchError(
                f"prepare_for_stacking made of {path}, of the shape {shape} (rows, columns), an "
                f"array of the shape {image.shape}"
            )
        spool.append(image)
        kept.append(number)
    chosen = frames.isel(frame=kept)
    if kept:
        chosen = schema.with_attributes(chosen.assign(image=spool.variable()), "adu")
    by = getattr(prepare, "__qualname__", type(prepare).__qualname__)
    chosen = provenance.record(chosen, "prepare_for_stacking", {"by": by}, source=frames)
    return chosen, [path for number, path in enumerate(paths) if number not in kept]


def stacked(
    frames: xr.Dataset, options: Stacking, custom_header: Mapping[str, Any] | None = None
) -> tuple[xr.Dataset, fits.Header]:
    """Return the master of frames, not yet computed, and its header."""
    number = frames.sizes["frame"]
    if number < options.fewest:
        warnings.warn(
            f"a pixel needs {options.fewest} values (min_valid_values, and 2 at least), there are "
            f"{number} frames: every pixel of the master is flagged BAD",
            AutowispWarning,
            stacklevel=4,
        )
    needs_exposures = options.average == "sum" or options.scale is not None
    _warn_of_unlike(frames, leave_out=("exposure",) if needs_exposures else ())
    if needs_exposures:
        frames = frames.assign_coords(exposure=("frame", _exposures(frames)))
    master = stack(
        frames,
        options.average,
        reject=options.reject,
        exclude=options.exclude_mask or (),
        min_values=options.min_valid_values,
        error="standard_error",
        average_keywords=options.add_averaged_keywords,
        scale=options.scale,
        sky=options.sky,
        allow_mismatch=("exposure",) if needs_exposures else (),
        dtype="float64",
    )
    header = plain_header(str(master["header"].values))
    _drop_noise(header)
    if needs_exposures and math.isfinite(float(master["exposure"])):
        header["EXPTIME"] = (float(master["exposure"]), "[s] of this image")
    _document(header, frames["path"].values.tolist(), options, master["image"].attrs["units"])
    set_cards(header, custom_header)
    return master, header


def _warn_of_unlike(frames: xr.Dataset, leave_out: Collection[str]) -> None:
    """Warn, once for a trait, of frames that the verbs would not make one master of."""
    headers = [parse_header(str(text)) for text in frames["header"].values]
    paths = frames["path"].values.tolist()
    written = value_of(headers[0], "IMAGETYP") if headers else None
    kind = KeywordAliases().image_type_of(written or "") or "object"
    apart = (*NOT_ASKED, "night", *leave_out)
    names = [name for name in KINDS[kind].alike if name not in apart] if kind in KINDS else []
    traits = [traits_of(header, kind) for header in headers]
    for name in names:
        reasons = (reason_against(traits[0], own, names=[name]) for own in traits)
        found = next(((path, why) for path, why in zip(paths, reasons, strict=True) if why), None)
        if found is not None:
            warnings.warn(
                f"{found[0]} is {found[1]} as {paths[0]} is; they are stacked all the same",
                AutowispWarning,
                stacklevel=5,
            )


def _exposures(frames: xr.Dataset) -> list[float]:
    """Return the exposures of frames in seconds; NaN where a header does not state it."""
    headers = [Cards(parse_header(str(text)), KeywordAliases()) for text in frames["header"].values]
    return [math.nan if card is None else card.seconds for card in map(exposure_card, headers)]


def computed(master: xr.Dataset, options: Stacking) -> dict[str, Image]:
    """Compute image, variance (the standard error squared) and mask of a master, (y, x)."""
    planes = [master[name].isel(channel=0) for name in ("image", "variance", "count")]
    if all(plane.chunks for plane in planes):
        # straight into arrays: joined from bands, each plane would be in memory twice
        done = [np.empty(plane.shape, plane.dtype) for plane in planes]
        store([plane.data for plane in planes], done, lock=False, **scheduler())
    else:
        done = [plane.values for plane in planes]
    image, variance, count = done
    mask = np.where(count < options.fewest, np.uint8(Flag.BAD), np.uint8(0))
    return {"image": image, "variance": variance, "mask": mask}


def write_master(
    master: xr.Dataset,
    header: fits.Header,
    name: str | PathLike[str],
    options: Stacking,
    *,
    inputs: Collection[str],
    allow_overwrite: bool,
    compress: float | bool | None,
) -> None:
    """Compute a master and write it to a file, whose name the header fills in."""
    path = fill_template(name, header)
    check_output(path, overwrite=allow_overwrite, inputs=inputs)
    master = provenance.with_lines(master)
    write_products(
        [OutputFile(path, header, computed(master, options))],
        provenance.history(provenance.with_hashes(master)),
        overwrite=allow_overwrite,
        compress=compress,
    )


def _drop_noise(header: fits.Header) -> None:
    """Drop gain and read noise, which are those of one frame; GAIN stays, as in the original."""
    set_facts(header, raw_gain_facts(header))
    for row in TABLE:
        if row.name in _OF_ONE_FRAME:
            for card in row.among(header):
                if card != "GAIN":
                    header.remove(card, remove_all=True)


_OF_ONE_FRAME = ("gain", "of_amplifiers", "read_noise", "effective")
"""Rows of the table of fates whose cards describe one frame; for a master, nobody knows them."""


def _document(header: fits.Header, files: Sequence[str], options: Stacking, units: str) -> None:
    """Add the files and the options of a stack to the header of its master."""
    # keywords have eight characters: the 1001st frame takes one from the name
    stem, digits = ("ORIGF", 3) if len(files) <= 1000 else ("ORIG", 4)
    for number, file in enumerate(files):
        header[f"{stem}{number:0{digits}d}"] = (ascii_text(str(file)), "File combined")
    thresholds = np.ravel(np.asarray(options.outlier_threshold, np.float64)).tolist()
    threshold = thresholds[0] if len(thresholds) == 1 else tuple(thresholds)
    header["OUTLTHRS"] = (repr(threshold), "Rejection threshold [RMS]")
    average, rounds = options.average, options.rounds
    label = f"nanquantile({average:g})" if isinstance(average, float) else f"nan{average}"
    header["AVRGFUNC"] = (label, "How values are averaged")
    header["MINAVGPX"] = (int(options.min_valid_values), "Fewest values of a good pixel")
    header["MAXREJIT"] = ("inf" if rounds is None else rounds, "Rejections at most")
    excluded: Any = options.exclude_mask or ()
    parts = [excluded] if isinstance(excluded, str | Integral) else excluded
    names = (part if isinstance(part, str) else names_of(as_flag(int(part))) for part in parts)
    header["XCLUDMSK"] = (",".join(names), "Flags that exclude a pixel")
    kind = str(value_of(header, "IMAGETYP") or "")
    # a master of masters is a master
    header["IMAGETYP"] = (f"master{kind.removeprefix('master')}", "Type of image")
    header["BUNIT"] = header.get("BUNIT", "adu") if units == "adu" else units
