"""The frames of a night as a table: what each is, what corrects it, what became of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.frames import FileRecord
from autowisp_xr.kinds import MASTERS
from autowisp_xr.night.choosing import Choice
from autowisp_xr.night.sets import FrameSet

__all__ = ["table_of", "text_column"]

_TEXT = np.dtypes.StringDType()
_UNITS = {"exposure": "s", "temperature": "degC"}


def table_of(
    records: Sequence[FileRecord],
    sets: Sequence[FrameSet],
    left_out: Mapping[str, str],
    choices: Mapping[str, Mapping[str, Choice]],
) -> xr.Dataset:
    """A table with a row for each file, over ``file``.

    Parameters
    ----------
    records, sets, left_out
        As for :func:`~autowisp_xr.night.sort_frames`.
    choices
        By the path of a frame, what :func:`~autowisp_xr.night.match` chose for it.

    Returns
    -------
    ``path``, ``image_type``, ``width``, ``height`` [pixels], ``channels``, ``camera``, ``binning``,
    ``gain_setting``, ``filter``, ``exposure`` [s], ``object``, ``temperature``, ``time``;
    ``set`` (of which it is a member), ``bias``, ``dark``, ``flat`` (what was chosen for it, ""
    where nothing was), ``why_not`` ({kind: {candidate: reason}} as JSON), ``reason`` (why it is in
    no set), ``doubts`` (a line each). What is not known is "", NaN or NaT.
    """
    of_set = {record.path: one for one in sets for record in one.records}

    def fact(name: str, missing: Any) -> list[Any]:
        return [r.coordinates.get(name, missing) if r.coordinates else missing for r in records]

    sizes = [record.shape or (0, 0) for record in records]
    channels = [of_set[r.path].traits.channels or () if r.path in of_set else () for r in records]
    columns: dict[str, Any] = {
        "path": text_column([record.path for record in records]),
        "image_type": text_column(fact("image_type", "")),
        "width": np.array([width for _, width in sizes]),
        "height": np.array([height for height, _ in sizes]),
        "channels": text_column([" ".join(name for name, _ in of) for of in channels]),
        "camera": text_column([str(record.facts.get("camera") or "") for record in records]),
        "binning": text_column(fact("binning", "")),
        "gain_setting": np.array(fact("gain_setting", np.nan), float),
        "filter": text_column(fact("filter", "")),
        "exposure": np.array(fact("exposure", np.nan), float),
        "object": text_column(fact("object", "")),
        "temperature": np.array(fact("temperature", np.nan), float),
        "time": np.array(fact("time", "NaT"), "datetime64[ns]"),
        "set": text_column([of_set[r.path].path if r.path in of_set else "" for r in records]),
        **{kind: _of_choices(records, choices, _name_of(kind)) for kind in MASTERS},
        "why_not": _of_choices(records, choices, _reasons),
        "reason": text_column([left_out.get(record.path, "") for record in records]),
        "doubts": text_column(["\n".join((*r.guesses, *r.doubts)) for r in records]),
    }
    return xr.Dataset(
        {
            name: ("file", values, {"units": _UNITS[name]} if name in _UNITS else {})
            for name, values in columns.items()
        }
    )


def text_column(values: Sequence[Any]) -> np.ndarray[Any, Any]:
    """Texts of any length, as Zarr keeps them; bytes of names that are no text are spelled out."""
    texts = [str(value).encode(errors="backslashreplace").decode() for value in values]
    return np.array(texts, dtype=_TEXT)


def _of_choices(
    records: Sequence[FileRecord],
    choices: Mapping[str, Mapping[str, Choice]],
    tell: Callable[[Mapping[str, Choice]], str],
) -> np.ndarray[Any, Any]:
    return text_column([tell(choices.get(record.path, {})) for record in records])


def _name_of(kind: str) -> Callable[[Mapping[str, Choice]], str]:
    def tell(choices: Mapping[str, Choice]) -> str:
        choice = choices.get(kind)
        return choice.chosen.name if choice and choice.chosen else ""

    return tell


def _reasons(choices: Mapping[str, Choice]) -> str:
    found = {kind: dict(choice.why_not) for kind, choice in choices.items() if choice.why_not}
    return json.dumps(found) if found else ""
