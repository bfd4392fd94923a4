"""What a frame set, a master or a night is, in a few lines: of text, or of HTML in notebooks."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr._compat import in_memory
from autowisp_xr.arrays import Floats
from autowisp_xr.html_pieces import folded, paragraph, table
from autowisp_xr.readable_attributes import camera_words, history_words, step_words, unit_in_words

_MOST = 8
"""So many kinds of frames are listed."""


def as_text(ds: xr.Dataset) -> str:
    """Return what a Dataset is, a line for each thing."""
    lines = _lines(ds)
    return "\n".join([lines.pop("is"), *(f"  {name}: {words}" for name, words in lines.items())])


def as_html(ds: xr.Dataset) -> str:
    """Return what a Dataset is as HTML, with the steps of its history below."""
    lines = _lines(ds)
    title = lines.pop("is")
    steps = [(step_words(step), step.get("time", "")[:19]) for step in provenance.history(ds)]
    body = table(steps, ("step", "when"))
    return paragraph(title, bold=True) + table(lines.items()) + folded("steps", body)


def tree_as_text(tree: xr.DataTree) -> str:
    """Return what is in a night, a line for each set."""
    rows = (f"  {name}: {lines['is']}" for name, lines in _sets(tree))
    return "\n".join([_title(tree), *rows])


def tree_as_html(tree: xr.DataTree) -> str:
    """Return what is in a night as HTML: a row for each set, and notes."""
    rows = [(name, lines["is"], lines.get("frames", "")) for name, lines in _sets(tree)]
    notes = [line for line in str(tree.attrs.get("notes", "")).split("\n") if line]
    below = folded(f"notes: {len(notes)}", "".join(map(paragraph, notes)))
    return paragraph(_title(tree), bold=True) + table(rows, ("set", "", "frames")) + below


def _title(tree: xr.DataTree) -> str:
    title = f"Night {tree.attrs.get('night', tree.name or '')}".strip()
    files = tree.to_dataset().sizes.get("file")
    words = [title, f"{files} files" if files else "", str(tree.attrs.get("verdict", ""))]
    return ": ".join(filter(None, words))


def _sets(tree: xr.DataTree) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name of each set of frames, or master, and the lines on it."""
    for node in tree.subtree:
        if "image" in node.data_vars:
            yield node.path.strip("/"), _lines(node.to_dataset(inherit=False))


def _lines(ds: xr.Dataset) -> dict[str, str]:
    """Return what is known of a Dataset in words, by what it is about."""
    found = {"is": _size(ds)}
    if "frame" in ds.dims and (kinds := _kinds(ds)):
        found["frames"] = kinds
    if times := _times(ds):
        found["time"] = times
    found["planes"] = ", ".join(_plane(str(name), one) for name, one in ds.data_vars.items())
    if "camera" in ds.attrs:
        found["camera"] = camera_words(json.loads(schema.camera_of(ds).to_json()))
    if steps := provenance.history(ds):
        found["history"] = history_words(steps)
    return found


def _size(ds: xr.Dataset) -> str:
    if "image" not in ds:
        return "no frames and no master"
    sizes = ds["image"].sizes
    number = sizes.get("frame")
    what = "master" if number is None else f"{number} frame{'s' if number != 1 else ''}"
    channels = schema.names(ds, "channel") if "channel" in sizes else [schema.MONO]
    words = [what, f"{sizes.get('y', 0)} x {sizes.get('x', 0)} pixels"]
    if channels != [schema.MONO]:
        words.append(f"channels {', '.join(channels)}")
    return ", ".join([*words, unit_in_words(schema.units_of(ds)), _megabytes(ds)])


def _megabytes(ds: xr.Dataset) -> str:
    lazy = any(not in_memory(one.variable) for one in ds.data_vars.values())
    return f"{ds.nbytes / 1e6:.3g} MB{', not in memory' if lazy else ''}"


def _kinds(ds: xr.Dataset) -> str:
    """Return how many frames there are of each type, object and filter, and their exposures."""
    columns = [_column(ds, name) for name in ("image_type", "object", "filter")]
    exposures: dict[str, list[float]] = {}
    for *words, exposure in zip(*columns, _column(ds, "exposure", np.nan), strict=True):
        exposures.setdefault(" ".join(map(str, filter(None, words))), []).append(exposure)
    listed = [
        " ".join(filter(None, (str(len(of_kind)), kind, _seconds(np.array(of_kind, float)))))
        for kind, of_kind in exposures.items()
    ]
    more = [f"and {len(listed) - _MOST} kinds more"] if len(listed) > _MOST else []
    return "; ".join([*listed[:_MOST], *more])


def _column(ds: xr.Dataset, name: str, missing: Any = "") -> list[Any]:
    """Return a coordinate of each frame; ``missing`` where it is not known or not in memory."""
    known = name in ds.coords and ds[name].dims == ("frame",) and in_memory(ds[name].variable)
    return list(ds[name].values.tolist()) if known else [missing] * ds.sizes["frame"]


def _seconds(exposures: Floats) -> str:
    known = exposures[np.isfinite(exposures)]
    if not known.size:
        return ""
    ends = (f"{end:g}" for end in dict.fromkeys((known.min(), known.max())))
    return f"{' to '.join(ends)} s"


def _times(ds: xr.Dataset) -> str:
    if "time" not in ds.coords or not in_memory(ds["time"].variable):
        return ""
    known = np.ravel(ds["time"].values)
    known = known[~np.isnat(known)]
    if not known.size:
        return ""
    first, last = (np.datetime_as_string(end, "s") for end in (known.min(), known.max()))
    return f"{first} UTC" if first == last else f"{first} to {last} UTC"


def _plane(name: str, plane: xr.DataArray) -> str:
    return f"{name} ({plane.dtype})"
