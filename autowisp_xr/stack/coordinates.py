"""Coordinates of a stack: what its frames have in common, and averages of the rest."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits
from numpy.typing import NDArray

from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.bridge import blocks
from autowisp_xr.checked_numbers import is_number
from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import (
    common_header,
    parse_header,
    render_header,
    value_of,
    without_part_of_sky,
)
from autowisp_xr.headers.exposure import EXPOSURES, exposure_card
from autowisp_xr.headers.fates import EFFECTIVE
from autowisp_xr.headers.product import effective_in
from autowisp_xr.headers.times import date_in, julian_date, middle_of_exposure
from autowisp_xr.headers.values import Cards, to_number
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.outliers.base import average_columns
from autowisp_xr.schema import SHARED, along_frames
from autowisp_xr.stack.levels import FrameLines, table_of
from autowisp_xr.stack.options import Match, StackOptions
from autowisp_xr.stack.weights import pixel_shares
from autowisp_xr.stats.order_statistics import quantile_moments, trimmed_moments
from autowisp_xr.steps.noise_sources import noise_sources

_NANOSECONDS = 1e9
_NOT_A_TIME = np.datetime64("NaT", "ns")
_USUAL = KeywordAliases()
_CONTENTS = {
    "combined": "NUMFCOMB",
    "total_exposure": "LIVETIME",
    "time_start": "DATE-BEG",
    "time_end": "DATE-END",
}
"""Cards that describe the contents of a stack, as they are written."""

_COUNTED = ("NUMFCOMB", "NCOMBINE", "STACKCNT", "EFFNCOMB", "SNAPSHOT", "IMCMB001", "IMCOM001")
"""Cards of which one is in each header of a stack."""


def summarised(
    ds: xr.Dataset,
    options: StackOptions,
    weights: xr.Variable | None = None,
    lines: FrameLines | None = None,
) -> dict[str, Any]:
    """Return the coordinates of the stack of the frames of ``ds``.

    Text that all frames share stays, else it becomes empty; numbers and times are averaged with the
    weights of the pixels, rejected ones aside; the header keeps the cards that all share, and
    NUMFCOMB. Paths are left to the history.

    ``time_start``, ``time_end``, ``total_exposure`` [s] and ``combined``, the number of frames as
    the camera gave them, describe what went into the stack, stacks among its frames counted by what
    went into them. What is not known of one frame is not known of the stack.

    Where the weights are still to be computed, what differs between frames has no average yet:
    NaN, or NaT. The exposure of a sum is that of all; of frames that were scaled by their
    exposures, the one that they were brought to. ``lines`` stand by ``stacked``.
    """
    of_pixels = pixel_shares(weights)
    shares = None if of_pixels is None else of_pixels.mean(axis=1)
    counted = ds if shares is None else ds.isel(frame=np.flatnonzero(shares != 0))
    contents = contents_of(counted)
    coords: dict[str, Any] = {}
    for name, coord in ds.coords.items():
        if "stacked" in coord.dims:
            continue  # of a stack among the frames
        if "frame" not in coord.dims:
            coords[str(name)] = coord
        elif name == "header":
            number = int(contents["combined"].sum())
            coords["header"] = _text(_stacked_header(ds, options, number))
        elif name in SHARED.values():
            coords[str(name)] = _text(noise_sources([str(text) for text in coord.values.tolist()]))
        elif name not in ("frame", "path", "ceiling", *contents) and coord.dims == ("frame",):
            coords[str(name)] = _common(coord.values, shares, degrees=name == "ra")
            coords[str(name)].attrs = dict(coord.attrs)
    if lines is not None and lines.sky is not None and set(SHARED.values()) & set(coords):
        # what is relative to the light is no longer that of the image, and stands with the rest
        lent = [str(coords.pop(name).values) for name in SHARED.values() if name in coords]
        coords[SHARED["shared_variance"]] = _text(noise_sources(lent))
    if "exposure" in ds.coords:
        exposure = _exposure_of(ds, options, lines)
        coords["exposure"] = coords.get("exposure", exposure) if exposure is None else exposure
    factor = None if lines is None else lines.scale
    effective = _effective_frames(ds, of_pixels, options.quantile, options.dropped, factor)
    if options.average == "sum":
        effective = effective / ds.sizes["frame"]
    coords |= _united(contents) | {"effective_frames": effective}
    return coords | table_of(ds, lines)


def _exposure_of(
    ds: xr.Dataset, options: StackOptions, lines: FrameLines | None
) -> xr.Variable | None:
    """Return the exposure of a sum, or of frames scaled to one; None for that of an average."""
    scale = options.scales.to_average
    by_exposure = isinstance(scale, Match) and scale.by == "exposure"
    if lines is None or not by_exposure:
        if options.average != "sum":
            return None
        total = along_frames(ds, "exposure").sum()
    else:
        first = float(np.ravel(ds["exposure"].values)[0]) * float(lines.scale.values[0, 0])
        total = first * (ds.sizes["frame"] if options.average == "sum" else 1)
    return xr.Variable((), float(total), ds["exposure"].attrs)


def contents_of(ds: xr.Dataset) -> dict[str, Any]:
    """Return when each frame, or stack, began and ended, its exposure, and of how many it is.

    ``time_start`` and ``time_end`` (datetime64), ``total_exposure`` [s], ``combined`` (int), each
    over (frame); NaT and NaN where that is not known. A frame that does not state otherwise is one,
    with its exposure about its time.
    """
    column = partial(along_frames, ds)
    headers = column("header", "").tolist()
    stated = {name: np.array(values) for name, values in _in_headers(map(str, headers)).items()}
    combined = np.asarray(column("combined"), np.float64)
    combined = np.where(np.isnan(combined), stated["combined"], combined)
    combined = np.where(np.isnan(combined), 1, combined)
    exposure = np.asarray(column("exposure"), np.float64)
    time = column("time", _NOT_A_TIME).astype("datetime64[ns]")
    known = np.isfinite(exposure)
    half = np.full(exposure.shape, np.timedelta64("NaT", "ns"))
    half[known] = (exposure[known] / 2 * _NANOSECONDS).astype(np.int64)
    single = combined == 1
    ends = {"time_start": time - half, "time_end": time + half, "total_exposure": exposure}
    found: dict[str, Any] = {"combined": combined.astype(np.int64)}
    for name, of_one in ends.items():
        own = column(name, stated[name]).astype(of_one.dtype)
        own = np.where(own != own, stated[name].astype(of_one.dtype), own)
        found[name] = np.where((own != own) & single, of_one, own)
    return found


def _united(contents: Mapping[str, Any]) -> dict[str, xr.Variable]:
    """Return the coordinates of a stack that describe its contents."""
    total = contents["total_exposure"].sum()
    return {
        # numpy has NaT as soon as one of them is
        "time_start": xr.Variable((), contents["time_start"].min()),
        "time_end": xr.Variable((), contents["time_end"].max()),
        "total_exposure": xr.Variable((), total, {"units": "s"}),
        "combined": xr.Variable((), contents["combined"].sum()),
    }


def _in_headers(headers: Iterable[str]) -> dict[str, list[Any]]:
    """Read the contents of stacks from their headers; NaN and NaT where they are not stated."""
    found: dict[str, list[Any]] = {name: [] for name in _CONTENTS}
    for text in headers:
        # headers of single frames, which are many, need not be parsed
        header = parse_header(text) if "NUMFCOMB" in text else fits.Header()
        for name, card in _CONTENTS.items():
            if name.startswith("time"):
                found[name].append(date_in(Cards(header, _USUAL), card))
            else:
                found[name].append(to_number(value_of(header, card)))
    return found


def common_scalar(stacks: Sequence[xr.Dataset], name: str) -> xr.Variable:
    """Return what several stacks have in common of a coordinate without dims, as frames do."""
    values = [stack[name].values for stack in stacks]
    if name == "header":
        headers = [parse_header(str(text)) for text in values]
        return _text(render_header(common_header(headers)))
    return _common(np.stack(values))


def _common(
    values: NDArray[Any], shares: Floats | None = None, *, degrees: bool = False
) -> xr.Variable:
    """Return the value that all have, else the average of numbers and times that are known.

    Parameters
    ----------
    values
        Of frames, along one axis.
    shares
        By which they are weighed; None for equal ones.
    degrees
        Whether 360 is 0.
    """
    kind = values.dtype.kind
    if kind == "M":
        known = ~np.isnat(values)
        times = values[known].astype("datetime64[ns]")
        start = min(times, default=_NOT_A_TIME)
        after = _mean((times - start).astype(np.float64), shares, known)
        return xr.Variable(
            (), _NOT_A_TIME if np.isnan(after) else start + np.timedelta64(int(after), "ns")
        )
    if kind in "uif":
        known = np.isfinite(values)
        numbers = values[known].astype(np.float64)
        if numbers.size and (numbers == numbers[0]).all():
            return xr.Variable((), numbers[0])  # a mean would round
        if not degrees or numbers.size == 0:
            return xr.Variable((), _mean(numbers, shares, known))
        about = numbers[0]
        apart = (numbers - about + 180) % 360 - 180
        return xr.Variable((), (about + _mean(apart, shares, known)) % 360)
    different = {str(value) for value in values.tolist()}
    return _text(different.pop() if len(different) == 1 else "")


def _mean(numbers: Floats, shares: Floats | None, known: Bools) -> float:
    if numbers.size == 0:
        return np.nan
    if shares is None or (numbers == numbers[0]).all():
        return float(numbers.mean())
    total = shares[known].sum()
    return float((shares[known] * numbers).sum() / total) if total != 0 else np.nan


def _value(header: fits.Header, keyword: str) -> Any:
    """Return the value of a card; JD-OBS, the middle of the exposure, also from other cards."""
    value = value_of(header, keyword)
    if value is not None or keyword != "JD-OBS":
        return value
    try:
        exposed = exposure_card(Cards(header, _USUAL))
    except HeaderError:
        return None
    if exposed is None:
        return None
    middle = middle_of_exposure(Cards(header, _USUAL), exposed.seconds)
    return None if np.isnat(middle) else julian_date(middle)


def _text(value: str) -> xr.Variable:
    return xr.Variable((), np.array(value, dtype=np.dtypes.StringDType()))


def _stacked_header(ds: xr.Dataset, options: StackOptions, number: int) -> str:
    headers = [parse_header(str(text)) for text in ds["header"].values.tolist()]
    merged = without_part_of_sky(common_header(headers), headers[0])
    # of what is stacked, not of the stack
    gone = [EFFECTIVE]
    if options.average == "sum":
        gone += [card for name in EXPOSURES for card in _USUAL.cards[name]]
    if options.changes_levels:
        gone += _USUAL.cards["saturation"]
    for card in gone:
        merged.remove(card, ignore_missing=True, remove_all=True)
    # numbers of headers have no noise to be judged by
    reject = None if options.rejection and options.rejection.by_noise else options.rejection
    for keyword in options.keywords:
        if keyword in merged:
            continue
        values = [_value(header, keyword) for header in headers]
        if not all(is_number(value) for value in values):
            names = [str(name) for name in ds["frame"].values.tolist()]
            missing = [name for name, v in zip(names, values, strict=True) if not is_number(v)]
            raise HeaderError(
                f"the keyword {keyword} cannot be averaged: it is no number in {missing[:5]}; name "
                "others, or none (--add-averaged-keywords without a name)"
            )
        numbers = np.array(values, dtype=np.float64)[:, None]
        merged[keyword] = float(average_columns(numbers, options.quantile, reject).about[0])
    merged["NUMFCOMB"] = (number, "number of frames combined")
    return render_header(merged)


def _effective_frames(
    ds: xr.Dataset,
    shares: Floats | None,
    quantile: float,
    dropped: tuple[int, int],
    scale: xr.Variable | None = None,
) -> xr.Variable:
    r"""Return the number of equal frames whose mean has the photon noise of the stack of ``ds``.

    Parameters
    ----------
    ds
        Frames, or stacks, each of which is worth its own number :math:`n_i`.
    shares
        As :func:`~autowisp_xr.stack.weights.pixel_shares` gives them.
    quantile, dropped
        The average, MEAN for a mean, and how many of the smallest and largest values go.
    scale
        Of the frames, (frame, channel), whose photons have so many times the noise for their light.

    Returns
    -------
    A scalar: :math:`1 / \sum p_i^2 a_i / n_i` with the shares p of a mean and scales a; for others
    equal shares, less what they are worth against a mean of normal values. What thresholds reject
    is little, and not in it. NaN where the number of a frame is not known, or weights are still to
    be computed.
    """
    number = ds.sizes["frame"]
    own = _worth(ds)
    if scale is not None:
        known = blocks.in_memory(scale)
        own = own / scale.values.mean(axis=1) if known else np.full(number, np.nan)
    if shares is None:
        of_mean = number**2 / float((1 / own).sum())
        return xr.Variable((), of_mean / (number * _variance(number, quantile, dropped)))
    return xr.Variable((), 1 / float((shares**2 / own[:, None]).sum(axis=0).mean()))


def _worth(ds: xr.Dataset) -> Any:
    """Return how many frames each frame is worth, (frame)."""
    own = np.ones(ds.sizes["frame"])
    if "header" in ds.coords:
        texts = map(str, along_frames(ds, "header").tolist())
        # headers of single frames, which are many, need not be parsed
        own = np.array(
            [
                effective_in(parse_header(text)) if any(card in text for card in _COUNTED) else 1.0
                for text in texts
            ]
        )
    if "effective_frames" in ds.coords:
        known = along_frames(ds, "effective_frames").astype(np.float64)
        # beside stacks, single frames do not state it; and a stack whose weights were lazy cannot
        single = along_frames(ds, "combined", 2) == 1
        own = np.where(np.isnan(known) & single, own, known)
    return own


def _variance(number: int, quantile: float, dropped: tuple[int, int]) -> float:
    """Return the variance of the average of so many standard normal values."""
    if any(dropped):
        return trimmed_moments(quantile, number, *dropped)[0]
    return 1 / number if quantile == MEAN else quantile_moments(quantile, number)[1]
