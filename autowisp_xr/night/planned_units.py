"""A whole night as units, each after those that it needs.

Decision: a master is one unit, however many frames it is made of, and none stacks a band of rows.
Threads stack raw files at 0.9 to 1.4 GB/s (0.006 to 0.009 s a frame of 2048 x 2048), which is what
a disk gives and about what SHA-256 takes. Who joined bands would read every file once more, for its
digest and for the looks at its level, and so be done no sooner than one unit is now; bands of what
is compressed as a whole would each unpack all of it, and those of flats measure all of each flat.
The masters of a night are units side by side as it is. A unit plans its night from the manifest,
0.3 s for 1,000 files, beside 3 s for a master of 100 tiny frames.
"""

import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from autowisp_xr.errors import BadImageError
from autowisp_xr.night.plan import Plan, Product
from autowisp_xr.night.product_writing import STORE
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.units import Export, Make, ranges
from autowisp_xr.provenance.frame_records import digest

_OF_THE_RUN = {"scheduler", "workers", "units", "report", "prune"}
"""Options of ``reduce`` that are no matter of a unit."""

_PLACES = {"masters", "defects", "skip"}
"""Those that name files."""


def planned_units(
    plan: Plan, night: str, out: str, options: Mapping[str, Any], *, fits: bool
) -> list[Export | Make]:
    """Return the units that make what a night allows: masters, sets, then the files of frames.

    Parameters
    ----------
    plan
        Of the night.
    night, out
        As for :func:`~autowisp_xr.reduce`: absolute, for units are carried out anywhere.
    options
        Its other options that are not the usual ones.
    fits
        Whether calibrated frames are written to files.
    """
    options = _anywhere(options)
    needs: dict[str, tuple[str, ...]] = {}
    makes, exports = [], []
    for product in plan.products:
        if product.stopped:
            continue
        above = [needs[name] for name in product.masters.values() if name in needs]
        own = tuple(dict.fromkeys(group for groups in above for group in groups))
        if product.is_master:
            needs[product.frames.path] = (*own, product.group)
        make = Make(
            night=night,
            out=out,
            group=product.group,
            needs=own,
            frames=_frames(product),
            options=options,
        )
        makes.append(make)
        if fits and not product.is_master:
            exports += [
                Export(
                    store=str(Path(out) / STORE), group=make.group, after=make.id, frames=of_frames
                )
                for of_frames in ranges(len(product.frames.records), 1)
            ]
    return [*makes, *exports]


def check_frames(plan: Plan, making: Make) -> None:
    """Refuse to make something of other frames than those of which it was planned.

    Raises
    ------
    BadImageError
        Where there are others by now, or one of their files has changed.
    """
    products = (one for one in plan.products if one.group == making.group and not one.stopped)
    if any(making.frames not in ("", _frames(product)) for product in products):
        raise BadImageError(sentence("unit_of_other_frames", group=making.group))


def _anywhere(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of ``reduce`` as other processes take them, in other directories."""
    found = {name: one for name, one in options.items() if name not in _OF_THE_RUN}
    for name in _PLACES & found.keys():
        given = found[name]
        paths = [given] if isinstance(given, str | PathLike) else list(given)
        found[name] = [one if one == "none" else os.path.abspath(one) for one in paths]
    if found.get("defects") == ["none"]:
        found["defects"] = "none"
    return found


def _frames(product: Product) -> str:
    """Return a digest of the files of frames."""
    status = [(one.path, os.stat(one.path)) for one in product.frames.records]
    return digest([(path, one.st_size, one.st_mtime_ns) for path, one in status])
