"""Coordinates of a stack: what its frames have in common, and averages of the rest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.cards import (
    common_header,
    parse_header,
    render_header,
    value_of,
    without_part_of_sky,
)
from autowisp_xr.errors import HeaderError
from autowisp_xr.kernels.averages import MEAN, Rejection, average_through_frames
from autowisp_xr.stats.order_statistics import variance_factors

__all__ = ["common_scalar", "summarised"]


def summarised(
    ds: xr.Dataset, average_keywords: Sequence[str], quantile: float, reject: Rejection | None
) -> dict[str, Any]:
    """Coordinates of the stack of the frames of ``ds``.

    Text that all frames share stays, else it becomes empty; numbers and times are averaged; the
    header keeps the cards that all share, and NUMFCOMB. Paths are left to the history. Keywords
    have no noise by which they could be rejected.
    """
    if reject is not None and reject.kind == "noise":
        reject = None
    coords: dict[str, Any] = {}
    for name, coord in ds.coords.items():
        if "frame" not in coord.dims:
            coords[str(name)] = coord
        elif name == "header":
            coords["header"] = _text(_stacked_header(ds, average_keywords, quantile, reject))
        elif name not in ("frame", "path", "ceiling") and coord.dims == ("frame",):
            coords[str(name)] = _common(coord.values)
    return coords


def common_scalar(stacks: Sequence[xr.Dataset], name: str) -> xr.Variable:
    """What a coordinate without dims of several stacks has in common, as between frames."""
    values = [stack[name].values for stack in stacks]
    if name == "header":
        headers = [parse_header(str(text)) for text in values]
        return _text(render_header(common_header(headers)))
    return _common(np.stack(values))


def _common(values: Any) -> xr.Variable:
    kind = values.dtype.kind
    if kind == "M":
        known = values[~np.isnat(values)].astype("datetime64[ns]").astype(np.int64)
        if known.size == 0:
            return xr.Variable((), np.datetime64("NaT", "ns"))
        start = int(known.min())
        mean = start + int((known - start).astype(np.float64).mean())
        return xr.Variable((), np.datetime64(mean, "ns"))
    if kind in "uif":
        known = values[np.isfinite(values)].astype(np.float64)
        if known.size and (known == known[0]).all():
            return xr.Variable((), known[0])  # a mean would round
        return xr.Variable((), known.mean() if known.size else np.nan)
    different = {str(value) for value in values.tolist()}
    return _text(different.pop() if len(different) == 1 else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: str) -> xr.Variable:
    return xr.Variable((), np.array(value, dtype=np.dtypes.StringDType()))


def _stacked_header(
    ds: xr.Dataset, average_keywords: Sequence[str], quantile: float, reject: Rejection | None
) -> str:
    headers = [parse_header(str(text)) for text in ds["header"].values.tolist()]
    merged = without_part_of_sky(common_header(headers), headers[0])
    for keyword in average_keywords:
        if keyword in merged:
            continue
        values = [value_of(header, keyword) for header in headers]
        if not all(_is_number(value) for value in values):
            names = [str(name) for name in ds["frame"].values.tolist()]
            missing = [name for name, v in zip(names, values, strict=True) if not _is_number(v)]
            raise HeaderError(
                f"the keyword {keyword} cannot be averaged: it is no number in {missing[:5]}"
            )
        numbers = np.array(values, dtype=np.float64)[:, None]
        average = average_through_frames(
            numbers,
            None,
            quantile=quantile,
            reject=reject,
            factors=variance_factors(MEAN, len(values)),
            dtype=np.float64,
        )[0]
        merged[keyword] = float(average[0])
    merged["NUMFCOMB"] = (len(headers), "number of frames combined")
    return render_header(merged)
