"""A whole night as units, each after those that it needs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autowisp_xr.frame_records import digest
from autowisp_xr.night.plan import Plan, Product
from autowisp_xr.night.product_writing import STORE
from autowisp_xr.night.units import Export, Make, ranges


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
        Its other options, for all of them.
    fits
        Whether calibrated frames are written to files.
    """
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


def _frames(product: Product) -> str:
    """Return a digest of the files of frames."""
    status = [(one.path, os.stat(one.path)) for one in product.frames.records]
    return digest([(path, one.st_size, one.st_mtime_ns) for path, one in status])
